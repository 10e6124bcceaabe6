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
from MSIQALib.imaging.resampling import SliceResampler
from MSIQALib.imaging.volume import Volume
from MSIQALib.phantom import build_phantom
from training.datasets.volume_pairs import PairPaths, find_pairs

FloatArray = npt.NDArray[np.float32]

PHANTOM_SLICES = 48
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class CleanSlice:
    """One undistorted slice.

    Attributes:
        source: The volume it is from.
        ct: (H, W) int16 in HU.
        pet: (H, W) float16 SUV on the CT grid.
        own_pet: Whether the PET came with the CT; False where its uptake was drawn for it.
    """

    source: str
    ct: npt.NDArray[np.int16]
    pet: npt.NDArray[np.float16]
    own_pet: bool = True


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
    pair: PairPaths, cache: Path | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float16]]:
    stored = cache / f"{pair.name}.npz" if cache else None
    if stored and stored.is_file():
        with np.load(stored) as arrays:
            return arrays["ct"], arrays["pet"]
    ct, pet = pair.read()
    # The shipped weights learnt from image files as ITK resamples them, every plane of the CT,
    # which SliceResampler repeats but for the outermost voxels.
    planes, suv = _resample_by_itk(ct, pet) if pair.are_images else _covered(ct, pet)
    hu, suv = np.clip(planes, *HU_RANGE).astype(np.int16), suv.astype(np.float16)
    if stored:
        with atomic_path(stored) as part, part.open("wb") as out:
            np.savez(out, ct=hu, pet=suv)
    return hu, suv


def _covered(ct: Volume, pet: Volume) -> tuple[FloatArray, FloatArray]:
    """The CT's axial planes that the PET covers, and the PET on them; the others fuse nothing."""
    ct, pet = to_axial(ct), along_patient_axes(pet)
    resample = SliceResampler(pet, ct.geometry)
    kept = [k for k in range(len(ct.array)) if resample.covers(k)]
    if not kept:
        raise InputError(ct.source, "the PET covers none of its slices", "Give a PET/CT pair")
    return ct.array[kept], np.stack([resample(k) for k in kept])


def _resample_by_itk(ct: Volume, pet: Volume) -> tuple[FloatArray, FloatArray]:
    """All planes of the CT as they lie in the file, and the PET on them, 0 outside of it."""
    on_ct = sitk.Resample(_image(pet), _image(ct), sitk.Transform(), sitk.sitkLinear, 0.0)
    return ct.array, sitk.GetArrayFromImage(on_ct)


def _image(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(volume.geometry.direction)
    return image
