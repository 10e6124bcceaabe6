"""The released implementation's way through the network, as the yardstick for speed.

Written from the description of what the authors' published code does: ResNet-50 runs twice for
each batch (the first output is thrown away), each 1x1 convolution comes before its pooling, and
the two heads take one image at a time. Weights and results are this project's network's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from MSIQALib.model.agca import AGCA
from MSIQALib.model.fusion import POOLED_SIZE
from MSIQALib.model.network import MSIQA


class ReleasedBaseline(nn.Module):
    """Computes what :class:`MSIQA` computes, in the released code's order.

    Args:
        network: A full network (all modules, four stages) in eval mode.
    """

    def __init__(self, network: MSIQA) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Scores (N,) of images as the network takes them, S alone as the released code has it."""
        resnet, swin = self.network.resnet, self.network.swin
        assert resnet is not None
        assert swin is not None
        resnet(image)
        swin_stages = [stage.contiguous() for stage in swin(image)]
        fine = resnet(image)
        # Where Swin's maps are coarser, repeated cells have the same averages.
        coarse = [
            F.interpolate(stage, like.shape[-2:])
            for stage, like in zip(swin_stages, fine, strict=True)
        ]
        stages = [torch.cat(maps, 1) for maps in zip(fine, coarse, strict=True)]
        fusion = self.network.fusion
        attended = []
        for stage, reduce, attend in zip(stages, fusion.reduce, fusion.attend, strict=True):
            reduced = F.adaptive_avg_pool2d(reduce(stage), POOLED_SIZE)
            attended.append(attend_by_matrix(attend, reduced))
        fw_map = torch.cat(attended, 1)
        fs_map = attend_by_matrix(fusion.attend_last, swin_stages[-1])
        return torch.cat(
            [self._head(fw_map[i : i + 1], fs_map[i : i + 1]) for i in range(len(image))]
        )

    def _head(self, fw_map: torch.Tensor, fs_map: torch.Tensor) -> torch.Tensor:
        _, S, W = self.network.regressor(fw_map, fs_map)
        return (S * W) / W


def attend_by_matrix(agca: AGCA, x: torch.Tensor) -> torch.Tensor:
    """AGCA with the C' x C' matrices built for every image."""
    vertices = agca.to_vertices(F.adaptive_avg_pool2d(x, 1)).flatten(1)[:, None]
    attention = (agca.self_scale * vertices).softmax(-1)
    count = vertices.shape[-1]
    matrix = torch.eye(count) * attention.repeat(1, count, 1) + agca.adjacency
    mixed = torch.relu(agca.graph_scale * (vertices @ matrix)).transpose(1, 2)[..., None]
    return x * agca.to_channels(mixed).sigmoid()
