"""The phantom as two classic DICOM series (PS3.3 A.3 CT Image, A.21 PET Image)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
)

from MSIQALib.imaging.volume import Geometry
from MSIQALib.phantom.shapes import Array
from MSIQALib.version import __version__

WEIGHT_KG = 70.0
DOSE_BQ = 3.5e8
HALF_LIFE_S = 6586.2  # F-18
UPTAKE_S = 3600.0
_BED_MM, _BED_S = 150.0, 120.0
_CT_START = datetime(2024, 1, 15, 10, 0, 0)
_PET_START = datetime(2024, 1, 15, 10, 2, 0)
_NAMESPACE = uuid.UUID("6f1b5b56-6d73-5971-8a70-68616e746f6d")


def bqml_per_suv() -> float:
    """Activity concentration in Bq/ml of SUV 1 at the start of the PET series."""
    at_start = DOSE_BQ * 2.0 ** (-UPTAKE_S / HALF_LIFE_S)
    return at_start / (WEIGHT_KG * 1000.0)


@dataclass(frozen=True)
class StudyIdentity:
    """All UIDs of a phantom, derived from what makes it that phantom.

    Attributes:
        key: A text that names the phantom (seed, slices, range, recipe).
        seed: Its seed, for the patient's ID.
    """

    key: str
    seed: int

    def uid(self, *what: object) -> UID:
        """A UID under 2.25 (PS3.5 B.2), always the same for the same things."""
        name = "/".join([self.key, *map(str, what)])
        return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def write_ct_slice(
    folder: Path, hu: Array, k: int, geometry: Geometry, identity: StudyIdentity
) -> Path:
    """Write one CT slice.

    Args:
        folder: The series' folder.
        hu: (rows, columns) in HU.
        k: Its index, 0 the lowest.
        geometry: The CT grid.
        identity: UIDs.

    Returns:
        The file.
    """
    image = _image(CTImageStorage, "CT", k, geometry, identity)
    image.SeriesNumber = 2
    image.SeriesDescription = "CT torso, phantom"
    _stamp(image, _CT_START, _CT_START)
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.KVP = 120
    image.XRayTubeCurrent = 180
    image.ExposureTime = 500
    image.ConvolutionKernel = "B"
    image.DataCollectionDiameter = geometry.spacing[0] * geometry.size[0]
    image.ReconstructionDiameter = geometry.spacing[0] * geometry.size[0]
    image.GantryDetectorTilt = 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
    image.WindowCenter, image.WindowWidth = 40, 400
    _pixels(image, np.rint(hu + 1024.0).astype("<i2"))
    return _save(image, folder)


def write_pet_slice(
    folder: Path, suv: Array, k: int, geometry: Geometry, identity: StudyIdentity
) -> Path:
    """Write one PET slice in Bq/ml, corrected for decay to the start of the series.

    Args:
        folder: The series' folder.
        suv: (rows, columns) in body-weight SUV.
        k: Its index, 0 the lowest.
        geometry: The PET grid.
        identity: UIDs.

    Returns:
        The file.
    """
    image = _image(PositronEmissionTomographyImageStorage, "PT", k, geometry, identity)
    image.SeriesNumber = 3
    image.SeriesDescription = "FDG PET torso, phantom"
    # Bed positions follow each other from the pelvis up; activity stays that of the series' start.
    bed_s = int(k * geometry.spacing[2] // _BED_MM) * _BED_S
    _stamp(image, _PET_START, _PET_START + timedelta(seconds=bed_s))
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.Units = "BQML"
    image.CountsSource = "EMISSION"
    image.SeriesType = ["WHOLE BODY", "IMAGE"]
    image.NumberOfSlices = geometry.size[2]
    image.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    image.DecayCorrection = "START"
    image.CollimatorType = "NONE"
    image.RandomsCorrectionMethod = "NONE"
    image.AttenuationCorrectionMethod = "CT"
    image.ScatterCorrectionMethod = "MODEL"
    image.ReconstructionMethod = "SIMULATED"
    image.ActualFrameDuration = int(_BED_S * 1000)
    image.FrameReferenceTime = (bed_s + _BED_S / 2.0) * 1000.0
    image.DecayFactor = round(2.0 ** ((bed_s + _BED_S / 2.0) / HALF_LIFE_S), 6)
    image.ImageIndex = geometry.size[2] - k
    image.RadiopharmaceuticalInformationSequence = Sequence([_fluorodeoxyglucose()])
    bqml = suv * np.float32(bqml_per_suv())
    # DS holds 16 characters: round first, so that stored values and slope belong together.
    slope = float(f"{max(float(bqml.max()), 1.0) / 32767.0:.9g}")
    image.RescaleIntercept, image.RescaleSlope = 0, slope
    stored = np.clip(np.rint(bqml / slope), 0, 32767).astype("<i2")
    _pixels(image, stored)
    return _save(image, folder)


def _image(
    sop_class: UID, modality: str, k: int, geometry: Geometry, identity: StudyIdentity
) -> FileDataset:
    """Patient, study, series, equipment and plane: what both kinds of image share."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = identity.uid(modality, "image", k)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(f"2.25.{_NAMESPACE.int}")
    meta.ImplementationVersionName = "MSIQA_PHANTOM"
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = sop_class
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName = "Phantom^MSIQA"
    image.PatientID = f"MSIQA-PHANTOM-{identity.seed}"
    image.PatientBirthDate, image.PatientSex = "", "O"
    image.PatientWeight, image.PatientSize = WEIGHT_KG, 1.75
    image.StudyInstanceUID = identity.uid("study")
    image.StudyID, image.AccessionNumber = "1", ""
    image.StudyDescription = "Computer-generated PET/CT phantom"
    image.ReferringPhysicianName = ""
    image.Modality = modality
    image.SeriesInstanceUID = identity.uid(modality, "series")
    image.PatientPosition = "HFS"
    image.FrameOfReferenceUID = identity.uid("frame of reference")
    image.PositionReferenceIndicator = ""
    image.Manufacturer = "MSIQA"
    image.ManufacturerModelName = "Digital phantom"
    image.SoftwareVersions = __version__
    image.InstanceNumber = geometry.size[2] - k  # image 1 is the uppermost
    image.AcquisitionNumber = 1
    x, y, z = geometry.origin
    z += k * geometry.spacing[2]
    image.ImagePositionPatient = [round(x, 5), round(y, 5), round(z, 5)]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [round(geometry.spacing[1], 8), round(geometry.spacing[0], 8)]
    image.SliceThickness = round(geometry.spacing[2], 5)
    image.SliceLocation = round(z, 5)
    image.BurnedInAnnotation = "NO"
    # The patient lies on the back, head first.
    image.PatientOrientationCodeSequence = Sequence([_code("102538003", "SCT", "recumbent")])
    image.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = Sequence(
        [_code("40199007", "SCT", "supine")]
    )
    image.PatientGantryRelationshipCodeSequence = Sequence([_code("102540008", "SCT", "headfirst")])
    return image


