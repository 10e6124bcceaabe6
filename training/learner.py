"""A backbone that learns what was done to pictures, with readers that are dropped afterwards.

Each stage has a reader of its own, so that the early ones need not wait for the late ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.datasets.distorted import LEVEL_TARGETS
from training.datasets.groups import Group
from training.datasets.slice_ladders import EFFECTS
from training.distortions import COMBINATIONS
from training.levels import level_error
from training.losses import ladder_error

HIDDEN = 64
CELLS = 7
AREAS = 4
MAPPED_STAGES = 3
MAP_HIDDEN = 32
LEVELS_WEIGHT = 5.0
SPECKS_WEIGHT = 5.0
LAMBDA_WEIGHT = 0.5
SCORE_WEIGHT = 2.0
ORDER_MARGIN = 0.5
"""By how much the place on a ladder should fall a step; the unit is the reader's own."""

PLACES = 1 + len(EFFECTS)
"""The place on a ladder of any loss, and that on those of each effect alone."""


class LevelReader(nn.Module):
    """Reads combination, levels and the places on ladders from one stage.

    Args:
        channels: Of the stage.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.cells = nn.Conv2d(channels, HIDDEN, 1)
        self.out = nn.Linear(2 * HIDDEN, len(COMBINATIONS) + LEVEL_TARGETS + PLACES)

    def forward(self, stage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give (N, 27) logarithms of combinations' probabilities, (N, 3) levels, (N, PLACES)."""
        grid = min(CELLS, stage.shape[-1])
        pooled = self.norm(F.adaptive_avg_pool2d(stage, grid))
        cells = F.gelu(self.cells(F.adaptive_avg_pool2d(pooled, min(AREAS, grid))))
        out = self.out(torch.cat((cells.mean((2, 3)), cells.amax((2, 3))), 1))
        logs = out[:, : len(COMBINATIONS)].log_softmax(1)
        return logs, out[:, len(COMBINATIONS) : -PLACES], out[:, -PLACES:]


class Learner(nn.Module):
    """A backbone with a reader at every stage and a map of specks at the first three.

    Args:
        stages: Gives the outputs of its stages.
        channels: Of each stage.
        means: (27,) mean score of each combination, so that those are told apart best that people
            score most differently; None where no score may take part.
    """

    means: Tensor | None

    def __init__(
        self, stages: nn.Module, channels: Sequence[int], means: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("means", means, persistent=False)
        self._statistics_are_frozen = False
        self.stages: Any = stages
        self.readers = nn.ModuleList(LevelReader(c) for c in channels)
        self.maps = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(c),
                nn.Conv2d(c, MAP_HIDDEN, 1),
                nn.GELU(),
                nn.Conv2d(MAP_HIDDEN, 1, 1),
            )
            for c in channels[:MAPPED_STAGES]
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Any]:
        """What all heads give of (N, 3, S, S) float, normalised."""
        outputs = self.stages(images)
        read = [reader(stage) for reader, stage in zip(self.readers, outputs, strict=True)]
        return read + [head(stage) for head, stage in zip(self.maps, outputs, strict=False)]

    def loss(
        self, images: Tensor, group: Group, *, bf16: bool = False, apart: bool = False
    ) -> Tensor:
        """Sum over the stages of the errors in combination, lambda, levels, order and specks.

        Args:
            images: (N, 3, S, S) float, normalised.
            group: What was done to them.
            bf16: Let the stages compute in 16 bits. Averages over them, which carry the cue, and
                all that comes after stay in 32.
            apart: Let effects be told apart, too.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            outputs = [stage.float() for stage in self.stages(images)]
        total = images.new_zeros(())
        for reader, stage in zip(self.readers, outputs, strict=True):
            logs, levels, places = reader(stage)
            total = total + combination_error(logs, group.combination)
            if self.means is not None:
                error = expected_score_error(logs, group.combination, self.means)
                total = total + SCORE_WEIGHT * error
            known = ~group.levels[:, 0].isnan()
            if known.any():
                total = total + LEVELS_WEIGHT * level_error(levels[known], group.levels[known])
            if len(group.ladders):
                places = places[group.ladders]
                total = total + ladder_error(places[..., 0], ORDER_MARGIN)
                if apart:
                    total = total + effects_error(places[..., 1:], group.effects)
        for read, stage in zip(self.maps, outputs, strict=False):
            grid = min(stage.shape[-1], group.specks.shape[-1])
            given = read(F.adaptive_avg_pool2d(stage, grid))
            wanted = F.adaptive_avg_pool2d(group.specks, grid)
            total = total + SPECKS_WEIGHT * level_error(given, wanted)
        return total

    def set_input_size(self, size: int) -> None:
        """Get ready for (size, size) pictures; convolutions take any."""

    def teach_readers(self, only: bool) -> None:
        """Choose whether the network stays as it is while the heads learn."""
        self.stages.requires_grad_(not only)

    def freeze_statistics(self, frozen: bool) -> None:
        """Choose whether all normalisations keep the statistics that they have."""
        self._statistics_are_frozen = frozen

    def train(self, mode: bool = True) -> Learner:
        """Switch to training; what is frozen stays in evaluation."""
        super().train(mode)
        if self._statistics_are_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def effects_error(places: Tensor, effects: Tensor) -> Tensor:
    """Error of the places by effect: a loss moves the one that it is of, and no other.

    One place for all losses asks for what grain and smoothness have in common; these ask for what
    tells them apart.

    Args:
        places: (L, K, E) of K rungs each, from the original to the worst.
        effects: (L,) number of the effect of each ladder.
    """
    number = torch.arange(len(effects), device=places.device)
    moved = ladder_error(places[number, :, effects], ORDER_MARGIN)
    others = torch.ones(places.shape[::2], dtype=torch.bool, device=places.device)
    others[number, effects] = False
    return moved + places.transpose(1, 2)[others].var(1, unbiased=False).mean()


def combination_error(logs: Tensor, combination: Tensor) -> Tensor:
    """Cross-entropy of the 27 combinations, and half as much of lambda alone, the hardest.

    Args:
        logs: (N, 27) logarithms of probabilities; quality varies fastest, lambda slowest.
        combination: (N,) numbers, or a negative one where there is none.
    """
    listed = combination >= 0
    if not listed.any():
        return logs.new_zeros(())
    logs, combination = logs[listed], combination[listed]
    per_lambda = logs.view(len(logs), 3, -1).logsumexp(2)
    exact = F.nll_loss(logs, combination)
    return exact + LAMBDA_WEIGHT * F.nll_loss(per_lambda, combination // 9)


def expected_score_error(logs: Tensor, combination: Tensor, means: Tensor) -> Tensor:
    """Error of the score that the probabilities promise, in Likert units.

    Args:
        logs: As in `combination_error`.
        combination: As in `combination_error`.
        means: (27,) mean score of each combination.
    """
    listed = combination >= 0
    if not listed.any():
        return logs.new_zeros(())
    return level_error(logs[listed].exp() @ means, means[combination[listed]])
