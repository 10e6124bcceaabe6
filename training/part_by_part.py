"""Computes a ResNet-50 that is made of narrow ones part by part: the same stages in less time.

Side by side (`training.widening`), most weights of the wide network are zeros, which it multiplies
all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from MSIQALib.model.config import RESNET_CHANNELS
from training.narrow import EXPANSION, NarrowResNet
from training.widening import State, channels_of, cut_out


class PartByPart(nn.Module):
    """What a ResNetStages computes that `side_by_side` has built.

    Args:
        wide: Its state.
        count: Parts that it is made of.
        stem: Channels of a part's first convolution.
        widths: Channels of the 3x3 convolutions in each stage of a part.
        own_first: As of `NarrowResNet`.

    Raises:
        ValueError: It is not made of such parts.
    """

    def __init__(
        self,
        wide: State,
        count: int,
        stem: int,
        widths: tuple[int, int, int, int],
        own_first: int = 0,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        for number in range(count):
            part = NarrowResNet(stem, widths, own_first)
            part.load_state_dict(cut_out(wide, part.state_dict(), number))
            self.parts.append(part)
        given = [EXPANSION * width for width in widths]
        own = EXPANSION * own_first
        self._places = [channels_of(number, given, own) for number in range(count)]
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Stage outputs as of `ResNetStages.forward`; channels of no part are 0."""
        parts: Sequence[Any] = list(self.parts)
        shared = parts[0].shared(image)
        outputs = [part.later(shared) for part in parts]
        stages = []
        for stage, channels in enumerate(RESNET_CHANNELS):
            like = outputs[0][stage]
            wide = like.new_zeros((len(like), channels, *like.shape[2:]))
            for places, output in zip(self._places, outputs, strict=True):
                wide[:, places[stage]] = output[stage]
            stages.append(wide)
        return stages