def _stamp(image: Dataset, series: datetime, acquisition: datetime) -> None:
    """Dates and times."""
    for what, when in (
        ("Study", _CT_START),
        ("Series", series),
        ("Acquisition", acquisition),
        ("Content", acquisition),
        ("InstanceCreation", acquisition),
    ):
        setattr(image, f"{what}Date", f"{when:%Y%m%d}")
        setattr(image, f"{what}Time", f"{when:%H%M%S}")


def _fluorodeoxyglucose() -> Dataset:
    """The injected dose, with times of the same day."""
    injected = _PET_START - timedelta(seconds=UPTAKE_S)
    drug = Dataset()
    drug.Radiopharmaceutical = "Fluorodeoxyglucose"
    drug.RadiopharmaceuticalStartTime = f"{injected:%H%M%S}"
    drug.RadiopharmaceuticalStartDateTime = f"{injected:%Y%m%d%H%M%S}"
    drug.RadionuclideTotalDose = DOSE_BQ
    drug.RadionuclideHalfLife = HALF_LIFE_S
    drug.RadionuclidePositronFraction = 0.967
    drug.RadionuclideCodeSequence = Sequence([_code("77004003", "SCT", "^18^Fluorine")])
    drug.RadiopharmaceuticalCodeSequence = Sequence(
        [_code("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    )
    return drug


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _pixels(image: Dataset, stored: np.ndarray) -> None:
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 1
    image.PixelData = np.ascontiguousarray(stored).tobytes()
    image["PixelData"].VR = "OW"


def _save(image: FileDataset, folder: Path) -> Path:
    path = folder / f"{image.Modality}_{image.InstanceNumber:04d}.dcm"
    image.save_as(path, enforce_file_format=True)
    return path
