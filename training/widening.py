"""Lays narrow ResNets side by side, so that together they are one ResNet-50.

Stem and first stage are shared. From the second stage on each part has channels of its own, and
the weights from one part's channels to another's are zero: in one pass the wide network computes
what the parts compute one by one. Channels that are left over stay at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.config import RESNET_CHANNELS

State = Mapping[str, Tensor]

STEM = 64
"""Channels of a ResNet-50's first convolution."""

SHARED = ("conv1.", "bn1.", "layer1.")
"""How the keys begin of what all parts have in common."""


READS_SHARED = {"layer2.0.conv1.weight", "layer2.0.downsample.0.weight"}
"""Weights of a part's own channels whose inputs are the shared first stage."""


def side_by_side(parts: Sequence[State]) -> dict[str, Tensor]:
    """Build the state of a ResNetStages from those of NarrowResNets.

    Args:
        parts: States with the same stem and first stage.

    Raises:
        ValueError: The parts differ in what they share, or do not fit side by side.
    """
    wide = ResNetStages(stages=4, pretrained=False).state_dict()
    for key, target in wide.items():
        own = [part[key] for part in parts]
        if target.ndim == 0:
            target.copy_(own[0])
            continue
        target.fill_(1.0 if key.endswith("running_var") else 0.0)
        if key.startswith(SHARED):
            if not all(torch.equal(own[0], other) for other in own):
                raise ValueError(f"the parts differ in {key}, which they should share")
            own = own[:1]
        reads_shared = key in READS_SHARED
        row = column = 0
        for tensor in own:
            rows = slice(row, row + tensor.shape[0])
            columns = slice(column, column + tensor.shape[1]) if tensor.ndim > 1 else None
            if rows.stop > target.shape[0] or (columns and columns.stop > target.shape[1]):
                raise ValueError(f"{len(own)} parts are too wide for {key}: {tuple(target.shape)}")
            if columns is None:
                target[rows] = tensor
            else:
                target[rows, columns] = tensor
                column += 0 if reads_shared else tensor.shape[1]
            row += tensor.shape[0]
    return wide


def parts_that_fit(stem: int, widths: Sequence[int]) -> int:
    """Say how many parts find room side by side in a ResNet-50.

    Args:
        stem: Channels of a part's first convolution, shared by all.
        widths: Channels that each stage of a part gives; the first stage is shared.

    Returns:
        0 where not even one does.
    """
    if stem > STEM or widths[0] > RESNET_CHANNELS[0]:
        return 0
    own = zip(RESNET_CHANNELS[1:], widths[1:], strict=True)
    return min(channels // width for channels, width in own)


def cut_out(wide: State, part: State, number: int) -> dict[str, Tensor]:
    """Take one part out of a wide network again.

    Args:
        wide: State that `side_by_side` has built.
        part: State of a NarrowResNet as wide as the parts; only its shapes matter.
        number: Of the part.

    Raises:
        ValueError: The wide network has no such part: it is too narrow, or other channels than the
            part's own take part in it.
    """
    state = {}
    for key, like in part.items():
        source = wide[key]
        shared = key.startswith(SHARED)
        firsts = [0 if shared else number * n for n in like.shape[:2]]
        if key in READS_SHARED:
            firsts[1] = 0
        if any(f + n > m for f, n, m in zip(firsts, like.shape, source.shape, strict=False)):
            raise ValueError(f"there is no part {number} in {key}: {tuple(source.shape)}")
        chosen = tuple(slice(f, f + n) for f, n in zip(firsts, like.shape, strict=False))
        state[key] = source[chosen].clone()
        if len(chosen) > 1:
            others = source[chosen[0]].clone()
            others[:, chosen[1]] = 0
            if others.any():
                raise ValueError(f"part {number} of {key} reads channels that are not its own")
    return state


def channels_of(part: int, widths: Sequence[int]) -> list[Tensor]:
    """Say which channels of each stage of the wide network one part has.

    Args:
        part: Its number.
        widths: Channels that each stage of a part gives.

    Returns:
        For each stage a (C,) mask; the first stage's is the same for all parts.
    """
    masks = []
    for stage, (width, channels) in enumerate(zip(widths, RESNET_CHANNELS, strict=True)):
        mask = torch.zeros(channels, dtype=torch.bool)
        first = part * width if stage else 0
        mask[first : first + width] = True
        masks.append(mask)
    return masks
