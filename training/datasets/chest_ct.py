"""Slices of CT volumes without a PET, with an uptake drawn for them.

Public PET/CT of the chest is rare, public CT of it is not; what a network must learn not to take
for specks, vessels in lungs, is in the CT.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from MSIQALib.atomic import atomic_path
from MSIQALib.imaging.orientation import to_axial
from MSIQALib.imaging.reader import IMAGE_SUFFIXES, read_volume
from MSIQALib.imaging.volume import Volume
from training.datasets.clean_slices import HU_RANGE, CleanSlice, FloatArray

logger = logging.getLogger(__name__)

TISSUE_HU = -300.0
LUNG_HU = -950.0
TISSUE_SUV, LUNG_SUV = 1.2, 0.4
PET_FWHM_MM = 7.0
UNEVEN_MM = 20.0
"""How far the drawn uptake stays alike."""

UNEVEN = 0.45
"""Standard deviation of its logarithm."""

SIGMA_OF_FWHM = 0.4247


def read_chest_ct(folder: Path, cache: Path | None = None) -> tuple[CleanSlice, ...]:
    """Read every axial slice of the CT volumes in a folder.

    Args:
        folder: Image files in HU. Where it is missing, nothing is read and a warning says so.
        cache: A folder for arrays that load faster than images; filled when it is empty.

    Raises:
        InputError: A volume cannot be used.
    """
    if not folder.is_dir():
        logger.warning("%s is missing: training goes on without CT of the chest", folder)
        return ()
    slices: list[CleanSlice] = []
    paths = sorted(p for p in folder.iterdir() if p.name.endswith(tuple(IMAGE_SUFFIXES)))
    for number, path in enumerate(paths):
        name = path.name.split(".")[0]
        stored = cache / f"chest-{name}.npz" if cache else None
        if stored and stored.is_file():
            with np.load(stored) as arrays:
                hu, suv = arrays["ct"], arrays["pet"]
        else:
            ct = to_axial(read_volume(path, modality="CT"))
            hu = np.clip(ct.array, *HU_RANGE).astype(np.int16)
            suv = draw_uptake(ct, np.random.default_rng(number)).astype(np.float16)
            if stored:
                with atomic_path(stored) as part, part.open("wb") as out:
                    np.savez(out, ct=hu, pet=suv)
        slices += [CleanSlice(name, c, p, own_pet=False) for c, p in zip(hu, suv, strict=True)]
    return tuple(slices)


def draw_uptake(ct: Volume, rng: np.random.Generator) -> FloatArray:
    """Draw an uptake that follows the anatomy: more in soft tissue, less in lungs, uneven.

    Args:
        ct: HU.
        rng: Source of randomness.

    Returns:
        SUV on the CT's grid, as smooth as a PET.
    """
    tissue = np.where(ct.array > TISSUE_HU, TISSUE_SUV, 0.0)
    tissue += np.where((ct.array > LUNG_HU) & (ct.array <= TISSUE_HU), LUNG_SUV, 0.0)
    field = gaussian_filter(
        rng.standard_normal(ct.array.shape).astype(np.float32), _voxels(ct, UNEVEN_MM)
    )
    uneven = np.exp(UNEVEN * field / field.std())
    smooth = gaussian_filter(tissue * uneven, _voxels(ct, PET_FWHM_MM * SIGMA_OF_FWHM))
    return np.asarray(smooth, np.float32)


def _voxels(ct: Volume, mm: float) -> npt.NDArray[np.float64]:
    return mm / np.asarray(ct.geometry.spacing[::-1])
