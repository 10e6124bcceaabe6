"""Five anatomical levels of a PET/CT, as PET-CT-IQA-DS has them of each patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, label

from MSIQALib.imaging.volume import Geometry

LUNG_LEVELS = {
    "upper abdomen": -0.12,
    "lung base": 0.15,
    "heart": 0.42,
    "aortic arch": 0.68,
    "lung apex": 0.95,
}
"""Heights as shares of the lungs' extent, from their base to their apex."""

BODY_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the assessable slices, from the feet up, where there are no lungs."""

_STEP = 4
_BODY_HU = -300.0
_LUNG_HU = (-950.0, -500.0)
_LEAST_LUNG_MM2 = 2000.0
_LEAST_LUNGS_MM = 100.0
_LEAST_BODY_MM2 = 2000.0


@dataclass(frozen=True)
class Level:
    """One chosen slice.

    Attributes:
        index: k in the axial grid, 0 nearest to the feet.
        name: Where in the body.
    """

    index: int
    name: str


def choose_levels(
    ct: npt.NDArray[np.float32], geometry: Geometry, usable: Sequence[int]
) -> tuple[Level, ...]:
    """Choose five slices: around the lungs where they are there, else evenly along the body.

    Args:
        ct: (k, j, i) in HU, axial, k from the feet up.
        geometry: Of `ct`.
        usable: The slices that may be chosen, those with CT and PET.

    Returns:
        Five levels from the feet up, or none where fewer than five usable slices hold a body.
    """
    pixel_mm2 = geometry.spacing[0] * geometry.spacing[1] * _STEP**2
    areas = {k: _areas_mm2(ct[k, ::_STEP, ::_STEP], pixel_mm2) for k in usable}
    slices = [k for k in sorted(usable) if areas[k][0] >= _LEAST_BODY_MM2]
    if len(slices) < len(BODY_LEVELS):
        return ()
    lungs = _longest_run([k for k in slices if areas[k][1] >= _LEAST_LUNG_MM2])
    extent = lungs[-1] - lungs[0] if lungs else 0
    if extent * geometry.spacing[2] >= _LEAST_LUNGS_MM:
        names = tuple(LUNG_LEVELS)
        wanted = [lungs[0] + share * extent for share in LUNG_LEVELS.values()]
    else:
        names = tuple(f"{share:.0%} of the range" for share in BODY_LEVELS)
        wanted = [slices[0] + share * (slices[-1] - slices[0]) for share in BODY_LEVELS]
    chosen: list[int] = []
    for height in wanted:
        free = [(abs(k - height), k) for k in slices if k not in chosen]
        chosen.append(min(free)[1])
    return tuple(Level(k, name) for k, name in zip(sorted(chosen), names, strict=True))


def _areas_mm2(plane: npt.NDArray[np.float32], pixel_mm2: float) -> tuple[float, float]:
    """Area of the body and of the lungs in it; the table and its foam are not the body."""
    solid, count = label(plane > _BODY_HU)
    if count == 0:
        return 0.0, 0.0
    largest = int(np.bincount(solid.ravel())[1:].argmax()) + 1
    body = binary_fill_holes(solid == largest)
    lung = body & (plane > _LUNG_HU[0]) & (plane < _LUNG_HU[1])
    return float(body.sum()) * pixel_mm2, float(lung.sum()) * pixel_mm2


def _longest_run(slices: Sequence[int]) -> list[int]:
    """The longest run of neighbours; a gap of one or two slices does not end it."""
    runs = [[k] for k in slices[:1]]
    for before, k in pairwise(slices):
        if k - before <= 3:
            runs[-1].append(k)
        else:
            runs.append([k])
    return max(runs, key=lambda run: run[-1] - run[0], default=[])
