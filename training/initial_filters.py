"""First filters that see noise: zero mean, some of them point detectors of opponent colours.

The distortions are small beside anatomy. A filter whose weights sum to zero is silent in flat
regions, so that there the noise is all that the first normalisation sees; a point detector on the
difference of two channels answers to a coloured speck and hardly to grey anatomy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

OPPONENTS = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (1.0, -0.5, -0.5),
    (-0.5, 1.0, -0.5),
    (-0.5, -0.5, 1.0),
    (0.4, 0.4, 0.4),
)
"""Mixtures of red, green and blue that the point detectors look at."""


def _point(size: int, row: int, column: int, ring: int) -> Tensor:
    """A (size, size) filter: 1 at a point minus the mean of its neighbours up to `ring` away."""
    kernel = torch.zeros(size, size)
    rows = slice(max(row - ring, 0), min(row + ring + 1, size))
    columns = slice(max(column - ring, 0), min(column + ring + 1, size))
    kernel[rows, columns] = 1.0
    kernel[row, column] = 0.0
    kernel = -kernel / kernel.sum()
    kernel[row, column] = 1.0
    return kernel


def _points(
    size: int, mixtures: Sequence[tuple[float, float, float]], places: Sequence[int]
) -> Iterator[Tensor]:
    """Give (3, size, size) filters: points at all places of a square, mixture after mixture."""
    for mixture, row, column in itertools.product(mixtures, places, places):
        yield torch.tensor(mixture)[:, None, None] * _point(size, row, column, 1)


def _phases(size: int) -> tuple[int, int]:
    """Where in a filter of stride 2 a point meets every pixel in one of four channels."""
    return size // 2, size // 2 + 1


def _zero_mean(weight: Tensor) -> Tensor:
    return weight - weight.mean(dim=(2, 3), keepdim=True)


POINT_GAIN = 4.0
"""With it, noise of 2 % of the range gives what other channels of a stem give after their
normalisation, and a speck ten times that."""


@torch.no_grad()
def fill_stem(state: dict[str, Tensor]) -> None:
    """Make point detectors of the channels of a ResNet's stem that are all zero.

    Opponent colours first, each at the four phases of the stride, then grey. Nothing is measured:
    their normalisation does nothing but to scale.

    Args:
        state: Of a network with `conv1` and `bn1`; changed in place.
    """
    weight = state["conv1.weight"]
    empty = (weight.flatten(1) == 0).all(1).nonzero().flatten().tolist()
    size = weight.shape[-1]
    points = _points(size, OPPONENTS[3:], _phases(size))
    for channel, point in zip(empty, points, strict=False):
        weight[channel] = point
        values = (
            ("weight", POINT_GAIN),
            ("bias", 0.0),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        )
        for name, value in values:
            state[f"bn1.{name}"][channel] = value


@torch.no_grad()
def see_noise_resnet(conv: nn.Conv2d, points: float = 0.5) -> None:
    """Set a stem of stride 2: points at the four phases of the stride, then zero-mean noise.

    Args:
        conv: (C, 3, K, K) with odd K; its norm per filter is kept.
        points: Largest share of the filters that are points.
    """
    size = conv.kernel_size[0]
    norm = conv.weight.flatten(1).norm(dim=1).mean()
    conv.weight.copy_(_zero_mean(conv.weight))
    most = range(int(points * conv.out_channels))
    for index, point in zip(most, _points(size, OPPONENTS, _phases(size)), strict=False):
        conv.weight[index] = point
    scale = norm / conv.weight.flatten(1).norm(dim=1)
    conv.weight.mul_(scale[:, None, None, None])


@torch.no_grad()
def see_noise_swin(conv: nn.Conv2d, brightness: float = 0.1) -> None:
    """Set a patch embedding: opponent points at each place of the patch, then zero-mean noise.

    The LayerNorm after it divides by the size of the whole token. Small random biases make that
    size a constant where noise is weak, so that the noise's strength is not divided away.

    Args:
        conv: (C, 3, K, K) with a stride of K.
        brightness: Weight of the patch's mean, which a few filters keep.
    """
    size = conv.kernel_size[0]
    conv.weight.copy_(_zero_mean(conv.weight))
    mixtures = (OPPONENTS[3], OPPONENTS[4], OPPONENTS[6])
    most = range(conv.out_channels // 2)
    for index, point in zip(most, _points(size, mixtures, range(size)), strict=False):
        conv.weight[index] = point
    conv.weight.div_(conv.weight.flatten(1).norm(dim=1)[:, None, None, None])
    conv.weight[-8:] += brightness * torch.randn(8, 3, 1, 1) / size
    if conv.bias is not None:
        conv.bias.normal_(0.0, 0.1)
