"""What the regressor gets of stored features: f_w and f_s, through a network's fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.network import MSIQA
from MSIQALib.model.regressor import MAX_LENGTH
from training.stored_features import StoredFeatures


class FusedVectors(nn.Module):
    """The fusion of a network, and f_w and f_s as its regressor pools them.

    Args:
        network: Its fusion is used as it is, not copied.
    """

    def __init__(self, network: MSIQA) -> None:
        super().__init__()
        self.network = network

    def forward(self, stages: Sequence[Tensor], last: Tensor) -> tuple[Tensor, Tensor]:
        """Give f_w (N, 768) and f_s (N, 768)."""
        fw_map, fs_map = self.network.fusion([(stage,) for stage in stages], last)
        fw = F.adaptive_max_pool1d(fw_map.amax((2, 3)), MAX_LENGTH)
        average = self.network.config.fs_pooling == "average"
        return fw, fs_map.mean((2, 3)) if average else fs_map.amax((2, 3))


def fused(network: MSIQA, features: StoredFeatures) -> tuple[Tensor, Tensor]:
    """Compute f_w and f_s of all pictures with the fusion as it is."""
    vectors = FusedVectors(network).eval()
    pairs = []
    with torch.inference_mode():
        for chosen in torch.arange(len(features)).split(64):
            stages = [s[chosen].float() for s in features.stages]
            pairs.append(vectors(stages, features.last[chosen].float()))
    fw, fs = zip(*pairs, strict=True)
    return torch.cat(fw).clone(), torch.cat(fs).clone()
