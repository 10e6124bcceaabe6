"""Multi-scale feature fusion, MSFFM: from stage outputs to F_W and F_S (section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from MSIQALib.model.agca import AGCA
from MSIQALib.model.config import ModelConfig

POOLED_SIZE = 7
"""Height and width of every F_i after its average pooling, those of the last stage."""


class MultiScaleFusion(nn.Module):
    """Reduces each F_i, applies AGCA to each, and concatenates them to F_W; likewise F_S.

    The average pooling comes before the 1x1 convolution, as in the paper. The released code has
    them the other way round; the two commute, and this order does a sixty-fourth of the work at
    the first stage.

    Args:
        config: Says which parts exist.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.enabled = config.fusion
        self.reduce = nn.ModuleList()
        self.attend = nn.ModuleList()
        if config.fusion:
            for channels in config.stage_channels:
                self.reduce.append(nn.Conv2d(channels, channels // 2, 1))
                self.attend.append(AGCA(channels // 2, config.agca_activation))
            self.attend_last = AGCA(config.last_stage_channels, config.agca_activation)
            self.out_channels = sum(channels // 2 for channels in config.stage_channels)
        else:
            self.out_channels = sum(config.stage_channels)
        self.last_channels = config.last_stage_channels

    def forward(
        self, stages: Sequence[Sequence[torch.Tensor]], last: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Fuse the stages of one batch.

        Args:
            stages: For each stage the branches' outputs, (N, C, H, W) each, which make up F_i by
                concatenation (Eq. 3). Pooled one by one, so that F_i itself need not be built.
            last: The last stage of Swin (of ResNet where there is no Swin): (N, C, H, W).

        Returns:
            F_W of shape (N, out_channels, 7, 7) and F_S of the shape of ``last``.
        """
        pooled = [
            torch.cat([F.adaptive_avg_pool2d(branch, POOLED_SIZE) for branch in stage], 1)
            for stage in stages
        ]
        if not self.enabled:
            return torch.cat(pooled, 1), last
        attended = [
            attend(reduce(stage))
            for stage, reduce, attend in zip(pooled, self.reduce, self.attend, strict=True)
        ]
        return torch.cat(attended, 1), self.attend_last(last)
