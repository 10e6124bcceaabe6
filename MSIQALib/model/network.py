"""MS-IQA: a multi-scale feature fusion network for PET/CT image quality (Li et al.)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from MSIQALib.model.backbones import ResNetStages, SwinStages
from MSIQALib.model.channel_groups import GroupedResNet
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.fusion import POOLED_SIZE, MultiScaleFusion
from MSIQALib.model.regressor import ScoreRegressor


@dataclass(frozen=True)
class Prediction:
    """What the network says of a batch of N images.

    Attributes:
        score: (N,), in the network's own units; the weights' file says how they map to Likert.
        S: (N,), the score branch (Eq. 7).
        W: (N,), the weight branch, 0..1 (Eq. 8).
        features: F1 to F4 (stage outputs, concatenated, before AGCA; a coarser branch's map is
            enlarged to the finer one's grid), F_W and F_S by name, each (N, C, H, W); empty unless
            asked for.
    """

    score: torch.Tensor
    S: torch.Tensor
    W: torch.Tensor
    features: dict[str, torch.Tensor]


class MSIQA(nn.Module):
    """The whole network.

    Args:
        config: Which variant to build.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        stages, pretrained = config.stages, config.pretrained
        self.resnet: ResNetStages | GroupedResNet | None = None
        if config.resnet:
            self.resnet = ResNetStages(stages=stages, pretrained=pretrained)
        self.swin: SwinStages | None = None
        if config.swin:
            self.swin = SwinStages(
                stages=stages,
                pretrained=pretrained,
                stride=config.swin_stride,
                size=config.swin_size,
            )
        self.fusion = MultiScaleFusion(config)
        self.regressor = ScoreRegressor(
            config,
            fw_channels=self.fusion.out_channels,
            fs_channels=self.fusion.last_channels,
        )

    def set_input_size(self, size: int) -> None:
        """Take (size, size) images from now on; no weight changes.

        At first it is 224, or so many times that where Swin reads every n-th pixel.

        Args:
            size: A multiple of 32, so that the last stage has whole cells; of as many times 32
                where Swin reads every n-th pixel. Where Swin has a size of its own, that stays.

        Raises:
            ValueError: It is none.
        """
        cell = self.config.cell
        if size <= 0 or size % cell:
            raise ValueError(f"The input's size must be a multiple of {cell}: {size}")
        if self.swin is not None:
            self.swin.set_input_size(size)

    def forward(self, image: torch.Tensor, *, features: bool = False) -> Prediction:
        """Score a batch of fused PET/CT slices.

        Args:
            image: (N, 3, H, W) of the size that was set, 224 at first, prepared by
                :class:`~MSIQALib.model.preprocessing.Preprocessing`.
            features: Also return the feature maps.

        Returns:
            The prediction, on the images' device.
        """
        branches = []
        if self.resnet is not None:
            # Where F_S is ResNet's own last stage, it is needed as it is.
            pooled = None if features or self.swin is None else POOLED_SIZE
            branches.append(self.resnet(image, pooled))
        if self.swin is not None:
            branches.append(self.swin(image))
        stages = list(zip(*branches, strict=True))
        fw_map, fs_map = self.fusion(stages, branches[-1][-1])
        score, S, W = self.regressor(fw_map, fs_map)
        maps: dict[str, torch.Tensor] = {}
        if features:
            maps = {f"F{i + 1}": _concatenated(stage) for i, stage in enumerate(stages)}
            maps |= {"F_W": fw_map, "F_S": fs_map}
        return Prediction(score, S, W, maps)


def _concatenated(branches: Sequence[torch.Tensor]) -> torch.Tensor:
    """F_i of the branches' maps of one stage, (N, C, H, W) each, on the finest of their grids."""
    grid = max(branch.shape[-2:] for branch in branches)
    fine = [
        b if b.shape[-2:] == grid else F.interpolate(b, grid, mode="bilinear") for b in branches
    ]
    return torch.cat(fine, 1)
