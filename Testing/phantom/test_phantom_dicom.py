"""The phantom on disk: what another program reads from the DICOM files."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import UID

from MSIQALib.errors import OutputError
from MSIQALib.phantom import Phantom, build_phantom, make_phantom
from MSIQALib.phantom.staging import moved_in_at_the_end

EXTENT = {"slices": 6, "extent_mm": (250.0, 274.0)}

# Type 1 (must be there, with a value) and type 2 (must be there) attributes of PS3.3: patient,
# study, series, frame of reference, equipment, image plane, image pixel, SOP common.
COMMON_TYPE_1 = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "ImageType",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "RescaleIntercept",
    "RescaleSlope",
    "PatientPosition",
]
COMMON_TYPE_2 = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "InstanceNumber",
    "PositionReferenceIndicator",
    "Manufacturer",
    "SliceThickness",
    "AcquisitionNumber",
]
# C.8.9.1 PET Series, C.8.9.2 PET Isotope, C.8.9.4 PET Image, C.8.9.5 PET Orientation
PET_TYPE_1 = [
    "SeriesDate",
    "SeriesTime",
    "Units",
    "CountsSource",
    "SeriesType",
    "NumberOfSlices",
    "DecayCorrection",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "DecayFactor",
    "ImageIndex",
    "AcquisitionDate",
    "AcquisitionTime",
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
]
PET_TYPE_2 = ["CollimatorType", "CorrectedImage"]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Phantom:
    return make_phantom(tmp_path_factory.mktemp("phantom") / "study", **EXTENT)


def headers(folder: Path) -> list[pydicom.FileDataset]:
    """All images of a folder from the feet up."""
    images = [pydicom.dcmread(path) for path in folder.iterdir()]
    return sorted(images, key=lambda image: image.ImagePositionPatient[2])


def test_files_are_complete_dicom(phantom):
    for folder, sop_class, modality in (
        (phantom.ct, "1.2.840.10008.5.1.4.1.1.2", "CT"),
        (phantom.pet, "1.2.840.10008.5.1.4.1.1.128", "PT"),
    ):
        for image in headers(folder):
            required = COMMON_TYPE_1 + (PET_TYPE_1 if modality == "PT" else ["KVP"])
            for name in required:
                assert name in image, (modality, name)
                assert image[name].value not in (None, "", []), (modality, name)
            for name in COMMON_TYPE_2 + (PET_TYPE_2 if modality == "PT" else []):
                assert name in image, (modality, name)
            assert image.Modality == modality
            assert image.SOPClassUID == sop_class == image.file_meta.MediaStorageSOPClassUID
            assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
            assert image.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
            assert len(image.PixelData) == 2 * image.Rows * image.Columns
            for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
                uid = UID(image[name].value)
                assert uid.is_valid
                assert uid.startswith("2.25.")


def test_values_keep_to_their_dicom_representation(phantom):
    before = pydicom.config.settings.reading_validation_mode
    pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
    try:
        for folder in (phantom.ct, phantom.pet):
            for image in headers(folder):
                for element in image.iterall():
                    assert element.value is not None or element.is_empty
    finally:
        pydicom.config.settings.reading_validation_mode = before


def test_both_series_belong_to_one_study_and_frame_of_reference(phantom):
    ct, pet = headers(phantom.ct), headers(phantom.pet)
    for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert len({image[name].value for image in ct + pet}) == 1
    assert {image.SeriesInstanceUID for image in ct}.isdisjoint(i.SeriesInstanceUID for i in pet)
    assert len({image.SeriesInstanceUID for image in ct}) == 1
    assert len({image.SOPInstanceUID for image in ct + pet}) == len(ct) + len(pet)
    assert str(ct[0].PatientName) == "Phantom^MSIQA"
    assert [image.InstanceNumber for image in ct] == list(range(len(ct), 0, -1))


def test_simpleitk_reads_hu_on_the_stated_grid(phantom):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(phantom.ct)))
    image = reader.Execute()
    geometry = phantom.ct_geometry
    assert image.GetSize() == geometry.size
    assert image.GetSpacing() == pytest.approx(geometry.spacing, abs=1e-4)
    assert image.GetOrigin() == pytest.approx(geometry.origin, abs=1e-4)
    assert image.GetDirection() == geometry.direction
    truth = build_phantom(**EXTENT).ct.array
    assert np.abs(sitk.GetArrayFromImage(image) - truth).max() < 0.501


def test_suv_from_the_header_is_what_was_simulated(phantom):
    truth = build_phantom(**EXTENT).pet
    images = headers(phantom.pet)
    assert len(images) == truth.geometry.size[2]
    beds = set()
    for k, image in enumerate(images):
        assert (image.Units, image.DecayCorrection) == ("BQML", "START")
        drug = image.RadiopharmaceuticalInformationSequence[0]
        # PS3.3 C.8.9.1.1.4: START means decay-corrected to the series' start.
        injected, start = (
            datetime.datetime.strptime(str(time), "%H%M%S")
            for time in (drug.RadiopharmaceuticalStartTime, image.SeriesTime)
        )
        waited = (start - injected).total_seconds()
        assert waited == 3600
        assert float(drug.RadionuclideHalfLife) == 6586.2
        left = float(drug.RadionuclideTotalDose) * math.exp(-math.log(2) * waited / 6586.2)
        bqml = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
        suv = bqml * float(image.PatientWeight) * 1000.0 / left
        assert np.abs(suv - truth.array[k]).max() < 1e-4 * max(float(truth.array[k].max()), 1.0)
        position = [float(v) for v in image.ImagePositionPatient]
        expected = truth.geometry.ijk_to_lps @ [0, 0, k, 1]
        assert position == pytest.approx(list(expected[:3]), abs=1e-4)
        beds.add(str(image.AcquisitionTime))
    assert len({float(image.RescaleSlope) for image in images}) > 1
    assert min(beds) == images[0].SeriesTime


def test_description_says_which_slices_are_poorer(tmp_path):
    phantom = make_phantom(tmp_path / "out", slices=4, extent_mm=(200.0, 300.0))
    said = json.loads(phantom.description.read_text(encoding="utf-8"))
    assert said["ct"] == {"slices": 4, "first_mm": 212.5, "spacing_mm": 25.0}
    counts, breathing = said["degradations"]
    assert (counts["start_mm"], counts["stop_mm"], counts["pet_counts"]) == (90.0, 230.0, 0.2)
    assert counts["ct_slices"] == [0]
    assert breathing["motion_mm"] > 0
    assert breathing["ct_slices"] == []  # its highest slice is at 287.5 mm
    assert len(said["lesions"]) == 5


def test_same_seed_writes_the_same_bytes(phantom, tmp_path):
    again = make_phantom(tmp_path / "again", **EXTENT)
    for ours, theirs in ((phantom.ct, again.ct), (phantom.pet, again.pet)):
        names = sorted(path.name for path in ours.iterdir())
        assert names == sorted(path.name for path in theirs.iterdir())
        for name in names:
            assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert phantom.description.read_bytes() == again.description.read_bytes()


SMALL = {"slices": 2, "extent_mm": (520.0, 540.0)}


def test_what_is_there_is_kept_unless_overwriting_is_allowed(tmp_path):
    (tmp_path / "PET").mkdir()
    mine = tmp_path / "PET" / "mine.dcm"
    mine.write_text("precious")
    with pytest.raises(OutputError, match=r"PET.*overwrit"):
        make_phantom(tmp_path, **SMALL)
    assert mine.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["PET"]
    phantom = make_phantom(tmp_path, overwrite=True, **SMALL)
    assert not mine.exists()
    assert len(list(phantom.ct.iterdir())) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CT", "PET", "phantom.json"]


def test_empty_folders_may_be_filled(tmp_path):
    (tmp_path / "CT").mkdir()
    assert len(list(make_phantom(tmp_path, **SMALL).ct.iterdir())) == 2


def test_stopped_half_way_leaves_nothing_and_takes_nothing(tmp_path):
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        make_phantom(tmp_path / "new", progress=stop, **SMALL)
    assert list((tmp_path / "new").iterdir()) == []
    old = make_phantom(tmp_path / "old", **SMALL)
    before = {path: path.read_bytes() for path in (tmp_path / "old").rglob("*.*")}
    with pytest.raises(StopError):
        make_phantom(tmp_path / "old", overwrite=True, progress=stop, seed=1, **SMALL)
    assert {p: p.read_bytes() for p in (tmp_path / "old").rglob("*.*")} == before
    assert old.ct.is_dir()


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="file"):
        make_phantom(tmp_path / "file" / "study", **SMALL)
    with pytest.raises(OutputError, match="file"):
        make_phantom(tmp_path / "file", **SMALL)


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # a CT slice is 526 kB
    try:
        with pytest.raises(OutputError, match=r"cannot be written"):
            make_phantom(tmp_path / "out", **SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "out").iterdir()) == []


def test_bed_positions_follow_each_other_and_share_the_series_start(tmp_path):
    phantom = make_phantom(tmp_path, slices=3, extent_mm=(0.0, 540.0))
    images = headers(phantom.pet)
    assert len({image.SeriesTime for image in images}) == 1
    times = [str(image.AcquisitionTime) for image in images]
    assert times == sorted(times)
    assert len(set(times)) >= 3
    assert times[0] == images[0].SeriesTime
    # Bq/ml at the series' start is the same activity at every bed: the bladder, hot, is lowest.
    peaks = [float((image.pixel_array * float(image.RescaleSlope)).max()) for image in images]
    assert max(peaks) < 20.0 * 3.5e8 / 70_000.0


def test_a_move_that_fails_puts_everything_back(tmp_path):
    for name in ("CT", "PET"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text(name)
    with (
        pytest.raises(OutputError),
        moved_in_at_the_end(tmp_path, ("CT", "PET")) as part,
    ):
        (part / "CT").mkdir()  # but no PET, so that the second move fails
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CT", "PET"]
    for name in ("CT", "PET"):
        assert (tmp_path / name / "old").read_text() == name
