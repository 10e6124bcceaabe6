"""PET/CT pairs in a folder of DICOM files as The Cancer Imaging Archive lays them out.

The layout is ``patient/study/series/*.dcm``, but only the headers are trusted: a patient is a
Patient ID, a pair is a PET and a CT in one frame of reference.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_scan import DicomFile, is_dicom, scan_folder
from MSIQALib.imaging.dicom_series import DicomSeries
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.volume import Volume

LEAST_SLICES = 5
LEAST_OVERLAP_MM = 20.0


@dataclass(frozen=True)
class PatientFolders:
    """Where the files of one patient lie.

    Attributes:
        key: A digest of the Patient ID. It tells patients apart and orders them; it is not written
            anywhere, since whoever has the IDs could compute it again.
        folders: Folders that hold files of the patient themselves, sorted.
    """

    key: str
    folders: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class SeriesPair:
    """A PET and a CT that belong together.

    Attributes:
        ct: The CT series.
        pet: The PET series.
        overlap_mm: Length along the patient that both cover.
    """

    ct: DicomSeries
    pet: DicomSeries
    overlap_mm: float

    def read(self) -> tuple[Volume, Volume]:
        """Give the CT in HU and the PET in SUV.

        Raises:
            InputError: A series cannot be used.
        """
        return (
            read_volume(_folder(self.ct), modality="CT", series_uid=self.ct.uid),
            read_volume(_folder(self.pet), modality="PT", series_uid=self.pet.uid),
        )


def find_patients(source: Path) -> tuple[PatientFolders, ...]:
    """Find the patients below a folder by one header of each folder.

    Args:
        source: Holds DICOM files at any depth, those of different patients in different folders.

    Returns:
        The patients by their key. Files without a Patient ID belong to none.

    Raises:
        InputError: There is no DICOM file with a Patient ID.
    """
    if not source.is_dir():
        raise InputError(source, "there is no such folder", "Give a folder of DICOM files")
    folders: dict[str, list[Path]] = {}
    for folder, names in _walk(source):
        first = next((folder / name for name in names if is_dicom(folder / name)), None)
        if first is None:
            continue
        try:
            header = pydicom.dcmread(first, force=True, specific_tags=["PatientID"])
        except (OSError, InvalidDicomError, ValueError):
            continue  # a damaged file is none of a patient's that we know
        key = _patient_key(header)
        if key:
            folders.setdefault(key, []).append(folder)
    if not folders:
        raise InputError(
            source,
            "there are no DICOM files with a Patient ID in it",
            "Give the folder that the archive's download tool made",
        )
    return tuple(PatientFolders(key, tuple(sorted(folders[key]))) for key in sorted(folders))


def find_pairs(patient: PatientFolders) -> tuple[SeriesPair, ...]:
    """Find a patient's PET/CT pairs, the most promising first.

    The PET is attenuation-corrected. The CT has its frame of reference; among several the one that
    covers more of the PET comes first, then the one with the wider field of view, which holds the
    whole body.

    Raises:
        InputError: A file is damaged, a folder mixes patients, or there is no pair; the cause names
            neither the patient nor a path.
    """
    files: list[DicomFile] = []
    for folder in patient.folders:
        files += scan_folder(folder, nested=False)
    if any(_patient_key(file.header) != patient.key for file in files):
        raise InputError(
            patient.folders[0], "a folder mixes files of several patients", "Sort the files"
        )
    grouped: dict[str, list[DicomFile]] = {}
    for file in files:
        if file.is_slice and file.frames == 1 and file.modality in ("CT", "PT"):
            grouped.setdefault(file.series_uid, []).append(file)
    series = [
        DicomSeries(uid, tuple(slices))
        for uid, slices in sorted(grouped.items())
        if len(slices) >= LEAST_SLICES
    ]
    pets = [one for one in series if one.modality == "PT" and one.attenuation_corrected]
    cts = [one for one in series if one.modality == "CT"]
    where = patient.folders[0]
    if not pets or not cts:
        lacking = " and no ".join(
            name for name, found in (("CT", cts), ("attenuation-corrected PET", pets)) if not found
        )
        raise InputError(where, f"there is no {lacking} series", "Give PET/CT examinations")
    pairs = [
        SeriesPair(ct, pet, _overlap_mm(ct, pet))
        for pet in pets
        for ct in cts
        if _frame(ct) and _frame(ct) == _frame(pet)
    ]
    if not pairs:
        raise InputError(
            where, "no CT series has a PET series' frame of reference", "Give PET/CT examinations"
        )
    pairs = [pair for pair in pairs if pair.overlap_mm >= LEAST_OVERLAP_MM]
    if not pairs:
        raise InputError(where, "CT and PET do not overlap", "Give PET/CT examinations")
    return tuple(
        sorted(pairs, key=lambda p: (-p.overlap_mm, -_field_mm(p.ct), p.ct.uid, p.pet.uid))
    )


def _walk(source: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders that hold files, in the order of their names on every system."""
    for folder, below, names in os.walk(source):
        below.sort()
        if names:
            yield Path(folder), sorted(names)


def _patient_key(header: Dataset) -> str | None:
    text = str(header.get("PatientID") or "").strip()
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def _frame(series: DicomSeries) -> str:
    return str(series.files[0].header.get("FrameOfReferenceUID") or "")


def _heights(series: DicomSeries) -> list[float]:
    """LPS z of the slices' first corners; one value for all where the slices are not axial."""
    positions = [file.header.get("ImagePositionPatient") for file in series.files]
    return sorted(float(position[2]) for position in positions if position)


def _overlap_mm(a: DicomSeries, b: DicomSeries) -> float:
    one, other = _heights(a), _heights(b)
    return min(one[-1], other[-1]) - max(one[0], other[0]) if one and other else 0.0


def _field_mm(series: DicomSeries) -> float:
    header = series.files[0].header
    spacing = header.get("PixelSpacing")
    return float(spacing[0]) * int(header.get("Rows") or 0) if spacing else 0.0


def _folder(series: DicomSeries) -> Path:
    parents = {str(file.path.parent) for file in series.files}
    return Path(os.path.commonpath(sorted(parents)))


def stack_order(seed: int, patients: tuple[PatientFolders, ...]) -> tuple[PatientFolders, ...]:
    """Put the patients in an order that depends on the seed and their IDs alone."""

    def place(patient: PatientFolders) -> str:
        return hashlib.sha256(f"{seed}/{patient.key}".encode()).hexdigest()

    return tuple(sorted(patients, key=place))


def fingerprint(seed: int, patients: tuple[PatientFolders, ...]) -> str:
    """A digest of which patients there are, salted, to notice a source that has changed."""
    keys = "\n".join(sorted(patient.key for patient in patients))
    return hashlib.sha256(f"{seed}\n{keys}".encode()).hexdigest()[:16]
