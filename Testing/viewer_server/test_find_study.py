"""Studies are found for what they are, and what is none is refused with its reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from MSIQALib.errors import InputError
from MSIQALib.imaging.reader import read_volume
from MSIQALib.phantom import Phantom, make_phantom
from MSIQALib.viewer.find_study import find_studies


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    return _phantom(tmp_path_factory.mktemp("phantom"), seed=0)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Phantom:
    return _phantom(tmp_path_factory.mktemp("other"), seed=1)


def _phantom(folder: Path, seed: int) -> Phantom:
    return make_phantom(folder, slices=3, seed=seed, recipe=(), extent_mm=(0.0, 12.0))


def _write(path: Path, *, hu: bool = False, labels: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((3, 4, 4), -1000.0 if hu else 0.5, dtype=np.float32)
    values[1, 1, 1] = 40.0 if hu else 3.0
    image = sitk.GetImageFromArray(values.astype(np.uint8) if labels else values)
    sitk.WriteImage(image, str(path))
    return path


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def test_two_folders_of_series_are_one_study(phantom: Phantom) -> None:
    (study,) = find_studies(phantom.ct.parent)

    assert study.name == phantom.ct.parent.name
    assert (study.ct, study.pet) == (phantom.ct, phantom.pet)
    assert study.ct_series is None
    assert study.pet_series is None


def test_each_subfolder_is_a_study(phantom: Phantom, other: Phantom, tmp_path: Path) -> None:
    _copy(phantom.ct, tmp_path / "first" / "a")
    _copy(phantom.pet, tmp_path / "first" / "b")
    _copy(other.ct, tmp_path / "second" / "deep" / "a")
    _copy(other.pet, tmp_path / "second" / "deep" / "b")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("nothing to see")

    studies = find_studies(tmp_path)

    assert [study.ct for study in studies] == [
        tmp_path / "first" / "a",
        tmp_path / "second" / "deep" / "a",
    ]
    assert studies[0].name == "first"


def test_mixed_files_are_told_apart_by_their_headers(phantom: Phantom, tmp_path: Path) -> None:
    for number, path in enumerate([*phantom.ct.iterdir(), *phantom.pet.iterdir()]):
        shutil.copy(path, tmp_path / f"IM{number:04}")

    (study,) = find_studies(tmp_path)

    assert study.pet is not None
    ct = read_volume(study.ct, modality="CT", series_uid=study.ct_series)
    pet = read_volume(study.pet, modality="PT", series_uid=study.pet_series)
    assert (ct.modality, pet.modality) == ("CT", "PT")
    assert ct.geometry.size == phantom.ct_geometry.size


def test_series_in_one_heap_are_paired_by_their_frame_of_reference(
    phantom: Phantom, other: Phantom, tmp_path: Path
) -> None:
    parts = (phantom.ct, other.pet, other.ct, phantom.pet)
    for part, source in enumerate(parts):
        for number, path in enumerate(source.iterdir()):
            shutil.copy(path, tmp_path / f"{part}-{number}.dcm")

    studies = find_studies(tmp_path)

    assert len(studies) == 2
    assert len({study.name for study in studies}) == 2
    for study in studies:
        assert study.pet is not None
        ct = read_volume(study.ct, modality="CT", series_uid=study.ct_series)
        pet = read_volume(study.pet, modality="PT", series_uid=study.pet_series)
        assert ct.frame_of_reference == pet.frame_of_reference
    assert studies[0].ct_series != studies[1].ct_series


def test_names_never_come_from_the_headers(phantom: Phantom, tmp_path: Path) -> None:
    _copy(phantom.ct, tmp_path / "scan")
    header = pydicom.dcmread(next(phantom.ct.iterdir()), stop_before_pixels=True)

    (study,) = find_studies(tmp_path)

    assert study.name == "scan"
    assert str(header.PatientName) not in study.name


def test_a_ct_alone_is_a_study(phantom: Phantom) -> None:
    (study,) = find_studies(phantom.ct)

    assert (study.ct, study.pet) == (phantom.ct, None)


def test_a_pet_alone_is_none(phantom: Phantom) -> None:
    with pytest.raises(InputError, match="a PET, but no CT"):
        find_studies(phantom.pet)


def test_two_cts_for_one_pet_are_refused_by_name(phantom: Phantom, tmp_path: Path) -> None:
    _copy(phantom.ct, tmp_path / "CT")
    _copy(phantom.pet, tmp_path / "PET")
    for path in phantom.ct.iterdir():
        again = pydicom.dcmread(path)
        again.SeriesInstanceUID += ".1"
        again.SeriesDescription = "CT thin"
        (tmp_path / "thin").mkdir(exist_ok=True)
        again.save_as(tmp_path / "thin" / path.name)

    with pytest.raises(InputError, match=r"2 CT series.*CT thin.*only the one that is meant"):
        find_studies(tmp_path)


def test_a_damaged_half_is_not_passed_over(phantom: Phantom, tmp_path: Path) -> None:
    _copy(phantom.ct, tmp_path / "CT")
    (tmp_path / "PET").mkdir()
    whole = next(phantom.pet.iterdir()).read_bytes()
    (tmp_path / "PET" / "cut.dcm").write_bytes(whole[:400])

    with pytest.raises(InputError, match="truncated or damaged"):
        find_studies(tmp_path)


@pytest.mark.parametrize(
    ("ct", "pet"),
    [
        ("CT.nii.gz", "PET.nii.gz"),
        ("x_ct.nrrd", "x_suv.nrrd"),
        ("CT/volume.mha", "PT/volume.mha"),
        ("one.nii", "two.nii"),  # by values
    ],
)
def test_other_files_go_by_name_then_by_values(tmp_path: Path, ct: str, pet: str) -> None:
    wanted = (_write(tmp_path / "7" / ct, hu=True), _write(tmp_path / "7" / pet))
    _write(tmp_path / "7" / "SEG.nii.gz", labels=True)
    _write(tmp_path / "7" / "lesions.nii.gz", labels=True)

    (study,) = find_studies(tmp_path)

    assert (study.ct, study.pet) == wanted
    assert study.name == "7"


def test_pairs_in_one_folder_go_by_what_their_names_share(tmp_path: Path) -> None:
    for name in ("1", "2"):
        _write(tmp_path / f"{name}_CT.nii.gz", hu=True)
        _write(tmp_path / f"{name}_PET.nii.gz")

    studies = find_studies(tmp_path)

    assert [study.name for study in studies] == ["1", "2"]
    assert all(study.pet and study.pet.name[0] == study.ct.name[0] for study in studies)


def test_suv_is_preferred_to_activity(tmp_path: Path) -> None:
    _write(tmp_path / "CT.nii.gz", hu=True)
    _write(tmp_path / "CTres.nii.gz", hu=True)
    _write(tmp_path / "PET.nii.gz")
    suv = _write(tmp_path / "SUV.nii.gz")

    (study,) = find_studies(tmp_path)

    assert study.pet == suv
    assert study.ct.name == "CT.nii.gz"


def test_two_ct_files_are_refused(tmp_path: Path) -> None:
    for name in ("CT.nii.gz", "CT-2.nii.gz"):
        _write(tmp_path / name, hu=True)

    with pytest.raises(InputError, match=r"2 CT files: CT-2.nii.gz, CT.nii.gz"):
        find_studies(tmp_path)


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder is empty"):
        find_studies(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    _write(tmp_path / "SEG.nii.gz", labels=True)
    with pytest.raises(InputError, match="none of its 1 image files is a CT"):
        find_studies(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_studies(tmp_path / "missing")


def test_a_link_to_itself_is_no_endless_way(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "CT.nii.gz", hu=True)
    (tmp_path / "s" / "again").symlink_to(tmp_path / "s", target_is_directory=True)

    (study,) = find_studies(tmp_path)

    assert study.ct.name == "CT.nii.gz"


def test_real_studies_are_found(data_root: Path) -> None:
    studies = find_studies(data_root / "sts-nifti")

    assert len(studies) == len(list((data_root / "sts-nifti").glob("*/CT.nii.gz")))
    assert all(study.name == study.ct.parent.name and study.pet for study in studies)
