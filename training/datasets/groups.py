"""Groups of pictures that share their content and differ in what was done to it.

Within a group the anatomy cancels out, so that what is left to learn from is the distortion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import SOURCE_SIZE, compose
from training.datasets.distorted import (
    LEVEL_TARGETS,
    Sampling,
    draw_distortion,
    level_targets,
    shrink,
    to_tensor,
)
from training.datasets.pristine import pristine_piece
from training.datasets.slice_ladders import draw_rungs, effect
from training.distortions import (
    COMBINATIONS,
    LAMBDAS,
    UNLISTED,
    Distortion,
    NoiseBank,
    Picture,
    add_specks,
    after_specks,
    combination_number,
)

MOST_SPECKS = 0.06
"""Largest lambda that is drawn."""

SPECK_GRID = 28
"""Rows and columns of the map of specks, for a whole picture."""


@dataclass(frozen=True)
class Group:
    """N pictures with what was done to them.

    Attributes:
        pictures: (N, 3, S, S) uint8.
        levels: (N, 3) strengths, lambda as the specks that are there give it; not a number for
            the rungs of ladders.
        combination: (N,) number in COMBINATIONS, or UNLISTED.
        specks: (N, 1, g, g) root of the specks per hundred values.
        ladders: (L, K) numbers of the pictures that are rungs, from the original to the worst.
        effects: (L,) what each ladder's loss looks like, numbers in
            `training.datasets.slice_ladders.EFFECTS`.
    """

    pictures: Tensor
    levels: Tensor
    combination: Tensor
    specks: Tensor
    ladders: Tensor
    effects: Tensor


def join(groups: Sequence[Group]) -> Group:
    """Put groups of one size one after the other."""
    firsts = [sum(len(g.pictures) for g in groups[:i]) for i in range(len(groups))]
    return Group(
        torch.cat([g.pictures for g in groups]),
        torch.cat([g.levels for g in groups]),
        torch.cat([g.combination for g in groups]),
        torch.cat([g.specks for g in groups]),
        torch.cat([g.ladders + first for g, first in zip(groups, firsts, strict=True)]),
        torch.cat([g.effects for g in groups]),
    )


def speck_rate(clean: Picture, specked: Picture) -> float:
    """Measure lambda: specks for each unit of brightness.

    Small or dark pictures have so few specks that the lambda they were drawn with cannot be read
    off them, while this can.

    Args:
        clean: (S, S, 3) uint8.
        specked: The same after the specks.

    Returns:
        0 to MOST_SPECKS.
    """
    specks = np.count_nonzero(specked != clean)
    return min(specks / max(float(clean.sum(dtype=np.int64)) / 255, 1.0), MOST_SPECKS)


def speck_map(clean: Picture, specked: Picture, grid: int) -> Tensor:
    """Count the specks cell by cell.

    Args:
        clean: (S, S, 3) uint8.
        specked: The same after the specks.
        grid: Rows and columns of the map.

    Returns:
        (1, grid, grid) root of the specks per hundred values.
    """
    size = clean.shape[0]
    places = np.flatnonzero((specked != clean).reshape(-1)) // 3
    cells = (places // size * grid // size) * grid + places % size * grid // size
    counts = np.bincount(cells, minlength=grid * grid).reshape(1, grid, grid)
    values = 3 * (size / grid) ** 2
    return torch.from_numpy(np.sqrt(counts.astype(np.float32) * np.float32(100 / values)))


class DistortedGroups:
    """Groups by number: the same number gives the same group.

    Args:
        slices: Clean content.
        pristine: Pristine fused pictures, content too; may be empty.
        share: Probability of a pristine picture where there are any.
        sampling: How pictures are drawn.
        size: Pictures of a group.
        seed: Another seed, other groups.
        ladders: Probability of a ladder's rungs instead of the data set's distortions.
        climbed: Content of the ladders; all slices where it is not given.
        ladder_times: How often a ladder is drawn against 1 of the others, by the name of its loss.
    """

    def __init__(
        self,
        slices: tuple[CleanSlice, ...],
        pristine: Sequence[Picture],
        *,
        share: float,
        sampling: Sampling,
        size: int,
        seed: int,
        ladders: float = 0.0,
        climbed: tuple[CleanSlice, ...] | None = None,
        ladder_times: Mapping[str, float] | None = None,
    ) -> None:
        self._slices = slices
        self._pristine = tuple(pristine)
        self._share = share if pristine else 0.0
        self.sampling = sampling
        self._size = size
        self._seed = seed
        self._ladders = ladders
        self._climbed = slices if climbed is None else climbed
        self._ladder_times = ladder_times
        self._bank = NoiseBank(seed)

    def __getitem__(self, index: int) -> Group:
        rng = np.random.default_rng([self._seed, index])
        sampling = self.sampling
        grid = SPECK_GRID * sampling.source_size // SOURCE_SIZE
        if self._ladders and rng.random() < self._ladders:
            return self._ladder(grid, rng)
        if rng.random() < self._share:
            clean = pristine_piece(self._pristine, sampling.source_size, rng)
        else:
            clean = compose(self._slices, sampling.source_size, sampling.variety, rng)
        pictures, levels, combination, specks = [], [], [], []
        for done in draw_pairs(rng, sampling.grid, self._size):
            specked = add_specks(clean, done.lam, rng)
            coded = sampling.coded(done, rng)
            damaged = after_specks(specked, done, rng, self._bank, coded=coded)
            pictures.append(to_tensor(shrink(damaged, sampling.input_size)))
            levels.append(level_targets(replace(done, lam=speck_rate(clean, specked))))
            combination.append(combination_number(done))
            specks.append(speck_map(clean, specked, grid))
        return Group(
            torch.stack(pictures),
            torch.tensor(levels, dtype=torch.float32),
            torch.tensor(combination),
            torch.stack(specks),
            torch.empty((0, self._size), dtype=torch.long),
            torch.empty(0, dtype=torch.long),
        )

    def _ladder(self, grid: int, rng: np.random.Generator) -> Group:
        sampling = self.sampling
        degradation, rungs = draw_rungs(
            self._climbed,
            sampling.source_size,
            sampling.variety,
            self._size,
            rng,
            self._ladder_times,
        )
        pictures = [to_tensor(shrink(rung, sampling.input_size)) for rung in rungs]
        return Group(
            torch.stack(pictures),
            torch.full((self._size, LEVEL_TARGETS), float("nan")),
            torch.full((self._size,), UNLISTED),
            torch.zeros((self._size, 1, grid, grid)),
            torch.arange(self._size)[None],
            torch.tensor([effect(degradation.name)]),
        )


def draw_pairs(rng: np.random.Generator, grid: float, count: int) -> list[Distortion]:
    """Draw distortions, every second one with only lambda different from the one before.

    Lambda is the hardest of the three to tell, and in such a pair nothing else can tell it.

    Args:
        rng: Source of randomness.
        grid: As in `draw_distortion`; a pair is of the 27 combinations or none of it is.
        count: How many.
    """
    drawn: list[Distortion] = []
    for number in range(count):
        if number % 2 and drawn[-1] in COMBINATIONS:
            others = [lam for lam in LAMBDAS if lam != drawn[-1].lam]
            drawn.append(replace(drawn[-1], lam=others[int(rng.integers(len(others)))]))
        else:
            drawn.append(draw_distortion(rng, grid))
    return drawn
