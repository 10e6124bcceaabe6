"""Teaching a backbone to name the distortions' strengths, before it learns any score.

The score alone gives a network that starts from random weights next to no gradient. The strengths
of the three distortions, and a map of where the picture was damaged, do; each stage gets both, so
that the early ones need not wait for the late ones. All heads are dropped afterwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.datasets.distorted import LEVEL_TARGETS

HIDDEN = 64
CELLS = 4
DAMAGE_TARGETS = 2


class StageHead(nn.Module):
    """Reads levels and damage from one stage's output.

    Args:
        channels: Of the stage.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.cells = nn.Conv2d(channels, HIDDEN, 1)
        self.levels = nn.Linear(2 * HIDDEN, LEVEL_TARGETS)
        self.damage = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 1), nn.GELU(), nn.Conv2d(HIDDEN, DAMAGE_TARGETS, 1)
        )

    def forward(self, stage: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """Read one stage.

        Args:
            stage: (N, C, H, W).
            grid: Finest grid of the damage map; coarser where the stage is.

        Returns:
            (N, 3) levels and (N, 2, g, g) damage.
        """
        g = min(grid, stage.shape[-1])
        pooled = self.norm(F.adaptive_avg_pool2d(stage, g))
        cells = F.gelu(self.cells(F.adaptive_avg_pool2d(pooled, CELLS)))
        levels = self.levels(torch.cat((cells.mean((2, 3)), cells.amax((2, 3))), 1))
        return levels, self.damage(pooled)


class StageHeads(nn.ModuleList):
    """One head for each stage of a backbone.

    Args:
        channels: Of each stage.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__(StageHead(c) for c in channels)

    def loss(
        self, stages: list[Tensor], levels: Tensor, damage: Tensor, *, speck_weight: float = 1.0
    ) -> Tensor:
        """Mean over the stages of the error in levels plus the error in damage.

        Args:
            stages: Outputs of the first stages, as many as take part.
            levels: (N, 3) wanted levels, the specks first.
            damage: (N, 2, G, G) wanted damage, the specks first.
            speck_weight: Weight of the specks against the other levels and the other damage.
        """
        total = levels.new_zeros(())
        for head, stage in zip(self, stages, strict=False):
            given, mapped = head(stage, damage.shape[-1])
            wanted = F.adaptive_avg_pool2d(damage, mapped.shape[-1])
            total = total + weighted_error(given, levels, speck_weight)
            total = total + weighted_error(mapped, wanted, speck_weight)
        return total / len(stages)


def level_error(given: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1: squared for small errors, linear for strengths far beyond the data set's."""
    return F.smooth_l1_loss(given, wanted, beta=0.2)


def weighted_error(given: Tensor, wanted: Tensor, first: float) -> Tensor:
    """Error over the columns of (N, C, ...), the first of them weighted against the others.

    The weights' mean is 1, so that only their ratio matters.
    """
    columns = given.shape[1]
    errors = torch.stack([level_error(given[:, i], wanted[:, i]) for i in range(columns)])
    weights = errors.new_tensor([first] + [1.0] * (columns - 1))
    return (errors * weights).sum() / weights.sum()
