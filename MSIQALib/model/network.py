"""MS-IQA: a multi-scale feature fusion network for PET/CT image quality (Li et al.)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from MSIQALib.model.backbones import ResNetStages, SwinStages
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.fusion import MultiScaleFusion
from MSIQALib.model.regressor import ScoreRegressor


@dataclass(frozen=True)
class Prediction:
    """What the network says of a batch of N images.

    Attributes:
        score: (N,), in the network's own units; the weights' file says how they map to Likert.
        S: (N,), the score branch (Eq. 7).
        W: (N,), the weight branch, 0..1 (Eq. 8).
        features: F1 to F4 (stage outputs, concatenated, before AGCA), F_W and F_S by name, each
            (N, C, H, W); empty unless asked for.
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
        self.resnet = ResNetStages(stages=stages, pretrained=pretrained) if config.resnet else None
        self.swin = SwinStages(stages=stages, pretrained=pretrained) if config.swin else None
        self.fusion = MultiScaleFusion(config)
        self.regressor = ScoreRegressor(
            config,
            fw_channels=self.fusion.out_channels,
            fs_channels=self.fusion.last_channels,
        )

    def forward(self, image: torch.Tensor, *, features: bool = False) -> Prediction:
        """Score a batch of fused PET/CT slices.

        Args:
            image: (N, 3, 224, 224), prepared by
                :class:`~MSIQALib.model.preprocessing.Preprocessing`.
            features: Also return the feature maps.

        Returns:
            The prediction, on the images' device.
        """
        branches = [branch(image) for branch in (self.resnet, self.swin) if branch is not None]
        stages = list(zip(*branches, strict=True))
        fw_map, fs_map = self.fusion(stages, branches[-1][-1])
        score, S, W = self.regressor(fw_map, fs_map)
        maps: dict[str, torch.Tensor] = {}
        if features:
            maps = {f"F{i + 1}": torch.cat(stage, 1) for i, stage in enumerate(stages)}
            maps |= {"F_W": fw_map, "F_S": fs_map}
        return Prediction(score, S, W, maps)
