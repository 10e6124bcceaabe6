"""Clean axial slices of PET/CT volumes: content to distort afresh each time it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.orientation import along_patient_axes, to_axial
from MSIQALib.imaging.reader import IMAGE_SUFFIXES, read_volume
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
    """Read every axial slice of the PET/CT pairs `folder/*/{CT,PET}`.

    Args:
        folder: Holds one folder for each patient. In it, CT and PET are each an image file (CT in
            HU, PET in SUV, `.nii.gz`, `.nii`, `.nrrd`, `.mha`) or a folder of DICOM.
        cache: A folder for arrays that load faster than images; filled when it is empty.

    Raises:
        InputError: There is no pair, or a volume cannot be used.
    """
    slices: list[CleanSlice] = []
    for pair in find_pairs(folder):
        ct, pet = _read_pair(pair, cache)
        slices += [CleanSlice(pair.name, c, p) for c, p in zip(ct, pet, strict=True)]
    return tuple(slices)


@dataclass(frozen=True)
class PairPaths:
    """Where one patient's CT and PET lie: image files, or folders of DICOM."""

    name: str
    ct: Path
    pet: Path


def find_pairs(folder: Path) -> list[PairPaths]:
    """Find the PET/CT pairs `folder/*/{CT,PET}`, by name.

    Raises:
        InputError: There is no pair.
    """
    pairs = []
    for path in sorted(folder.glob("*")):
        ct, pet = _find(path, "CT"), _find(path, "PET")
        if ct and pet:
            pairs.append(PairPaths(path.name, ct, pet))
    if not pairs:
        raise InputError(folder, "there are no PET/CT pairs in it", "Point MSIQA_DATA at real data")
    return pairs


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


def _find(pair: Path, name: str) -> Path | None:
    """The image file or DICOM folder of this name."""
    choices = [pair / f"{name}{suffix}" for suffix in (*IMAGE_SUFFIXES, "")]
    return next((path for path in choices if path.exists()), None)


def _read_dicom_pair(
    ct_path: Path, pet_path: Path
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float16]]:
    ct = to_axial(read_volume(ct_path, modality="CT"))
    pet = along_patient_axes(read_volume(pet_path, modality="PT"))
    resample = SliceResampler(pet, ct.geometry)
    # Planes that the PET does not cover have nothing to fuse.
    kept = [k for k in range(len(ct.array)) if resample.covers(k)]
    if not kept:
        raise InputError(ct_path, "the PET covers none of its slices", "Give a PET/CT pair")
    hu = np.clip(ct.array[kept], -1024, 3071).astype(np.int16)
    return hu, np.stack([resample(k) for k in kept]).astype(np.float16)


def _read_pair(
    pair: PairPaths, cache: Path | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float16]]:
    stored = cache / f"{pair.name}.npz" if cache else None
    if stored and stored.is_file():
        with np.load(stored) as arrays:
            return arrays["ct"], arrays["pet"]
    if pair.ct.is_dir() or pair.pet.is_dir():
        ct, pet = _read_dicom_pair(pair.ct, pair.pet)
    else:
        ct_image = sitk.ReadImage(str(pair.ct))
        pet_image = sitk.ReadImage(str(pair.pet), sitk.sitkFloat32)
        pet_image = sitk.Resample(pet_image, ct_image, sitk.Transform(), sitk.sitkLinear, 0.0)
        ct = np.clip(sitk.GetArrayFromImage(ct_image), -1024, 3071).astype(np.int16)
        pet = sitk.GetArrayFromImage(pet_image).astype(np.float16)
    if stored:
        with atomic_path(stored) as part, part.open("wb") as out:
            np.savez(out, ct=ct, pet=pet)
    return ct, pet
