"""NIfTI, NRRD and MHA: geometry and values, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from volumes import make_ct, make_pet, make_volume, rotation, to_itk

from MSIQALib.errors import InputError
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import fuse_study


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NRRD", ".mha", ".mhd"])
def test_values_and_place_are_kept(tmp_path: Path, suffix: str) -> None:
    made = make_ct((4, 5, 6), origin=(1, -2, 3), direction=rotation(0, 90).ravel())
    path = tmp_path / f"CT{suffix.lower()}"
    sitk.WriteImage(to_itk(made), str(path))
    if suffix != suffix.lower():
        path = path.rename(tmp_path / f"CT{suffix}")
    volume = read_volume(path, modality="CT")
    np.testing.assert_array_equal(volume.array, made.array)
    np.testing.assert_allclose(volume.geometry.ijk_to_lps, made.geometry.ijk_to_lps, atol=1e-5)
    assert (volume.unit, volume.modality, volume.array.dtype) == ("HU", None, np.float32)


def test_integers_are_scaled_and_one_time_frame_is_a_volume(tmp_path: Path) -> None:
    image = sitk.JoinSeries([sitk.Cast(to_itk(make_ct((4, 5, 6))), sitk.sitkInt16)])
    assert image.GetDimension() == 4
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    assert read_volume(tmp_path / "ct.nii.gz", modality="CT").array.shape == (4, 5, 6)


def test_time_series_and_colours_are_refused(tmp_path: Path) -> None:
    one = to_itk(make_pet((4, 5, 6)))
    sitk.WriteImage(sitk.JoinSeries([one, one]), str(tmp_path / "4d.nii"))
    sitk.WriteImage(sitk.Compose([one, one, one]), str(tmp_path / "rgb.nrrd"))
    with pytest.raises(InputError, match="6 x 5 x 4 x 2, 1 values"):
        read_volume(tmp_path / "4d.nii", modality="PT")
    with pytest.raises(InputError, match="3 values a voxel"):
        read_volume(tmp_path / "rgb.nrrd", modality="PT")


def test_activity_in_place_of_suv_is_refused(tmp_path: Path) -> None:
    pet = make_pet((4, 5, 6))
    for scale, name in ((3000.0, "high"), (150 / np.median(pet.array), "median")):
        sitk.WriteImage(to_itk(make_volume(pet.array * scale)), str(tmp_path / f"{name}.nii"))
        with pytest.raises(InputError, match="Bq/ml"):
            read_volume(tmp_path / f"{name}.nii", modality="PT")
    sitk.WriteImage(to_itk(make_volume(pet.array * 20)), str(tmp_path / "hot.nii"))
    assert read_volume(tmp_path / "hot.nii", modality="PT").unit == "SUVbw"


def test_swapped_files_and_nan(tmp_path: Path) -> None:
    ct, pet = tmp_path / "ct.nii", tmp_path / "pet.nii"
    sitk.WriteImage(to_itk(make_ct()), str(ct))
    broken = make_pet().array.copy()
    broken[0, 0, :3] = np.nan
    sitk.WriteImage(to_itk(make_pet()), str(pet))
    with pytest.raises(InputError, match="each other's place"):
        fuse_study(read_volume(pet, modality="CT"), read_volume(ct, modality="PT"))
    sitk.WriteImage(to_itk(make_volume(broken)), str(pet))
    with pytest.raises(InputError, match="3 voxels of the PET"):
        read_volume(pet, modality="PT")


@pytest.mark.parametrize("kind", [sitk.sitkFloat32, sitk.sitkFloat64])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_nan_in_any_format_is_counted(tmp_path: Path, suffix: str, kind: int) -> None:
    array = make_ct().array.copy()
    array[1, 2, 3], array[2, 0, 0] = np.nan, np.inf
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(sitk.Cast(to_itk(make_volume(array)), kind), str(path))
    with pytest.raises(InputError, match="2 voxels of the CT"):
        fuse_study(read_volume(path, modality="CT"), None)


def test_files_that_are_no_volumes(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(InputError, match="damaged"):
        read_volume(tmp_path / "a.nii.gz", modality="CT")
    with pytest.raises(InputError, match="neither DICOM nor"):
        read_volume(tmp_path / "a.csv", modality="CT")
    with pytest.raises(InputError, match="no such file"):
        read_volume(tmp_path / "b.nii", modality="CT")
    with pytest.raises(InputError, match="UID"):
        read_volume(tmp_path / "a.nii.gz", modality="CT", series_uid="1.2")
