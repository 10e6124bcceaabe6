"""Finding the DICOM files of a folder and reading the headers that matter."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    MediaStorageDirectoryStorage,
    PositronEmissionTomographyImageStorage,
)

from MSIQALib.errors import InputError

logger = logging.getLogger(__name__)

_PIXEL_DATA = 0x7FE00010
_IMAGE_CLASSES = frozenset(
    {
        CTImageStorage,
        PositronEmissionTomographyImageStorage,
        EnhancedCTImageStorage,
        EnhancedPETImageStorage,
    }
)

PHILIPS_SUV_FACTOR = 0x70531000
PHILIPS_ACTIVITY_FACTOR = 0x70531009
GE_SCAN_DATETIME = 0x0009100D

_KEYWORDS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "Modality",
    "SeriesDescription",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientWeight",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "CorrectedImage",
    "Units",
    "SUVType",
    "DecayCorrection",
    "RadiopharmaceuticalInformationSequence",
    "PixelData",
)
_PRIVATE = (GE_SCAN_DATETIME, PHILIPS_SUV_FACTOR, PHILIPS_ACTIVITY_FACTOR)


@dataclass(frozen=True, eq=False)
class DicomFile:
    """One DICOM file's header.

    Attributes:
        path: Where it lies.
        header: The elements that the readers look at, without pixels.
        has_pixels: Whether the file holds Pixel Data (7FE0,0010).
    """

    path: Path
    header: Dataset
    has_pixels: bool

    @property
    def modality(self) -> str:
        """Modality (0008,0060), "?" where it is missing."""
        return str(self.header.get("Modality") or "?")

    @property
    def series_uid(self) -> str:
        """Series Instance UID (0020,000E), empty where it is missing."""
        return str(self.header.get("SeriesInstanceUID") or "")

    @property
    def is_slice(self) -> bool:
        """Whether this can be a slice of a volume: has pixels, is grey and no localizer."""
        image_type = [str(word).upper() for word in self.header.get("ImageType") or ()]
        return (
            self.has_pixels
            and "LOCALIZER" not in image_type
            and "SCREEN SAVE" not in image_type
            and int(self.header.get("SamplesPerPixel") or 1) == 1
            and ("ImagePositionPatient" in self.header or self.frames > 1)
        )

    @property
    def frames(self) -> int:
        """Number of Frames (0028,0008)."""
        return int(self.header.get("NumberOfFrames") or 1)


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM does: with the preamble, or with a group 0008 element.

    Args:
        path: Any file.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(132)
    except OSError as error:
        raise InputError(
            path, f"the file cannot be read ({error.strerror})", "Check its permissions"
        ) from error
    return start[128:132] == b"DICM" or start[:2] == b"\x08\x00"


def scan_folder(folder: Path, *, nested: bool = True) -> list[DicomFile]:
    """Read the headers of all DICOM files below a folder.

    Other files are passed over, and so is the index that media carry (DICOMDIR).

    Args:
        folder: Where to look.
        nested: Look into the folders below, too.

    Returns:
        The files, sorted by path.

    Raises:
        InputError: There are no DICOM files, or one is damaged.
    """
    paths = [path for path in folder.glob("**/*" if nested else "*") if path.is_file()]
    files = list(_headers(sorted(path for path in paths if is_dicom(path))))
    logger.debug("%d of %d files are DICOM", len(files), len(paths))
    if files:
        return files
    if paths:
        raise InputError(
            folder,
            f"none of its {len(paths)} files is a DICOM file",
            "Give the folder of a DICOM series, or a NIfTI, NRRD or MHA file itself",
        )
    raise InputError(folder, "the folder is empty", "Give the folder of a DICOM series")


def read_header(path: Path) -> DicomFile:
    """Read one file's header.

    Raises:
        InputError: The file is damaged or no DICOM file.
    """
    try:
        # Deferred reading leaves the pixels on the disk, yet tells that they are there.
        tags = [*map(Tag, _KEYWORDS), *map(Tag, _PRIVATE)]
        header = pydicom.dcmread(path, force=True, defer_size=4096, specific_tags=tags)
        has_pixels = _PIXEL_DATA in header
        if has_pixels:
            del header[_PIXEL_DATA]
    except (
        OSError,
        EOFError,
        InvalidDicomError,
        ValueError,
        KeyError,
        NotImplementedError,
    ) as error:
        raise _damaged(path) from error
    meta = getattr(header, "file_meta", None)
    sop_class = str(header.get("SOPClassUID") or (meta and meta.get("MediaStorageSOPClassUID")))
    if sop_class == MediaStorageDirectoryStorage:
        return DicomFile(path, header, has_pixels=False)
    if not meta and not header.get("SOPClassUID"):
        return DicomFile(path, Dataset(), has_pixels=False)  # begins like DICOM by chance
    if not header.get("SeriesInstanceUID") or (sop_class in _IMAGE_CLASSES and not has_pixels):
        raise _damaged(path)
    return DicomFile(path, header, has_pixels)


def _headers(paths: Iterable[Path]) -> Iterable[DicomFile]:
    for path in paths:
        file = read_header(path)
        if file.series_uid:
            yield file


def _damaged(path: Path) -> InputError:
    return InputError(
        path,
        "the DICOM file is truncated or damaged",
        "Export or copy the series again; remove the file if it does not belong to it",
    )
