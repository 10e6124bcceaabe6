"""Volumes made in memory, and the same as SimpleITK images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MSIQALib.imaging.volume import Geometry, Volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def make_volume(
    array: np.ndarray,
    *,
    spacing: Sequence[float] = (2.0, 2.0, 3.0),
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    direction: Sequence[float] = IDENTITY,
    **changes: object,
) -> Volume:
    geometry = Geometry(
        size=array.shape[::-1],
        spacing=tuple(map(float, spacing)),
        origin=tuple(map(float, origin)),
        direction=tuple(map(float, direction)),
    )
    volume = Volume(np.asarray(array, np.float32), geometry, None, "unknown", Path("made"))
    return replace(volume, **changes)


def make_ct(shape: tuple[int, int, int] = (6, 16, 20), **changes: object) -> Volume:
    rng = np.random.default_rng(1)
    return make_volume(rng.uniform(-1000, 1000, shape), **changes)


def make_pet(shape: tuple[int, int, int] = (6, 16, 20), **changes: object) -> Volume:
    rng = np.random.default_rng(2)
    return make_volume(rng.uniform(0, 6, shape), **changes)


def to_itk(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(volume.geometry.direction)
    return image


def rotation(axis: int, degrees: float) -> np.ndarray:
    """A 3 x 3 rotation about L (0), P (1) or S (2)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    first, second = [n for n in range(3) if n != axis]
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix
