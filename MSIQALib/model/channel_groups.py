"""Computes a ResNet whose channels fall into groups, group by group: the same stages in less time.

Weights that were taught as several narrow networks, each with channels of its own
(`training/widening.py`), are zero from one network's channels to another's. Most of what a whole
ResNet-50 multiplies by them are these zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from MSIQALib.model.backbones import ResNetStages

MOST_GROUPS = 8
"""More groups in one stage than this are too small to be worth it."""

WORTH_IT = 0.75
"""Share of the multiplications that may be left, so that groups are still faster."""

CELLS = 4
"""How many cells of a stage lie in one of the next."""


@dataclass(frozen=True)
class _Group:
    """Channels of a stage that are computed together.

    Attributes:
        places: Numbers of the channels that they give, in the whole network.
        first: For each block of the stage, numbers of the channels that belong to them between the
            first convolution and the second.
        second: Likewise between the second and the third.
    """

    places: Tensor
    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]


class GroupedResNet(nn.Module):
    """What a ResNetStages computes, group by group. Made by `by_groups`.

    Args:
        whole: With its normalisations folded into the convolutions.
        groups: Of each stage.
    """

    def __init__(self, whole: ResNetStages, groups: Sequence[Sequence[_Group]]) -> None:
        super().__init__()
        self.conv1, self.maxpool = whole.conv1, whole.maxpool
        self.stages = nn.ModuleList()
        given = [torch.arange(whole.conv1.out_channels)]
        for name, own in zip(whole.stage_names, groups, strict=True):
            blocks: Any = whole.get_submodule(name)
            self.stages.append(
                nn.ModuleList(
                    _GroupedBlock(block, number, given if number == 0 else _places(own), own)
                    for number, block in enumerate(blocks)
                )
            )
            given = _places(own)
        self._places = [[_as_slice(group.places) for group in own] for own in groups]
        self._channels = [_channels(whole, name) for name in whole.stage_names]

    def forward(self, image: Tensor, pooled: int | None = None) -> list[Tensor]:
        """Stage outputs as of `ResNetStages.forward`."""
        x: list[Tensor] = [self.maxpool(F.relu(self.conv1(image), inplace=True))]
        outputs = []
        for blocks, places, channels in zip(self.stages, self._places, self._channels, strict=True):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
            maps = x if pooled is None else [F.adaptive_avg_pool2d(m, pooled) for m in x]
            # Channels last, as the maps are.
            stage = maps[0].new_zeros((len(image), *maps[0].shape[2:], channels)).movedim(3, 1)
            for where, values in zip(places, maps, strict=True):
                stage[:, where] = values
            outputs.append(stage)
        return outputs


class _GroupedBlock(nn.Module):
    """One bottleneck of all groups.

    Args:
        block: The whole one.
        number: Of the block in its stage.
        given: Places of the channels of each group that it reads.
        groups: Those that it gives.
    """

    def __init__(
        self, block: Any, number: int, given: Sequence[Tensor], groups: Sequence[_Group]
    ) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        self._read: list[tuple[int, ...]] = []
        self._read_shortcut: list[tuple[int, ...]] = []
        for group in groups:
            first, second = group.first[number], group.second[number]
            read = _that_matter(block.conv1.weight[first], given)
            self._read.append(read)
            self.first.append(_cut(block.conv1, first, torch.cat([given[i] for i in read])))
            self.second.append(_cut(block.conv2, second, first))
            self.third.append(_cut(block.conv3, group.places, second))
            if block.downsample is not None:
                whole = block.downsample[0]
                read = _that_matter(whole.weight[group.places], given)
                self._read_shortcut.append(read)
                columns = torch.cat([given[i] for i in read])
                self.shortcuts.append(_cut(whole, group.places, columns))

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Outputs of all groups, from those of the groups before."""
        outputs = []
        for number, read in enumerate(self._read):
            y = F.relu(self.first[number](_joined(x, read)), inplace=True)
            y = F.relu(self.second[number](y), inplace=True)
            y = self.third[number](y)
            if self.shortcuts:
                y += self.shortcuts[number](_joined(x, self._read_shortcut[number]))
            else:
                y += x[number]
            outputs.append(F.relu(y, inplace=True))
        return outputs


