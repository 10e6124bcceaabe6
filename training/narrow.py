"""Narrow ResNet-50s: the same blocks with fewer channels, and heads that read the distortions.

A narrow network costs a tenth of the whole one, so that it sees ten times the pictures in the same
time. Several of them side by side fill a ResNet-50 (`training.widening`).
"""

from __future__ import annotations

from typing import Any

import timm.models.resnet
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.datasets.distorted import LEVEL_TARGETS
from training.datasets.groups import Group
from training.distortions import COMBINATIONS
from training.initial_filters import see_noise_resnet
from training.levels import level_error
from training.losses import ladder_error

EXPANSION = 4
"""Channels that a stage gives for each channel of its 3x3 convolutions."""

DEPTHS = (3, 4, 6, 3)
"""Blocks of each stage of a ResNet-50."""

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


class NarrowResNet(nn.Module):
    """A ResNet-50 with fewer channels, without its classifier.

    Args:
        stem: Channels of the first convolution, at least 28 for all point filters.
        widths: Channels of the 3x3 convolutions in each stage.
    """

    def __init__(self, stem: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        source: Any = timm.models.resnet.ResNet(
            timm.models.resnet.Bottleneck, DEPTHS, num_classes=0, channels=widths
        )
        self.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(stem)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2 = source.layer1, source.layer2
        self.layer3, self.layer4 = source.layer3, source.layer4
        wide = EXPANSION * widths[0]
        first: Any = self.layer1[0]
        first.conv1 = nn.Conv2d(stem, widths[0], 1, bias=False)
        # timm leaves this out where stem and stage happen to have as many channels.
        first.downsample = nn.Sequential(nn.Conv2d(stem, wide, 1, bias=False), nn.BatchNorm2d(wide))
        see_noise_resnet(self.conv1, points=1.0)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the four stages: (N, 4 w_i, S / 4, S / 4) and halves of it."""
        return self.later(self.first(image))

    def first(self, image: Tensor) -> Tensor:
        """Output of the first stage, which all parts of a wide network share."""
        first: Tensor = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(image)))))
        return first

    def later(self, first: Tensor) -> list[Tensor]:
        """Outputs of all four stages, from that of the first."""
        outputs = [first]
        for layer in (self.layer2, self.layer3, self.layer4):
            outputs.append(layer(outputs[-1]))
        return outputs


class LevelReader(nn.Module):
    """Reads combination, levels and the place on a ladder from one stage.

    Args:
        channels: Of the stage.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.cells = nn.Conv2d(channels, HIDDEN, 1)
        self.out = nn.Linear(2 * HIDDEN, len(COMBINATIONS) + LEVEL_TARGETS + 1)

    def forward(self, stage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give (N, 27) logarithms of the combinations' probabilities, (N, 3) levels, (N,) place."""
        grid = min(CELLS, stage.shape[-1])
        pooled = self.norm(F.adaptive_avg_pool2d(stage, grid))
        cells = F.gelu(self.cells(F.adaptive_avg_pool2d(pooled, min(AREAS, grid))))
        out = self.out(torch.cat((cells.mean((2, 3)), cells.amax((2, 3))), 1))
        logs = out[:, : len(COMBINATIONS)].log_softmax(1)
        return logs, out[:, len(COMBINATIONS) : -1], out[:, -1]


class NarrowLearner(nn.Module):
    """A narrow ResNet with a reader at every stage and a map of specks at the first three.

    Args:
        stem: As in `NarrowResNet`.
        widths: As in `NarrowResNet`.
        means: (27,) mean score of each combination, so that those are told apart best that people
            score most differently; None where no score may take part.
    """

    means: Tensor | None

    def __init__(
        self, stem: int, widths: tuple[int, int, int, int], means: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("means", means, persistent=False)
        self.first_is_frozen = False
        self._statistics_are_frozen = False
        self.stages = NarrowResNet(stem, widths)
        channels = [EXPANSION * w for w in widths]
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

    def loss(self, images: Tensor, group: Group, *, bf16: bool = False) -> Tensor:
        """Sum over the stages of the errors in combination, lambda, levels, order and specks.

        Args:
            images: (N, 3, S, S) float, normalised.
            group: What was done to them.
            bf16: Let the stages compute in 16 bits. Averages over them, which carry the cue, and
                all that comes after stay in 32.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            outputs = [stage.float() for stage in self.stages(images)]
        total = images.new_zeros(())
        for reader, stage in zip(self.readers, outputs, strict=True):
            logs, levels, place = reader(stage)
            total = total + combination_error(logs, group.combination)
            if self.means is not None:
                error = expected_score_error(logs, group.combination, self.means)
                total = total + SCORE_WEIGHT * error
            known = ~group.levels[:, 0].isnan()
            if known.any():
                total = total + LEVELS_WEIGHT * level_error(levels[known], group.levels[known])
            if len(group.ladders):
                total = total + ladder_error(place[group.ladders], ORDER_MARGIN)
        for read, stage in zip(self.maps, outputs, strict=False):
            grid = min(stage.shape[-1], group.specks.shape[-1])
            given = read(F.adaptive_avg_pool2d(stage, grid))
            wanted = F.adaptive_avg_pool2d(group.specks, grid)
            total = total + SPECKS_WEIGHT * level_error(given, wanted)
        return total

    def teach_readers(self, only: bool) -> None:
        """Choose whether the network stays as it is while the heads learn.

        What `freeze_first` has frozen stays so.
        """
        self.stages.requires_grad_(not only)
        if self.first_is_frozen:
            self.freeze_first()

    def freeze_first(self) -> None:
        """Keep stem and first stage as they are, their statistics too; undone by nothing."""
        self.first_is_frozen = True
        for module in (self.stages.conv1, self.stages.bn1, self.stages.layer1):
            module.requires_grad_(False)

    def freeze_statistics(self, frozen: bool) -> None:
        """Choose whether all normalisations keep the statistics that they have."""
        self._statistics_are_frozen = frozen

    def train(self, mode: bool = True) -> NarrowLearner:
        """Switch to training; what is frozen stays in evaluation."""
        super().train(mode)
        if self._statistics_are_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        for module in (self.stages.bn1, self.stages.layer1):
            if not any(p.requires_grad for p in module.parameters()):
                module.eval()
        return self


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
