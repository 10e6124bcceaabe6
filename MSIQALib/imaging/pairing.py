"""Whether a CT and a PET can be fused: values, places, patient, frame of reference, overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MSIQALib.errors import InputError
from MSIQALib.imaging.resampling import SliceResampler
from MSIQALib.imaging.volume import Geometry, Volume

HU_BELOW = -50.0
"""Every CT of a body has voxels below this (air, fat); no SUV is, rounding and filters included."""


def check_values(volume: Volume, name: str) -> tuple[float, float]:
    """Refuse voxels that are not finite, and volumes without contents.

    Slices that are known to be missing are left out.

    Args:
        volume: CT or PET, slices along k.
        name: "CT" or "PET", for the messages.

    Returns:
        The lowest and the highest value.

    Raises:
        InputError: There are fewer than two slices, voxels that are NaN or infinite, or all voxels
            have the same value.
    """
    if volume.array.shape[0] < 2:
        raise InputError(
            volume.source,
            f"the {name} has only one slice",
            "Give the whole series; a single picture can be scored with `msiqa score`",
        )
    missing = set(volume.missing_slices)
    bad, lowest, highest = 0, np.inf, -np.inf
    # One slice at a time: a mask of the whole volume would take as much memory as a copy.
    for k, plane in enumerate(volume.array):
        if k in missing:
            continue
        low, high = float(plane.min()), float(plane.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            bad += int(np.count_nonzero(~np.isfinite(plane)))
        lowest, highest = min(lowest, low), max(highest, high)
    if bad:
        raise not_finite(volume.source, bad, name)
    if lowest == highest:
        raise InputError(
            volume.source,
            f"the {name} is empty: all its voxels are {lowest:g}",
            "Check that the right file or series was given",
        )
    return lowest, highest


def not_finite(source: Path, count: int, name: str) -> InputError:
    """The error for voxels that are NaN or infinite."""
    return InputError(
        source,
        f"{count} voxels of the {name} are not finite numbers (NaN or infinite)",
        "Export the series again, or fill these voxels (air is -1000 HU, no uptake is SUV 0)",
    )


def check_places(
    ct: Volume, ct_range: tuple[float, float], pet: Volume | None, pet_low: float
) -> None:
    """Refuse CT and PET that are in each other's place.

    The modality decides where the files say it, the values where they do not (NIfTI, NRRD): HU go
    far below zero, SUV do not.

    Args:
        ct: What was given as CT.
        ct_range: Its lowest and highest value.
        pet: What was given as PET, if any.
        pet_low: The PET's lowest value.

    Raises:
        InputError: They are swapped, or one is not what it should be.
    """
    ct_is_pet = ct.modality == "PT" or (ct.modality is None and ct_range[0] > HU_BELOW)
    pet_is_ct = pet is not None and (
        pet.modality == "CT" or (pet.modality is None and pet_low < HU_BELOW)
    )
    if ct_is_pet and pet_is_ct:
        raise InputError(ct.source, "CT and PET are in each other's place", "Swap the two inputs")
    if ct_is_pet and ct.modality == "PT":
        raise InputError(ct.source, "this is a PET, given as CT", "Give the CT series")
    if ct_is_pet:
        raise InputError(
            ct.source,
            f"this does not look like a CT in Hounsfield units: its values run from "
            f"{ct_range[0]:g} to {ct_range[1]:g}, and air should be near -1000",
            "Give the CT in HU (raw values need the rescale intercept, often -1024)",
        )
    if pet is not None and pet_is_ct:
        what = "a CT, given as PET" if pet.modality == "CT" else "no PET in SUV"
        raise InputError(
            pet.source,
            f"this is {what}: its values go down to {pet_low:g}",
            "Give the PET series",
        )


def check_identity(ct: Volume, pet: Volume, *, ignore_frame_of_reference: bool) -> tuple[str, ...]:
    """Refuse CT and PET of different patients or frames of reference.

    Args:
        ct: The CT.
        pet: The PET.
        ignore_frame_of_reference: Accept different frames, for pairs known to be registered.

    Returns:
        Warnings about what was let pass.

    Raises:
        InputError: The patients differ, or the frames of reference do and that is not ignored.
    """
    if ct.patient and pet.patient and ct.patient != pet.patient:
        raise InputError(
            pet.source,
            "PET and CT are of different patients (their patient ID, name or birth date differ)",
            "Give the PET and the CT of one examination",
        )
    frames = (ct.frame_of_reference, pet.frame_of_reference)
    if not all(frames) or frames[0] == frames[1]:
        return ()
    if not ignore_frame_of_reference:
        raise InputError(
            pet.source,
            "PET and CT have different frames of reference, so that their positions need not match",
            "Give series of one examination, or add --ignore-frame-of-reference if they are known "
            "to be registered",
        )
    return ("PET and CT have different frames of reference; they were taken as registered.",)


def check_overlap(ct: Volume, pet: Volume, resampler: SliceResampler) -> None:
    """Refuse a PET that does not meet the CT anywhere.

    Args:
        ct: The CT on its axial grid.
        pet: The PET.
        resampler: From the PET to the CT's grid.

    Raises:
        InputError: They do not overlap.
    """
    last = ct.geometry.size[2] - 1
    corners = np.concatenate([resampler.corners(0), resampler.corners(last)])
    apart = (corners.max(axis=0) < -0.5) | (
        corners.min(axis=0) > np.asarray(pet.geometry.size) - 0.5
    )
    if not apart.any() and any(resampler.covers(k) for k in range(last + 1)):
        return
    ranges = [
        f"{axis} {_extent(ct.geometry, n)} (CT), {_extent(pet.geometry, n)} (PET)"
        for n, axis in enumerate(("left", "back", "head"))
    ]
    raise InputError(
        pet.source,
        "PET and CT do not overlap; their extents in mm are: " + "; ".join(ranges),
        "Give series of one examination, or register them first",
    )


def _extent(geometry: Geometry, axis: int) -> str:
    ends = [(i, j, k, 1) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    corners = np.asarray(ends, dtype=np.float64)
    corners[:, :3] = corners[:, :3] * geometry.size - 0.5
    along = (geometry.ijk_to_lps @ corners.T)[axis]
    return f"{along.min():.0f} to {along.max():.0f}"