@torch.no_grad()
def by_groups(whole: ResNetStages) -> GroupedResNet | None:
    """Find groups of channels that do not mix, and compute them one by one.

    Channels belong together where a 3x3 convolution, or the 1x1 convolution after it, mixes them. A
    group may read others through the 1x1 convolution before it. Channels that are always 0 belong
    to no group.

    Args:
        whole: In eval mode, with its normalisations folded into the convolutions; it shares its
            first convolution with what is returned.

    Returns:
        The same network in less time, for inference alone; None where little would be saved.
    """
    stages = []
    for name in whole.stage_names:
        groups = _groups(list(whole.get_submodule(name).children()))
        if groups is None:
            return None
        stages.append(groups)
    grouped = GroupedResNet(whole, stages)
    every = multiplications([whole.get_submodule(name) for name in whole.stage_names])
    return grouped if multiplications(grouped.stages) <= WORTH_IT * every else None


def multiplications(stages: Iterable[nn.Module]) -> float:
    """About how many a cell of the first stage the stages of a ResNet take."""
    return sum(
        p.numel() / CELLS**number
        for number, stage in enumerate(stages)
        for p in stage.parameters()
        if p.ndim > 1
    )


def _groups(blocks: Sequence[Any]) -> list[_Group] | None:
    """The groups of one stage; None where there are none or too many."""
    gives = blocks[0].conv3.out_channels
    width = blocks[0].conv2.out_channels
    edges = []
    for number, block in enumerate(blocks):
        first = gives + 2 * width * number
        second = first + width
        edges.append(_links(block.conv2.weight, second, first))
        edges.append(_links(block.conv3.weight, 0, second))
    rows, columns = np.concatenate(edges, 1)
    nodes = gives + 2 * width * len(blocks)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(nodes, nodes))
    labels = torch.from_numpy(connected_components(graph, directed=False)[1])
    alive = _alive(blocks)
    given = labels[:gives]
    # (blocks, 2, width): what lies between the first two convolutions of each, and the last two.
    between = labels[gives:].view(len(blocks), 2, width)
    present = given[alive].unique().tolist()
    kept = [label for label in present if (between == label).any(2).all()]
    if not 0 < len(kept) <= MOST_GROUPS:
        return None
    # What lacks a block, as a channel does that is constant, goes with any other group.
    for label in set(present) - set(kept):
        given[given == label] = kept[0]
        between[between == label] = kept[0]
    return [
        _Group(
            torch.nonzero((given == label) & alive).flatten(),
            tuple(torch.nonzero(block[0] == label).flatten() for block in between),
            tuple(torch.nonzero(block[1] == label).flatten() for block in between),
        )
        for label in kept
    ]


def _alive(blocks: Sequence[Any]) -> Tensor:
    """Which channels of a stage are not always 0."""
    last = [block.conv3 for block in blocks]
    last += [block.downsample[0] for block in blocks if block.downsample is not None]
    return torch.stack([c.weight.flatten(1).any(1) | (c.bias != 0) for c in last]).any(0)


def _links(weight: Tensor, row: int, column: int) -> np.ndarray[Any, Any]:
    """(2, N) pairs of nodes that a convolution mixes, from the numbers of its first ones."""
    mixed = torch.nonzero(weight.flatten(2).any(2)).T.numpy()
    return mixed + np.array([[row], [column]])


def _that_matter(weight: Tensor, given: Sequence[Tensor]) -> tuple[int, ...]:
    """Which groups a convolution reads, one at least."""
    read = tuple(i for i, places in enumerate(given) if weight[:, places].any())
    return read or (0,)


def _cut(whole: nn.Conv2d, rows: Tensor, columns: Tensor) -> nn.Conv2d:
    """Some outputs and inputs of a convolution."""
    assert whole.bias is not None
    part: nn.Conv2d = nn.utils.skip_init(
        nn.Conv2d,
        len(columns),
        len(rows),
        whole.kernel_size,
        whole.stride,
        whole.padding,
        dtype=whole.weight.dtype,
    )
    part.weight.copy_(whole.weight[rows][:, columns])
    part.bias.copy_(whole.bias[rows])  # type: ignore[union-attr]
    return part


def _joined(x: Sequence[Tensor], read: Iterable[int]) -> Tensor:
    chosen = [x[i] for i in read]
    return chosen[0] if len(chosen) == 1 else torch.cat(chosen, 1)


def _places(groups: Sequence[_Group]) -> list[Tensor]:
    return [group.places for group in groups]


def _as_slice(places: Tensor) -> Tensor | slice:
    """Places that follow each other as a slice, which is copied to far faster."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


def _channels(whole: ResNetStages, name: str) -> int:
    last: Any = list(whole.get_submodule(name).children())[-1]
    return int(last.conv3.out_channels)
