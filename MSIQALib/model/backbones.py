"""The two feature extractors: ResNet-50 and Swin-T, both from timm (Eq. 1 and 2)."""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import nn

RESNET_NAME = "resnet50"
SWIN_NAME = "swin_tiny_patch4_window7_224"
FIRST_SIZE = 224
"""Height and width of the images that a network sees until it is told otherwise."""

WINDOW = 7
"""Rows and columns of Swin-T's windows, in cells."""


class ResNetStages(nn.Module):
    """ResNet-50 without its classifier; gives the output of each stage.

    Parameter names are timm's (and torchvision's): ``conv1``, ``bn1``, ``layer1`` to ``layer4``.

    Args:
        stages: How many stages to build, 1 to 4.
        pretrained: Start from timm's ImageNet weights.
    """

    def __init__(self, *, stages: int, pretrained: bool) -> None:
        super().__init__()
        source: Any = timm.create_model(RESNET_NAME, pretrained=pretrained)
        self.conv1 = source.conv1
        self.bn1 = source.bn1
        self.act1 = source.act1
        self.maxpool = source.maxpool
        self.stage_names = tuple(f"layer{i + 1}" for i in range(stages))
        for name in self.stage_names:
            self.add_module(name, source.get_submodule(name))

    def forward(self, image: torch.Tensor, pooled: int | None = None) -> list[torch.Tensor]:
        """Stage outputs for images of shape (N, 3, 224, 224).

        Args:
            image: The images.
            pooled: Height and width to which to average the outputs; None for as they are.

        Returns:
            (N, 256, 56, 56), (N, 512, 28, 28), (N, 1024, 14, 14), (N, 2048, 7, 7), as many as
            there are stages.
        """
        x = self.maxpool(self.act1(self.bn1(self.conv1(image))))
        outputs = []
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
            outputs.append(x if pooled is None else F.adaptive_avg_pool2d(x, pooled))
        return outputs


class SwinStages(nn.Module):
    """Swin-T without final norm and classifier; gives the output of each stage.

    Parameter names are timm's (>= 0.9): ``patch_embed`` and ``layers.0`` to ``layers.3``, where
    each layer but the first begins with the downsampling.

    Args:
        stages: How many stages to build, 1 to 4.
        pretrained: Start from timm's ImageNet weights.
        stride: Read every n-th row and column of the images alone.
        size: Height and width to which the images are resized first; 0 for as they are.

    Raises:
        ValueError: There is a size, and a stride beside it.
    """

    def __init__(self, *, stages: int, pretrained: bool, stride: int = 1, size: int = 0) -> None:
        super().__init__()
        if size and stride != 1:
            raise ValueError(f"either a size or a stride, not {size} and {stride}")
        self.stride, self.size = stride, size
        self._resizing: torch.Tensor | None
        self.register_buffer("_resizing", None, persistent=False)
        source: Any = timm.create_model(SWIN_NAME, pretrained=pretrained)
        self.patch_embed = source.patch_embed
        self.layers = nn.ModuleList(source.layers[i] for i in range(stages))
        if size:
            self.set_input_size(FIRST_SIZE)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Stage outputs for images of shape (N, 3, 224, 224).

        Returns:
            (N, 96, 56, 56), (N, 192, 28, 28), (N, 384, 14, 14), (N, 768, 7, 7), as many as there
            are stages. They are views of timm's channels-last maps.
        """
        x = self.embed(image)
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x.permute(0, 3, 1, 2))
        return outputs

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        """What the first stage begins with, (N, 56, 56, 96)."""
        seen = image[..., :: self.stride, :: self.stride]
        if self._resizing is not None:
            # As matrices, which all devices multiply alike; bicubic kernels they do not all have.
            seen = self._resizing @ seen @ self._resizing.T
        embedded: torch.Tensor = self.patch_embed(seen)
        return embedded

    def set_input_size(self, size: int) -> None:
        """Take (size, size) images from now on; the windows of 7 x 7 stay as they are.

        Stages smaller than a window are padded to one. Where it reads 224 rows and columns it is
        timm's own network again. Where it resizes them, what it resizes to stays.

        Args:
            size: Height and width of the images.

        Raises:
            ValueError: It is no multiple of the stride.
        """
        if size % self.stride:
            raise ValueError(f"The images' size must be a multiple of {self.stride}: {size}")
        size //= self.stride
        self._resizing = None
        if self.size and self.size != size:
            like = next(self.parameters())
            self._resizing = _bicubic(size, self.size).to(like.device, like.dtype)
        size = self.size or size
        embed: Any = self.patch_embed
        embed.set_input_size(img_size=(size, size))
        grid = size // embed.patch_size[0]
        for index, layer in enumerate(self.layers):
            # A stage's downsampling comes first, so it is told the size of the stage before.
            feature = grid if index == 0 else -(-grid // 2 ** (index - 1))
            own = grid if index == 0 else (feature + 1) // 2
            timm_layer: Any = layer
            timm_layer.set_input_size(
                (feature, feature), (WINDOW, WINDOW), always_partition=own < WINDOW
            )


def _bicubic(size: int, wanted: int) -> torch.Tensor:
    """Matrix that resizes one side as the preprocessing does, without antialiasing."""
    each = torch.eye(size)[None, None]
    return F.interpolate(each, (wanted, size), mode="bicubic", align_corners=False)[0, 0]
