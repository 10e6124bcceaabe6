"""A folder of DICOM files becomes the volume that was scanned, or an error that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_factory import AXIAL, CORONAL, pet_header, ramp, write_series
from pydicom.uid import RLELossless, RTStructureSetStorage

from MSIQALib.errors import InputError
from MSIQALib.imaging.reader import read_volume


def test_slices_are_ordered_by_position_whatever_files_are_called(tmp_path: Path) -> None:
    values = ramp()
    write_series(tmp_path / "a" / "deep", values, origin=(-10, -20, -30), suffix="")
    (tmp_path / "a" / "notes.txt").write_text("no DICOM")
    (tmp_path / "tiny").write_bytes(b"\x08\x00")
    volume = read_volume(tmp_path, modality="CT")
    np.testing.assert_array_equal(volume.array, values)
    assert volume.array.dtype == np.float32
    assert volume.geometry.size == (10, 8, 6)
    assert volume.geometry.spacing == pytest.approx((2, 2, 3))
    assert volume.geometry.origin == pytest.approx((-10, -20, -30))
    assert (volume.modality, volume.unit, volume.warnings) == ("CT", "HU", ())


def test_rows_and_columns_have_their_own_spacing(tmp_path: Path) -> None:
    write_series(tmp_path, ramp(), spacing=(1.5, 2.5, 4.0))
    assert read_volume(tmp_path, modality="CT").geometry.spacing == pytest.approx((1.5, 2.5, 4.0))


def test_coronal_slices_ascend_along_their_normal(tmp_path: Path) -> None:
    values = ramp()
    write_series(tmp_path, values, orientation=CORONAL, origin=(5, 6, 7))
    volume = read_volume(tmp_path, modality="CT")
    np.testing.assert_array_equal(volume.array, values)
    # i to the left, j to the feet, k = i x j to the back.
    np.testing.assert_allclose(volume.geometry.ijk_to_lps @ [1, 1, 1, 1], [7, 9, 5, 1])


def test_each_pet_slice_has_its_own_rescale_slope(tmp_path: Path) -> None:
    values = np.arange(6.0)[:, None, None] * np.ones((6, 8, 10)) * 1000 + ramp(low=0)
    header = pet_header(Units="GML")
    slopes = [0.5, 0.25, 1.0, 0.5, 0.2, 1.0]
    write_series(
        tmp_path, values / 1000, modality="PT", slopes=np.divide(slopes, 1000), header=header
    )
    volume = read_volume(tmp_path, modality="PT")
    np.testing.assert_allclose(volume.array, values / 1000, atol=5.1e-4)
    assert volume.unit == "SUVbw"


def test_compressed_pixels_are_read(tmp_path: Path) -> None:
    values = ramp()
    write_series(tmp_path, values, syntax=RLELossless)
    np.testing.assert_array_equal(read_volume(tmp_path, modality="CT").array, values)


def test_ct_and_pet_may_lie_in_one_folder(tmp_path: Path) -> None:
    write_series(tmp_path, ramp(), seed=1)
    write_series(tmp_path, ramp(low=0) / 100, modality="PT", header=pet_header(Units="GML"),
                 slopes=[0.01] * 6, suffix=".ima", seed=2)  # fmt: skip
    assert read_volume(tmp_path, modality="CT").modality == "CT"
    pet = read_volume(tmp_path, modality="PT")
    assert pet.modality == "PT"
    assert pet.array.max() == pytest.approx(4.79)
    with pytest.raises(InputError, match="2 CT and PET series"):
        read_volume(tmp_path)


def test_one_file_stands_for_its_series(tmp_path: Path) -> None:
    first = write_series(tmp_path, ramp(), seed=1)
    write_series(tmp_path, ramp(low=0), seed=2, suffix=".ima")
    volume = read_volume(first[3], modality="CT")
    assert volume.array.min() == -1000
    assert volume.geometry.size[2] == 6


def test_two_ct_series_are_listed_and_one_can_be_asked_for(tmp_path: Path) -> None:
    write_series(tmp_path / "1", ramp(), series_uid="1.2.3", description="lung kernel")
    write_series(tmp_path / "2", ramp(low=-900), series_uid="1.2.4", description="soft tissue")
    with pytest.raises(InputError) as caught:
        read_volume(tmp_path, modality="CT")
    for part in ("lung kernel", "soft tissue", "1.2.3", "1.2.4", "--ct-series", "6 images", "2 mm"):
        assert part in str(caught.value)
    assert read_volume(tmp_path, modality="CT", series_uid="1.2.4").array.min() == -900
    with pytest.raises(InputError, match=r"1\.2\.5"):
        read_volume(tmp_path, modality="CT", series_uid="1.2.5")
    with pytest.raises(InputError, match="PET series is needed"):
        read_volume(tmp_path, modality="PT", series_uid="1.2.3")


def test_scouts_and_localizers_are_left_out(tmp_path: Path) -> None:
    def scout(_: int, data: pydicom.FileDataset) -> None:
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(tmp_path / "1", ramp())
    write_series(tmp_path / "2", ramp((2, 8, 10)), edit=scout)
    write_series(tmp_path / "3", ramp((1, 40, 10)))  # a scout that does not say so
    assert read_volume(tmp_path, modality="CT").geometry.size == (10, 8, 6)


def test_pet_without_attenuation_correction_gives_way(tmp_path: Path) -> None:
    corrected = pet_header(Units="GML")
    plain = pet_header(Units="GML", CorrectedImage=["DECY"])
    write_series(tmp_path / "1", ramp(low=0), modality="PT", header=plain, description="NAC")
    assert "not attenuation-corrected" in read_volume(tmp_path, modality="PT").warnings[0]
    write_series(tmp_path / "2", ramp(low=9), modality="PT", header=corrected, description="AC")
    volume = read_volume(tmp_path, modality="PT")
    assert volume.array.min() == 9
    assert "attenuation correction" in volume.warnings[0]


def test_gaps_are_named_and_can_be_accepted(tmp_path: Path) -> None:
    values = ramp((12, 8, 10))
    write_series(tmp_path, values, skip=(3, 7, 8), origin=(0, 0, 100))
    with pytest.raises(InputError) as caught:
        read_volume(tmp_path, modality="CT")
    for part in ("3 slices are missing", "1 between 106.0 and 112.0", "2 between 118.0 and 127.0"):
        assert part in str(caught.value)
    volume = read_volume(tmp_path, modality="CT", accept_gaps=True)
    assert volume.missing_slices == (3, 7, 8)
    assert "3 slices are missing" in volume.warnings[0]
    assert np.isnan(volume.array[[3, 7, 8]]).all()
    there = [0, 1, 2, 4, 5, 6, 9, 10, 11]
    np.testing.assert_array_equal(volume.array[there], values[there])
    assert volume.geometry.spacing[2] == pytest.approx(3.0)


def test_same_slice_twice_is_dropped_and_said(tmp_path: Path) -> None:
    values = ramp()
    write_series(tmp_path / "1", values, series_uid="1.2.3")
    write_series(tmp_path / "2", values[2:4], series_uid="1.2.3", origin=(0, 0, 6))
    volume = read_volume(tmp_path, modality="CT")
    np.testing.assert_array_equal(volume.array, values)
    assert "2 slices are there twice" in volume.warnings[0]


def test_other_pixels_at_the_same_position_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "1", ramp(), series_uid="1.2.3")
    write_series(tmp_path / "2", ramp(low=-999), series_uid="1.2.3")
    with pytest.raises(InputError, match="same position"):
        read_volume(tmp_path, modality="CT")


def move(shift: dict[int, float]):
    def edit(k: int, data: pydicom.FileDataset) -> None:
        x, y, z = data.ImagePositionPatient
        data.ImagePositionPatient = [x, y, z + shift.get(k, 0.0)]

    return edit


def test_uneven_spacing_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, ramp(), edit=move({3: 1.0, 4: 1.0, 5: 1.0}))
    with pytest.raises(InputError, match=r"unevenly spaced: 4\.000 mm between 6\.0 and 10\.0"):
        read_volume(tmp_path, modality="CT")


@pytest.mark.parametrize(("jitter", "warned"), [(0.02, False), (0.08, True)])
def test_small_jitter_is_taken_as_even(tmp_path: Path, jitter: float, warned: bool) -> None:
    write_series(tmp_path, ramp(), edit=move({5: jitter}))
    volume = read_volume(tmp_path, modality="CT")
    assert volume.geometry.spacing[2] == pytest.approx(3.0, abs=jitter / 4)
    assert any("not quite even" in sentence for sentence in volume.warnings) is warned


def test_gantry_tilt_is_refused_with_its_angle(tmp_path: Path) -> None:
    tilted = (1, 0, 0, 0, np.cos(np.radians(15)), np.sin(np.radians(15)))
    write_series(tmp_path, ramp(), orientation=tilted, step=(0, 0, 3))
    with pytest.raises(InputError, match=r"gantry tilt of 15\.0 degrees"):
        read_volume(tmp_path, modality="CT")


@pytest.mark.parametrize(
    ("keyword", "value", "what"),
    [
        ("ImageOrientationPatient", [0, 1, 0, -1, 0, 0], "orientations"),
        ("PixelSpacing", [2.1, 2.1], "pixel spacings"),
        ("Rows", 7, "matrix sizes"),
    ],
)
def test_slices_that_do_not_fit_together(tmp_path: Path, keyword, value, what) -> None:
    def edit(k: int, data: pydicom.FileDataset) -> None:
        if k == 2:
            setattr(data, keyword, value)

    write_series(tmp_path, ramp(), edit=edit)
    with pytest.raises(InputError, match=f"different {what} \\(1 of 6"):
        read_volume(tmp_path, modality="CT")


def test_header_without_orientation_is_named(tmp_path: Path) -> None:
    def edit(k: int, data: pydicom.FileDataset) -> None:
        if k == 2:
            del data.ImageOrientationPatient

    write_series(tmp_path, ramp(), edit=edit)
    with pytest.raises(InputError, match="0020,0037"):
        read_volume(tmp_path, modality="CT")


def test_one_slice_is_no_volume(tmp_path: Path) -> None:
    write_series(tmp_path, ramp((1, 8, 10)))
    with pytest.raises(InputError, match="only one slice"):
        read_volume(tmp_path, modality="CT")


def test_mr_in_place_of_pet(tmp_path: Path) -> None:
    write_series(tmp_path, ramp(), modality="MR")
    with pytest.raises(InputError, match="no PET series; found instead: 6 MR images"):
        read_volume(tmp_path, modality="PT")
    with pytest.raises(InputError, match="MR"):
        read_volume(next(tmp_path.iterdir()), modality="PT")


def test_pet_without_dose_says_so(tmp_path: Path) -> None:
    header = pet_header()
    del header.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
    write_series(tmp_path, ramp(low=0), modality="PT", header=header)
    with pytest.raises(InputError, match=r"Radionuclide Total Dose \(0018,1074\)"):
        read_volume(tmp_path, modality="PT")


def test_empty_folder_and_folder_without_dicom(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read_volume(tmp_path, modality="CT")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match="none of its 1 files"):
        read_volume(tmp_path, modality="CT")


@pytest.mark.parametrize("kept", [0.95, 0.5, 0.2])
def test_truncated_file_is_named(tmp_path: Path, kept: float) -> None:
    files = write_series(tmp_path, ramp((6, 32, 32)))
    content = files[2].read_bytes()
    files[2].write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="truncated") as caught:
        read_volume(tmp_path, modality="CT")
    assert files[2].name in str(caught.value)


def test_objects_without_pixels_are_no_images(tmp_path: Path) -> None:
    path = write_series(tmp_path, ramp((1, 8, 10)))[0]
    data = pydicom.dcmread(path)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = RTStructureSetStorage
    data.Modality = "RTSTRUCT"
    del data.PixelData
    data.save_as(path)
    with pytest.raises(InputError, match="RTSTRUCT"):
        read_volume(tmp_path, modality="CT")
    with pytest.raises(InputError, match="no slice"):
        read_volume(path, modality="CT")
    write_series(tmp_path, ramp(), seed=4, suffix=".ima")
    assert read_volume(tmp_path, modality="CT").geometry.size[2] == 6


def test_multi_frame_objects_are_refused_by_name(tmp_path: Path) -> None:
    def edit(_: int, data: pydicom.FileDataset) -> None:
        data.NumberOfFrames = 4
        data.PixelData = data.PixelData * 4

    write_series(tmp_path, ramp((1, 8, 10)), edit=edit)
    with pytest.raises(InputError, match="multi-frame object of 4 frames"):
        read_volume(tmp_path, modality="CT")


def test_patients_are_told_apart_without_keeping_their_names(tmp_path: Path) -> None:
    write_series(tmp_path / "1", ramp(), patient="SMITH", orientation=AXIAL)
    write_series(tmp_path / "2", ramp(), patient="SMITH")
    write_series(tmp_path / "3", ramp(), patient="JONES")
    one, same, other = (read_volume(tmp_path / name, modality="CT") for name in "123")
    assert one.patient == same.patient != other.patient
    assert "SMITH" not in repr(one)
