"""Volumes turned so that their slices are axial, without interpolation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Geometry, Volume

MAX_OBLIQUITY_DEG = 30.0
"""Slices further from axial than this are not what the network was trained on."""

_AXIS_NAMES = ("sagittal", "coronal", "axial")


def along_patient_axes(volume: Volume) -> Volume:
    """Permute and flip the axes so that i, j, k run nearest to L, P, S.

    The array is a view of the old one; no voxel is interpolated or moved in the patient.

    Args:
        volume: Any orientation.

    Returns:
        The same voxels with i towards the left, j towards the back, k towards the head.

    Raises:
        InputError: Slices are missing from an acquisition that is not axial, so that the gap would
            run through every axial slice.
    """
    directions = np.reshape(volume.geometry.direction, (3, 3))
    axes = _nearest_axes(directions)
    if volume.missing_slices and axes[2] != 2:
        plane = _AXIS_NAMES[axes.index(2)]
        raise InputError(
            volume.source,
            f"{len(volume.missing_slices)} slices are missing from this {plane} acquisition, and "
            "the gap runs through every axial slice",
            "Export the complete series again",
        )
    flipped = [bool(directions[patient_axis, axes[patient_axis]] < 0) for patient_axis in range(3)]
    if axes == (0, 1, 2) and not any(flipped):
        return volume

    size = tuple(volume.geometry.size[axis] for axis in axes)
    spacing = tuple(volume.geometry.spacing[axis] for axis in axes)
    turned = directions[:, list(axes)] * np.where(flipped, -1.0, 1.0)
    first = np.zeros(4)
    first[3] = 1.0
    for patient_axis, axis in enumerate(axes):
        first[axis] = volume.geometry.size[axis] - 1 if flipped[patient_axis] else 0
    origin = (volume.geometry.ijk_to_lps @ first)[:3]

    # Arrays are indexed (k, j, i), the reverse of the axes.
    array = volume.array.transpose([2 - axis for axis in reversed(axes)])
    array = np.flip(array, tuple(2 - n for n in range(3) if flipped[n]))
    missing = volume.missing_slices
    if flipped[2]:
        missing = tuple(sorted(size[2] - 1 - k for k in missing))
    return replace(
        volume,
        array=array,
        geometry=Geometry(
            size=(size[0], size[1], size[2]),
            spacing=(spacing[0], spacing[1], spacing[2]),
            origin=(float(origin[0]), float(origin[1]), float(origin[2])),
            direction=tuple(float(cosine) for cosine in turned.ravel()),  # type: ignore[arg-type]
        ),
        missing_slices=missing,
    )


def to_axial(volume: Volume) -> Volume:
    """Turn a volume to axial slices: i to the left, j to the back, k from feet to head.

    Args:
        volume: Axial, coronal or sagittal, flipped in any way, and up to 30 degrees oblique.

    Returns:
        The same voxels on permuted and flipped axes; a warning names the angle of slices that are
        more than 1 degree from axial, which keep their own planes.

    Raises:
        InputError: The slices are more than 30 degrees from axial, or some are missing across the
            axial planes.
    """
    axial = along_patient_axes(volume)
    cosine = np.clip(np.reshape(axial.geometry.direction, (3, 3))[2, 2], -1.0, 1.0)
    angle = float(np.degrees(np.arccos(cosine)))
    if angle > MAX_OBLIQUITY_DEG:
        raise InputError(
            volume.source,
            f"its slices are oblique, {angle:.0f} degrees from axial (up to "
            f"{MAX_OBLIQUITY_DEG:.0f} can be assessed)",
            "Reformat the series to axial slices and try again",
        )
    if angle > 1.0:
        return axial.warn(
            f"The {volume.modality or 'image'} slices are oblique by {angle:.1f} degrees; they are "
            "assessed on their own planes, not on axial ones."
        )
    return axial


def _nearest_axes(directions: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """The array axis (0 = i) nearest to L, P and S, chosen for S first: it makes the slices."""
    strength = np.abs(directions)
    superior = int(strength[2].argmax())
    left, back = (axis for axis in range(3) if axis != superior)
    if strength[0, left] + strength[1, back] < strength[0, back] + strength[1, left]:
        left, back = back, left
    return left, back, superior
