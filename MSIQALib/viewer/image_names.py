"""Which modality a NIfTI, NRRD or MHA file holds: by its name, else by its values."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MSIQALib.imaging.pairing import HU_BELOW
from MSIQALib.imaging.reader import IMAGE_SUFFIXES
from MSIQALib.imaging.volume import Modality

_PET = re.compile(r"(?<![a-z])(pet|pt|suv[a-z]*|fdg)(?![a-z])", re.IGNORECASE)
_CT = re.compile(r"(?<![a-z])(ct|ac-?ct|ctac)(?![a-z])", re.IGNORECASE)
_SUV = re.compile(r"(?<![a-z])suv", re.IGNORECASE)
_LABELS = re.compile(r"(?<![a-z])(seg|mask|label|roi|gtv)[a-z]*", re.IGNORECASE)


def is_image(path: Path) -> bool:
    """Whether the name ends as that of an image file which carries no modality."""
    return path.name.lower().endswith(IMAGE_SUFFIXES)


def stem(path: Path) -> str:
    """The name without its suffix, also where that has two parts (.nii.gz)."""
    name = path.name
    for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def modality_by_name(path: Path) -> Modality | None:
    """What the file's name says, else what its folder's does; None where neither tells."""
    for name in (stem(path), path.parent.name):
        pet, ct = _PET.search(name), _CT.search(name)
        if bool(pet) != bool(ct):  # neither, or "PET-CT"
            return "PT" if pet else "CT"
    return None


def modality_by_values(path: Path) -> Modality | None:
    """What the voxels say: HU go far below zero, SUV are fractions and do not.

    Returns:
        None for what is neither, such as a map of labels, and for what cannot be read.
    """
    if is_labels(path):
        return None
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        return None
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() not in (3, 4):
        return None
    array = sitk.GetArrayViewFromImage(image)
    lowest = float(np.min(array))
    if lowest < HU_BELOW:
        return "CT"
    return "PT" if np.issubdtype(array.dtype, np.floating) and float(np.max(array)) > 0 else None


def is_labels(path: Path) -> bool:
    """Whether the name is that of a segmentation."""
    return _LABELS.search(stem(path)) is not None


def says_suv(path: Path) -> bool:
    """Whether the name says that the values are SUV (others of the same PET may be Bq/ml)."""
    return _SUV.search(stem(path)) is not None


def examination(path: Path) -> str:
    """The name without its modality: the same for the CT and the PET of one examination."""
    rest = _CT.sub("", _PET.sub("", stem(path)))
    return re.sub(r"[\s._-]+", " ", rest).strip()
