"""Small DICOM series, written as scanners write them: any file names, any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)
FRAME = "1.2.826.0.1.3680043.8.498.1"

_CLASSES = {
    "CT": CTImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "MR": MRImageStorage,
}


def tracer(**changes: object) -> Dataset:
    """A Radiopharmaceutical Information item: 370 MBq of F-18 at 10:00."""
    item = Dataset()
    item.RadiopharmaceuticalStartTime = "100000"
    item.RadionuclideTotalDose = 370e6
    item.RadionuclideHalfLife = 6586.2
    for keyword, value in changes.items():
        if value is None:
            delattr(item, keyword)
        else:
            setattr(item, keyword, value)
    return item


def pet_header(**changes: object) -> Dataset:
    """What a PET's header says about SUV: 70 kg, BQML, START, scan at 11:00."""
    header = Dataset()
    header.Units = "BQML"
    header.DecayCorrection = "START"
    header.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    header.PatientWeight = 70.0
    header.SeriesDate = header.AcquisitionDate = "20240310"
    header.SeriesTime = header.AcquisitionTime = "110000.00"
    header.RadiopharmaceuticalInformationSequence = DicomSequence([tracer()])
    for keyword, value in changes.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    return header


def write_series(
    folder: Path,
    array: np.ndarray,
    *,
    modality: str = "CT",
    spacing: Sequence[float] = (2.0, 2.0, 3.0),
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    orientation: Sequence[float] = AXIAL,
    step: Sequence[float] | None = None,
    skip: Sequence[int] = (),
    slopes: Sequence[float] | None = None,
    intercept: float = -1024.0,
    header: Dataset | None = None,
    series_uid: str | None = None,
    frame: str = FRAME,
    patient: str = "P1",
    description: str = "",
    suffix: str = ".dcm",
    seed: int = 0,
    edit: Callable[[int, FileDataset], None] | None = None,
    syntax: UID = ExplicitVRLittleEndian,
) -> list[Path]:
    """Write ``array`` (k, j, i) as one file a slice; k runs along the normal.

    Args:
        folder: Made where it is missing.
        array: Values in HU or in the PET's unit; stored as round((value - intercept) / slope).
        step: Millimetres from slice to slice as an LPS vector, where it is not along the normal.
        skip: Slices that are left out.
        slopes: Rescale slope of each slice.
        header: Elements that all files get.
        edit: Called with k and each data set before it is written.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    series_uid = series_uid or generate_uid()
    names = rng.permutation(10 * len(array))[: len(array)]
    numbers = rng.permutation(len(array)) + 1
    row, column = np.reshape(np.asarray(orientation, float), (2, 3))
    advance = np.cross(row, column) * spacing[2] if step is None else np.asarray(step, float)
    intercept = 0.0 if modality == "PT" else intercept
    written = []
    for k, plane in enumerate(array):
        if k in skip:
            continue
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = _CLASSES[modality]
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID = meta.MediaStorageSOPClassUID
        data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        data.Modality = modality
        data.ImageType = ["ORIGINAL", "PRIMARY"]
        data.PatientName, data.PatientID = f"Name^{patient}", patient
        data.SeriesDescription = description or f"{modality} series"
        data.SeriesInstanceUID, data.FrameOfReferenceUID = series_uid, frame
        data.InstanceNumber = int(numbers[k])
        position = np.asarray(origin, float) + k * advance
        data.ImagePositionPatient = [float(f"{value:.6f}") for value in position]
        data.ImageOrientationPatient = list(map(float, orientation))
        data.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.PixelRepresentation = 1
        slope = 1.0 if slopes is None else float(slopes[k])
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.PixelData = np.rint((plane - intercept) / slope).astype("<i2").tobytes()
        extra = pet_header() if header is None and modality == "PT" else header
        if extra is not None:
            data.update(extra)
        if edit is not None:
            edit(k, data)
        if syntax != ExplicitVRLittleEndian:
            data.compress(syntax)
        path = folder / f"img{names[k]:05d}{suffix}"
        data.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def ramp(shape: tuple[int, int, int] = (6, 8, 10), low: float = -1000.0) -> np.ndarray:
    """A volume in which every voxel has its own integer value."""
    return low + np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
