"""One way to read a PET or CT volume from whatever it is stored as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_reader import read_dicom
from MSIQALib.imaging.dicom_scan import is_dicom
from MSIQALib.imaging.nifti_voxels import count_not_finite
from MSIQALib.imaging.pairing import HU_BELOW, not_finite
from MSIQALib.imaging.volume import Geometry, Modality, Unit, Volume

IMAGE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Formats without a modality, a patient or a frame of reference."""

_MOST_SUV = 500.0
_MOST_MEDIAN_SUV = 100.0


def read_volume(
    path: Path,
    *,
    modality: Modality | None = None,
    series_uid: str | None = None,
    accept_gaps: bool = False,
) -> Volume:
    """Read a PET or CT volume.

    Args:
        path: A DICOM folder or file, or a NIfTI, NRRD or MHA file. A CT there must be in HU and a
            PET in body-weight SUV, since these formats do not carry what a conversion needs.
        modality: What is wanted: "CT" or "PT".
        series_uid: The DICOM series wanted, where there are several.
        accept_gaps: Fill missing DICOM slices with NaN instead of refusing the series.

    Returns:
        CT in HU or PET in SUVbw.

    Raises:
        InputError: There is no such volume, or it cannot be used; the message says why.
    """
    if not path.exists():
        raise InputError(path, "there is no such file or folder", "Check the path")
    name = path.name.lower()
    if path.is_file() and name.endswith(IMAGE_SUFFIXES):
        if series_uid is not None:
            raise InputError(
                path, "a series UID was given, but this is no DICOM folder", "Leave the UID out"
            )
        return _read_image(path, modality)
    if path.is_dir() or is_dicom(path):
        return read_dicom(path, modality=modality, series_uid=series_uid, accept_gaps=accept_gaps)
    raise InputError(
        path,
        "this is neither DICOM nor a NIfTI, NRRD or MHA file",
        "Give a DICOM folder, or a file that ends in " + ", ".join(IMAGE_SUFFIXES),
    )


def _read_image(path: Path, modality: Modality | None) -> Volume:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        dimension, components = reader.GetDimension(), reader.GetNumberOfComponents()
        if dimension == 4 and reader.GetSize()[3] == 1:
            reader.SetExtractSize([*reader.GetSize()[:3], 0])
            dimension = 3
        if dimension != 3 or components != 1:
            shape = " x ".join(map(str, reader.GetSize()))
            raise InputError(
                path,
                f"it is no single 3-D volume ({shape}, {components} values a voxel)",
                "Give one time frame of a grey volume",
            )
        reader.SetOutputPixelType(sitk.sitkFloat32)
        image = reader.Execute()
        # The NIfTI library has turned NaN into 0 by now: look at the file itself.
        bad = count_not_finite(path) if path.name.lower().endswith((".nii", ".nii.gz")) else 0
    except (RuntimeError, OSError, EOFError) as error:
        raise InputError(
            path, "the image file is damaged or not what its name says", "Write or copy it again"
        ) from error
    if bad:
        raise not_finite(path, bad, "PET" if modality == "PT" else modality or "image")
    array = sitk.GetArrayFromImage(image)
    units: dict[Modality | None, Unit] = {"CT": "HU", "PT": "SUVbw"}
    if modality == "PT":
        _refuse_activity(array, path)
    return Volume(
        array=array,
        geometry=Geometry(
            size=image.GetSize(),
            spacing=image.GetSpacing(),
            origin=image.GetOrigin(),
            direction=image.GetDirection(),
        ),
        modality=None,  # what was asked for is not what the file says: the values must tell
        unit=units.get(modality, "unknown"),
        source=path,
        description=f"{path.name}, {array.shape[0]} slices",
    )


def _refuse_activity(suv: npt.NDArray[np.float32], path: Path) -> None:
    """Refuse a PET whose values are too high for SUV."""
    lowest, highest = float(suv.min()), float(suv.max())
    if not np.isfinite(highest) or lowest < HU_BELOW:
        return  # not finite, or a CT: the pairing says so, and knows the other volume
    sample = suv.ravel()[:: max(1, suv.size // 1_000_000)]
    uptake = sample[sample > 0]
    median = float(np.median(uptake)) if uptake.size else 0.0
    if highest > _MOST_SUV or median > _MOST_MEDIAN_SUV:
        raise InputError(
            path,
            f"its values go up to {highest:g}, too high for SUV; they are probably Bq/ml",
            "Give the PET as DICOM, or multiply it by weight in g / decay-corrected dose in Bq",
        )
