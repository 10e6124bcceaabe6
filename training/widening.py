"""Lays narrow ResNets side by side, so that together they are one ResNet-50.

Stem and first stage are shared. From the second stage on each part has channels of its own, in the
first one it may have some beside those that are shared. The weights from one part's channels to
another's are zero: in one pass the wide network computes what the parts compute one by one.
Channels that are left over stay at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.config import RESNET_CHANNELS

State = Mapping[str, Tensor]

STEM = 64
"""Channels of a ResNet-50's first convolution."""

SHARED = ("conv1.", "bn1.", "layer1.")
"""How the keys begin of what all parts have in common."""

OWN, FIRST = "own.", "layer1."
"""How the keys begin of a part's own channels in the first stage, and of that stage."""

READS_SHARED = {"layer2.0.conv1.weight", "layer2.0.downsample.0.weight"}
"""Weights of a part's own channels whose inputs are the first stage."""


@dataclass(frozen=True)
class _Place:
    """Where a tensor of a part lies in the wide network."""

    key: str
    rows: Tensor
    columns: Tensor | None

    def of(self, source: Tensor) -> Tensor:
        """Take the tensor out of the wide one."""
        rows = source[self.rows]
        return rows if self.columns is None else rows[:, self.columns]

    def fits(self, target: Tensor) -> bool:
        """Whether the wide tensor is large enough."""
        columns = self.columns is None or int(self.columns.max()) < target.shape[1]
        return int(self.rows.max()) < target.shape[0] and columns


def _place(key: str, part: State, number: int) -> _Place:
    """Say where a tensor that is no scalar lies, from a part's state and number."""
    tensor = part[key]
    height = tensor.shape[0]
    width = tensor.shape[1] if tensor.ndim > 1 else 0
    middle, shared = _widths(part, FIRST)
    own_middle, own = _widths(part, OWN)
    # Beside what all parts share, each part's own channels follow in order.
    in_middle = middle + number * own_middle + torch.arange(own_middle)
    in_first = torch.cat((torch.arange(shared), shared + number * own + torch.arange(own)))
    if key.startswith(SHARED):
        rows, columns = torch.arange(height), torch.arange(width)
    elif key.startswith(OWN):
        rows = in_middle if height == own_middle else in_first[shared:]
        columns = torch.arange(width) if key.startswith(f"{OWN}0.") else in_first
        if key.endswith(("conv2.weight", "conv3.weight")):
            columns = in_middle
    else:
        rows = number * height + torch.arange(height)
        columns = in_first if key in READS_SHARED else number * width + torch.arange(width)
    return _Place(_wide_key(key), rows, columns if width else None)


def _wide_key(key: str) -> str:
    """Name the tensor of the wide network that holds one of a part's."""
    return FIRST + key.removeprefix(OWN) if key.startswith(OWN) else key


def _widths(part: State, stage: str) -> tuple[int, int]:
    """Channels of the 3x3 convolutions of a stage, and those that it gives."""
    first, last = part.get(f"{stage}0.conv1.weight"), part.get(f"{stage}0.conv3.weight")
    return (0 if first is None else first.shape[0]), (0 if last is None else last.shape[0])


def side_by_side(parts: Sequence[State]) -> dict[str, Tensor]:
    """Build the state of a ResNetStages from those of NarrowResNets.

    Args:
        parts: States with the same stem and first stage, but for the channels of their own.

    Raises:
        ValueError: The parts differ in what they share, or do not fit side by side.
    """
    wide = ResNetStages(stages=4, pretrained=False).state_dict()
    for key, target in wide.items():
        if target.ndim == 0:
            target.copy_(parts[0][key])
        else:
            target.fill_(1.0 if key.endswith("running_var") else 0.0)
    for number, part in enumerate(parts):
        for key, tensor in part.items():
            if tensor.ndim == 0:
                continue
            if key.startswith(SHARED) and not torch.equal(parts[0][key], tensor):
                raise ValueError(f"the parts differ in {key}, which they should share")
            place = _place(key, part, number)
            target = wide[place.key]
            if not place.fits(target):
                raise ValueError(
                    f"{len(parts)} parts are too wide for {key}: {tuple(target.shape)}"
                )
            if place.columns is None:
                target[place.rows] = tensor
            else:
                target[place.rows[:, None], place.columns] = tensor
    return wide


def parts_that_fit(stem: int, widths: Sequence[int], own_first: int = 0) -> int:
    """Say how many parts find room side by side in a ResNet-50.

    Args:
        stem: Channels of a part's first convolution, shared by all.
        widths: Channels that each stage of a part gives; the first stage is shared.
        own_first: Channels that it gives in the first stage beside these.

    Returns:
        0 where not even one does.
    """
    if stem > STEM or widths[0] > RESNET_CHANNELS[0]:
        return 0
    room = list(zip(RESNET_CHANNELS[1:], widths[1:], strict=True))
    if own_first:
        room.append((RESNET_CHANNELS[0] - widths[0], own_first))
    return min(channels // width for channels, width in room)


def cut_out(wide: State, part: State, number: int) -> dict[str, Tensor]:
    """Take one part out of a wide network again.

    Args:
        wide: State that `side_by_side` has built.
        part: State of a NarrowResNet as wide as the parts. Only its shapes matter, but where the
            wide network has no channels of the part's own in the first stage, these are taken from
            here, and nothing reads them.
        number: Of the part.

    Raises:
        ValueError: The wide network has no such part: it is too narrow, or other channels than the
            part's own take part in it.
    """
    state = {}
    fresh = _lacks_own(wide, part, number)
    for key, like in part.items():
        if like.ndim == 0:
            state[key] = wide[_wide_key(key)].clone()
            continue
        place = _place(key, part, number)
        source = wide[place.key]
        if not place.fits(source):
            raise ValueError(f"there is no part {number} in {key}: {tuple(source.shape)}")
        state[key] = like.clone() if fresh and key.startswith(OWN) else place.of(source)
        if place.columns is not None:
            others = source[place.rows]
            others[:, place.columns] = 0
            if others.any():
                raise ValueError(f"part {number} of {key} reads channels that are not its own")
    return state


def _lacks_own(wide: State, part: State, number: int) -> bool:
    """Whether a part has channels of its own in the first stage, and the wide network none."""
    key = f"{OWN}0.conv1.weight"
    if key not in part:
        return False
    place = _place(key, part, number)
    return place.fits(wide[place.key]) and not place.of(wide[place.key]).any()


def channels_of(part: int, widths: Sequence[int], own_first: int = 0) -> list[Tensor]:
    """Say which channels of each stage of the wide network one part has.

    Args:
        part: Its number.
        widths: Channels that each stage of a part gives.
        own_first: Channels that it gives in the first stage beside these.

    Returns:
        For each stage a (C,) mask; those of `widths` in the first stage are the same for all parts.
    """
    masks = []
    for stage, (width, channels) in enumerate(zip(widths, RESNET_CHANNELS, strict=True)):
        mask = torch.zeros(channels, dtype=torch.bool)
        first = part * width if stage else 0
        mask[first : first + width] = True
        if not stage:
            own = width + part * own_first
            mask[own : own + own_first] = True
        masks.append(mask)
    return masks
