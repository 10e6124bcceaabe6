"""Freshly distorted pictures, with the strengths and a map of the damage."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import SOURCE_SIZE, Variety, compose
from training.distortions import (
    BEST_QUALITY,
    COMBINATIONS,
    Distortion,
    NoiseBank,
    Picture,
    add_specks,
    after_specks,
)

INPUT_SIZE = 224
"""Height and width of the paper's input."""

BLOCK = 16
"""Pixels of a JPEG unit with chroma 4:2:0; 16 of 512 are exactly 7 of 224."""

LEVEL_TARGETS = 3
_STRENGTHS, _CODING = 1, 2

DAMAGE_GRID = 14
"""Rows and columns of the map that says where a picture was damaged, and how much."""


@dataclass(frozen=True)
class Sampling:
    """How pictures are drawn.

    Attributes:
        source_size: Height and width before resizing: 512, or a multiple of 16 for a piece of it.
        grid: Share of the data set's 27 combinations; the others have continuous strengths, also
            beyond the data set's.
        variety: Of the content.
        uncoded: Share of those of quality 100 that are not JPEG-coded, as pictures fused from
            volumes are not.
        size: Height and width that the network sees of a whole picture of 512.
    """

    source_size: int = SOURCE_SIZE
    grid: float = 0.5
    variety: Variety = field(default_factory=Variety)
    uncoded: float = 0.0
    size: int = INPUT_SIZE

    def __post_init__(self) -> None:
        if self.source_size % BLOCK or self.source_size <= 0:
            raise ValueError(f"source_size must be a multiple of {BLOCK}: {self.source_size}")

    def coded(self, done: Distortion, rng: np.random.Generator) -> bool:
        """Draw whether a picture is coded; draws nothing where all are."""
        if self.uncoded and done.quality == BEST_QUALITY:
            return rng.random() >= self.uncoded
        return True

    @property
    def input_size(self) -> int:
        """Height and width that the network sees."""
        return self.source_size * self.size // SOURCE_SIZE


def shrink(picture: Picture, size: int) -> Picture:
    """Resize as the network's preprocessing does: OpenCV's bicubic, without antialiasing."""
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def to_tensor(picture: Picture) -> Tensor:
    """Give (H, W, 3) uint8 as (3, H, W) uint8."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def normalise(batch: Tensor) -> Tensor:
    """Give uint8 (N, 3, H, W) as float in -1..1, in channels-last memory."""
    return batch.to(memory_format=torch.channels_last, dtype=torch.float32).div_(127.5).sub_(1.0)


def level_targets(distortion: Distortion) -> tuple[float, float, float]:
    """Strengths as numbers of about 0..1 each: lambda, sigma and the coarseness of the JPEG."""
    return (distortion.lam / 0.01) ** 0.5, distortion.sigma / 10, (100 - distortion.quality) / 60


def draw_distortion(rng: np.random.Generator, grid: float) -> Distortion:
    """Draw one of the 27 combinations with probability `grid`, else continuous strengths."""
    if rng.random() < grid:
        return COMBINATIONS[int(rng.integers(len(COMBINATIONS)))]
    lam = 0.0 if rng.random() < 0.25 else 0.06 * rng.random() ** 2
    sigma = 0.0 if rng.random() < 0.35 else rng.uniform(0, 15)
    quality = 100 if rng.random() < 0.25 else int(rng.integers(25, 101))
    return Distortion(lam, sigma, quality)


def damage_map(clean: Picture, specked: Picture, damaged: Picture) -> npt.NDArray[np.float32]:
    """Measure the damage cell by cell: a dense target that only the one who distorts can know.

    Args:
        clean: (H, W, 3) uint8, before.
        specked: The same after the specks.
        damaged: The same after everything.

    Returns:
        (2, 14, 14) float32: root of the specks per hundred values, and root mean square
        deviation from the clean picture in tens of grey levels.
    """
    size = (DAMAGE_GRID, DAMAGE_GRID)
    specks = cv2.compare(specked, clean, cv2.CMP_NE).astype(np.float32)
    deviation = cv2.subtract(damaged, clean, dtype=cv2.CV_32F)
    cv2.multiply(deviation, deviation, dst=deviation)
    specks, deviation = (
        cv2.resize(values, size, interpolation=cv2.INTER_AREA).mean(axis=2)
        for values in (specks, deviation)
    )
    return np.stack((np.sqrt(specks * (100 / 255)), np.sqrt(deviation) / 10))


class DistortedSlices(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Pictures by number: the same number gives the same picture.

    An item is the (3, S, S) uint8 picture, the three levels and the damage map.

    Args:
        slices: Clean content.
        sampling: How pictures are drawn.
        seed: Another seed, other pictures.
        length: How many there are.
    """

    def __init__(
        self, slices: tuple[CleanSlice, ...], sampling: Sampling, *, seed: int, length: int
    ) -> None:
        self._slices = slices
        self._sampling = sampling
        self._seed = seed
        self._length = length
        self._bank = NoiseBank(seed)

    def __len__(self) -> int:
        return self._length

    def strengths(self, index: int) -> Distortion:
        """Say what was done to picture number `index`, without making it."""
        rng = np.random.default_rng([self._seed, index, _STRENGTHS])
        return draw_distortion(rng, self._sampling.grid)

    def clean(self, index: int) -> Picture:
        """Give picture number `index` before its distortion and before resizing."""
        rng = np.random.default_rng([self._seed, index])
        return compose(self._slices, self._sampling.source_size, self._sampling.variety, rng)

    def draw(self, index: int) -> tuple[Picture, Distortion, npt.NDArray[np.float32]]:
        """Give picture number `index` as the network sees it, what was done, and the damage."""
        rng = np.random.default_rng([self._seed, index])
        sampling = self._sampling
        clean = compose(self._slices, sampling.source_size, sampling.variety, rng)
        done = self.strengths(index)
        specked = add_specks(clean, done.lam, rng)
        # Drawn apart, so that nothing else of a picture changes with the share.
        coded = sampling.coded(done, np.random.default_rng([self._seed, index, _CODING]))
        damaged = after_specks(specked, done, rng, self._bank, coded=coded)
        damage = damage_map(clean, specked, damaged)
        return shrink(damaged, sampling.input_size), done, damage

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        picture, done, damage = self.draw(index)
        return (
            to_tensor(picture),
            torch.tensor(level_targets(done), dtype=torch.float32),
            torch.from_numpy(damage),
        )
