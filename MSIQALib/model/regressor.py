"""Score regressor, SRM: from F_W and F_S to S, W and the score (section 2.4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from MSIQALib.model.config import ModelConfig

MAX_LENGTH = 768
"""Length to which f_w is max-pooled where F_W has more channels than that."""

HIDDEN = 384


class ScoreRegressor(nn.Module):
    """Two branches: S from f_s (Eq. 7) and W from f_w (Eq. 8); the score by Eq. 9 or S alone.

    Args:
        config: Says which score, which pooling and whether there are two branches at all.
        fw_channels: Channels of F_W.
        fs_channels: Channels of F_S.
    """

    def __init__(self, config: ModelConfig, *, fw_channels: int, fs_channels: int) -> None:
        super().__init__()
        self.rule = config.score
        self.fs_pooling = config.fs_pooling
        self.two_branches = config.regressor
        fw_length, fs_length = min(fw_channels, MAX_LENGTH), min(fs_channels, MAX_LENGTH)
        if config.regressor:
            self.score_branch = _branch(fs_length, config.dropout)
            self.weight_branch = _branch(fw_length, config.dropout)
        else:
            self.linear = nn.Linear(fw_length + fs_length, 1)

    def forward(
        self, fw_map: torch.Tensor, fs_map: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Regress one batch.

        Args:
            fw_map: F_W, (N, C, H, W).
            fs_map: F_S, (N, C, H, W).

        Returns:
            Score, S and W, each (N,). Without the two branches S is the score and W is 1.
        """
        fw = _shorten(F.adaptive_max_pool2d(fw_map, 1).flatten(1))
        pool = F.adaptive_avg_pool2d if self.fs_pooling == "average" else F.adaptive_max_pool2d
        fs = _shorten(pool(fs_map, 1).flatten(1))
        if not self.two_branches:
            score = self.linear(torch.cat((fw, fs), 1)).squeeze(1)
            return score, score, torch.ones_like(score)
        S = F.leaky_relu(self.score_branch(fs)).squeeze(1)
        W = self.weight_branch(fw).sigmoid().squeeze(1)
        return (S * W if self.rule == "paper" else S), S, W


def _branch(length: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(length, HIDDEN), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(HIDDEN, 1)
    )


def _shorten(vector: torch.Tensor) -> torch.Tensor:
    if vector.shape[1] <= MAX_LENGTH:
        return vector
    return F.adaptive_max_pool1d(vector, MAX_LENGTH)
