"""The released implementation's way through the network, as the yardstick for speed.

Written from the description of what the authors' published code does: ResNet-50 runs twice for
each batch (the first output is thrown away), each 1x1 convolution comes before its pooling, and
the two heads take one image at a time. Weights and results are this project's network's.
"""

from __future__ import annotations

from collections.abc import Sequence

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

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """S and W, (N,) each, of images as the network takes them.

        S by way of S * W / W, as the released code has it.
        """
        resnet, swin = self.network.resnet, self.network.swin
        assert resnet is not None
        assert swin is not None
        resnet(image)
        swin_stages = [stage.contiguous() for stage in swin(image)]
        fine = resnet(image)
        fusion = self.network.fusion
        attended = []
        for maps, reduce, attend in zip(
            zip(fine, swin_stages, strict=True), fusion.reduce, fusion.attend, strict=True
        ):
            attended.append(attend_by_matrix(attend, reduce_and_pool(maps, reduce)))
        fw_map = torch.cat(attended, 1)
        fs_map = attend_by_matrix(fusion.attend_last, swin_stages[-1])
        heads = [self._head(fw_map[i : i + 1], fs_map[i : i + 1]) for i in range(len(image))]
        S, W = (torch.cat(column) for column in zip(*heads, strict=True))
        return S, W

    def _head(
        self, fw_map: torch.Tensor, fs_map: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        _, S, W = self.network.regressor(fw_map, fs_map)
        return (S * W) / W, W


def reduce_and_pool(maps: Sequence[torch.Tensor], reduce: nn.Conv2d) -> torch.Tensor:
    """Apply a 1x1 convolution to the branches' maps of a stage, and pool to 7 x 7 after it.

    Maps of different grids cannot be concatenated; each is then convolved and pooled on its own.
    """
    if len({tuple(m.shape[-2:]) for m in maps}) == 1:
        return F.adaptive_avg_pool2d(reduce(torch.cat(list(maps), 1)), POOLED_SIZE)
    weights = reduce.weight.split([m.shape[1] for m in maps], 1)
    parts = [
        F.adaptive_avg_pool2d(F.conv2d(m, weight), POOLED_SIZE)
        for m, weight in zip(maps, weights, strict=True)
    ]
    assert reduce.bias is not None
    return torch.stack(parts).sum(0) + reduce.bias[:, None, None]


def attend_by_matrix(agca: AGCA, x: torch.Tensor) -> torch.Tensor:
    """AGCA with the C' x C' matrices built for every image."""
    vertices = agca.to_vertices(F.adaptive_avg_pool2d(x, 1)).flatten(1)[:, None]
    attention = (agca.self_scale * vertices).softmax(-1)
    count = vertices.shape[-1]
    matrix = torch.eye(count) * attention.repeat(1, count, 1) + agca.adjacency
    mixed = torch.relu(agca.graph_scale * (vertices @ matrix)).transpose(1, 2)[..., None]
    return x * agca.to_channels(mixed).sigmoid()
