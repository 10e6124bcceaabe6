"""A DICOM series becomes a volume in HU or body-weight SUV."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.dataset import Dataset

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_grid import slice_grid
from MSIQALib.imaging.dicom_scan import DicomFile, read_header, scan_folder
from MSIQALib.imaging.dicom_series import choose_series
from MSIQALib.imaging.suv import SuvConversion, suv_conversion
from MSIQALib.imaging.volume import Modality, Volume


def read_dicom(
    path: Path,
    *,
    modality: Modality | None = None,
    series_uid: str | None = None,
    accept_gaps: bool = False,
) -> Volume:
    """Read one series of a DICOM folder, or the series that a file belongs to.

    Args:
        path: A folder with any mix of series, nested or not; or one file, whose series is looked
            for in its folder.
        modality: The modality wanted; None takes the only CT or PET series.
        series_uid: The series wanted, where there are several.
        accept_gaps: Fill missing slices with NaN instead of refusing the series.

    Returns:
        The volume; k ascends along the normal of the slices.

    Raises:
        InputError: See :mod:`MSIQALib.imaging.dicom_scan`, :mod:`~MSIQALib.imaging.dicom_series`,
            :mod:`~MSIQALib.imaging.dicom_grid` and :mod:`~MSIQALib.imaging.suv`; or the pixels of
            a file cannot be read.
    """
    if path.is_dir():
        files = scan_folder(path)
    else:
        asked_for = read_header(path)
        if not asked_for.is_slice:
            raise InputError(
                path,
                f"this DICOM file ({asked_for.modality}) holds no slice of a volume",
                "Give a CT or PET image, or the folder of its series",
            )
        files = scan_folder(path.parent, nested=False)
        series_uid = series_uid or asked_for.series_uid
    series = choose_series(files, path, modality=modality, series_uid=series_uid)
    if series.modality not in ("CT", "PT"):
        raise InputError(
            path, f"this is {series.description}, neither CT nor PET", "Give a CT or PET series"
        )
    multi_frame = next((file for file in series.files if file.frames > 1), None)
    if multi_frame is not None:
        raise InputError(
            multi_frame.path,
            f"it is an enhanced multi-frame object of {multi_frame.frames} frames, which are not "
            "read",
            "Export the series as single-frame DICOM, or convert it to NIfTI",
        )
    grid = slice_grid(series.files, path, accept_gaps=accept_gaps)
    headers = [file.header for file in series.files]
    is_pet = series.modality == "PT"
    conversion = suv_conversion(headers, path) if is_pet else SuvConversion(1.0)
    warnings = [*series.warnings, *grid.warnings, *conversion.warnings]
    if is_pet and not series.attenuation_corrected:
        warnings.append("The PET is not attenuation-corrected; its SUV are too low deep inside.")
    array, duplicates = _pixels(grid.slots, grid.geometry.size)
    if duplicates:
        warnings.append(f"{duplicates} slices are there twice, with the same pixels; one was kept.")
    if conversion.factor != 1.0:
        array *= np.float32(conversion.factor)
    return Volume(
        array=array,
        geometry=grid.geometry,
        modality="PT" if is_pet else "CT",
        unit="SUVbw" if is_pet else "HU",
        source=path,
        patient=_patient_digest(headers[0]),
        frame_of_reference=str(headers[0].get("FrameOfReferenceUID") or "") or None,
        series_uid=series.uid,
        description=series.description,
        warnings=tuple(warnings),
        missing_slices=grid.missing,
    )


def _pixels(
    slots: Sequence[Sequence[DicomFile]], size: tuple[int, int, int]
) -> tuple[npt.NDArray[np.float32], int]:
    """Read the slices in order, each with its own rescale slope and intercept.

    Returns:
        float32, shape (k, j, i), NaN where there is no file; and how many files were duplicates.
    """
    array = np.empty((len(slots), size[1], size[0]), dtype=np.float32)
    duplicates = 0
    for k, files in enumerate(slots):
        if not files:
            array[k] = np.nan
            continue
        array[k] = _read_slice(files[0].path)
        for other in files[1:]:
            if not np.array_equal(array[k], _read_slice(other.path)):
                raise InputError(
                    other.path,
                    f"it lies at the same position as {files[0].path.name}, with other pixels: two "
                    "acquisitions, time frames or gates under one series UID",
                    "Give one of them alone",
                )
            duplicates += 1
    return array, duplicates


def _read_slice(path: Path) -> npt.NDArray[np.float32]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetOutputPixelType(sitk.sitkFloat32)
    reader.SetFileName(str(path))
    try:
        plane: npt.NDArray[np.float32] = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise InputError(
            path,
            "its pixels cannot be read; the DICOM file is truncated or damaged, or compressed in a "
            "way that is not supported",
            "Export or copy the series again, uncompressed",
        ) from error
    return plane.reshape(plane.shape[-2:])


def _patient_digest(header: Dataset) -> str | None:
    """A one-way digest of the patient's ID, name and birth date; None where all are empty."""
    parts = []
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        text = str(header.get(keyword) or "")
        parts.append(re.sub(r"[\s^]+", " ", text).strip().upper())
    if not any(parts):
        return None
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
