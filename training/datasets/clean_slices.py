"""Clean axial slices of PET/CT volumes: content to distort afresh each time it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.resampling import SliceResampler
from MSIQALib.phantom import build_phantom

PHANTOM_SLICES = 48


@dataclass(frozen=True)
class CleanSlice:
    """One undistorted slice.

    Attributes:
        source: The volume it is from.
        ct: (H, W) int16 in HU.
        pet: (H, W) float16 SUV on the CT grid.
    """

    source: str
    ct: npt.NDArray[np.int16]
    pet: npt.NDArray[np.float16]


def read_volumes(folder: Path, cache: Path | None = None) -> tuple[CleanSlice, ...]:
    """Read every axial slice of the PET/CT pairs `folder/*/{CT,PET}.nii.gz`.

    Args:
        folder: Holds one folder for each patient.
        cache: A folder for arrays that load faster than NIfTI; filled when it is empty.

    Raises:
        InputError: There is no pair.
    """
    pairs = sorted(p for p in folder.glob("*") if (p / "CT.nii.gz").is_file())
    if not pairs:
        raise InputError(folder, "there are no PET/CT pairs in it", "Point MSIQA_DATA at real data")
    slices: list[CleanSlice] = []
    for pair in pairs:
        ct, pet = _read_pair(pair, cache)
        slices += [CleanSlice(pair.name, c, p) for c, p in zip(ct, pet, strict=True)]
    return tuple(slices)


def phantom_slices(count: int, cache: Path | None = None) -> tuple[CleanSlice, ...]:
    """Make undegraded phantoms: whole torsos with lungs, which real crops may lack.

    Args:
        count: How many, each from its own seed.
        cache: A folder for their arrays; filled when it is empty.
    """
    slices: list[CleanSlice] = []
    for seed in range(count):
        name = f"phantom-{seed}"
        stored = cache / f"{name}.npz" if cache else None
        if stored and stored.is_file():
            with np.load(stored) as arrays:
                ct, pet = arrays["ct"], arrays["pet"]
        else:
            images = build_phantom(slices=PHANTOM_SLICES, seed=seed, recipe=())
            resample = SliceResampler(images.pet, images.ct.geometry)
            ct = images.ct.array.astype(np.int16)
            pet = np.stack([resample(k) for k in range(len(ct))]).astype(np.float16)
            if stored:
                with atomic_path(stored) as part, part.open("wb") as out:
                    np.savez(out, ct=ct, pet=pet)
        slices += [CleanSlice(name, c, p) for c, p in zip(ct, pet, strict=True)]
    return tuple(slices)


def _read_pair(
    pair: Path, cache: Path | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float16]]:
    stored = cache / f"{pair.name}.npz" if cache else None
    if stored and stored.is_file():
        with np.load(stored) as arrays:
            return arrays["ct"], arrays["pet"]
    ct_image = sitk.ReadImage(str(pair / "CT.nii.gz"))
    pet_image = sitk.ReadImage(str(pair / "PET.nii.gz"), sitk.sitkFloat32)
    pet_image = sitk.Resample(pet_image, ct_image, sitk.Transform(), sitk.sitkLinear, 0.0)
    ct = np.clip(sitk.GetArrayFromImage(ct_image), -1024, 3071).astype(np.int16)
    pet = sitk.GetArrayFromImage(pet_image).astype(np.float16)
    if stored:
        with atomic_path(stored) as part, part.open("wb") as out:
            np.savez(out, ct=ct, pet=pet)
    return ct, pet
