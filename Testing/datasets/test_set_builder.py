"""Building a set from DICOM: the same bytes again, no patient on both sides, nobody's name."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Geometry
from MSIQALib.phantom import make_phantom
from training.datasets.anatomy import LUNG_LEVELS, choose_levels
from training.datasets.builder import BuildOptions, build
from training.datasets.dicom_pairs import find_pairs, find_patients
from training.datasets.manifest import (
    ManifestRow,
    check_split,
    read_manifest,
    sha256_of,
    split_patients,
)
from training.datasets.recovery import recover
from training.distortions import COMBINATIONS, decode_picture

SEED = 3
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its checksum."""
    return {
        str(path.relative_to(folder)): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def change(files: Path, **values: object) -> None:
    """Set elements in all DICOM files of a folder."""
    for path in files.rglob("*.dcm"):
        image = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(image, keyword, value)
        image.save_as(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients, one of whom has no PET that can be used, and a licence text."""
    folder = tmp_path_factory.mktemp("dicom") / "Lung-PET-CT-Dx"
    for seed in range(3):
        make_phantom(folder / f"Lung_Dx-P{seed}" / "04-01-2009", slices=12, seed=seed, recipe=())
    change(folder / "Lung_Dx-P1" / "04-01-2009" / "PET", CorrectedImage=["DECY"])
    (folder / "LICENSE").write_text("CC BY 4.0")
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "set"
    build(BuildOptions(source, folder, SEED, patients=3))
    return folder


def test_each_slice_has_each_distortion_once(built: Path) -> None:
    rows = read_manifest(built)
    assert len(rows) == 2 * 5 * 27
    assert len({row.file for row in rows}) == len(rows)
    for patient in {row.patient for row in rows}:
        for number in range(1, 6):
            mine = [r for r in rows if (r.patient, r.slice) == (patient, number)]
            assert {r.distortion for r in mine} == set(COMBINATIONS)
            assert len({r.level for r in mine}) == 1
    assert {p.name for p in (built / "images").iterdir()} == {row.file for row in rows}
    assert all(sha256_of(built / "images" / row.file) == row.sha256 for row in rows)
    assert {row.level for row in rows} == set(LUNG_LEVELS)


def test_levels_of_one_patient_are_different_slices(built: Path) -> None:
    summary = json.loads((built / "manifest.json").read_text())
    for patient in summary["patients"].values():
        heights = [one["position_mm"] for one in patient["slices"]]
        assert heights == sorted(set(heights))
        assert len(heights) == 5


@pytest.mark.slow
def test_images_are_distorted_as_the_manifest_says(built: Path) -> None:
    """Read back by the measurements that recover the published set."""
    rows = {row.file: row for row in read_manifest(built)}
    found = {}
    for start in range(0, len(rows), len(COMBINATIONS)):  # one slice at a time
        names = list(rows)[start : start + len(COMBINATIONS)]
        found |= {one.path.name: one for one in recover([built / "images" / n for n in names])}
    assert all(found[name].distortion == row.distortion for name, row in rows.items())


def test_skipped_patient_has_a_pseudonym_and_a_reason(built: Path) -> None:
    (skipped,) = json.loads((built / "manifest.json").read_text())["skipped"]
    assert skipped["patient"] not in {row.patient for row in read_manifest(built)}
    assert skipped["reason"] == "there is no attenuation-corrected PET series"


def test_nothing_names_a_patient_or_a_place(built: Path, source: Path) -> None:
    for path in built.rglob("*"):
        assert "Lung_Dx" not in path.name
        if path.suffix in (".json", ".csv"):
            text = path.read_text()
            for secret in ("PHANTOM-", "Lung_Dx", str(source), "Phantom^"):
                assert secret not in text
    key = hashlib.sha256(b"MSIQA-PHANTOM-0").hexdigest()
    assert key[:12] not in "".join(p.read_text() for p in built.rglob("*.json"))


@pytest.mark.slow
def test_interrupted_build_ends_in_the_same_bytes(
    source: Path, built: Path, tmp_path: Path
) -> None:
    """Stopped after a patient, then as a kill in the middle of the next one leaves it."""
    options = BuildOptions(source, tmp_path / "set", SEED, patients=3)

    def stop(line: str) -> None:
        if "images" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(options, stop)
    (first,) = (tmp_path / "set" / "patients").iterdir()
    half = json.loads(first.read_text())["images"]
    first.unlink()
    for image in half[60:]:
        (tmp_path / "set" / "images" / image["file"]).unlink()
    (tmp_path / "set" / "images" / half[0]["file"]).write_bytes(b"half")
    (tmp_path / "set" / "images" / ".part-1234.jpg").write_bytes(b"\xff\xd8")
    build(options)
    assert tree(tmp_path / "set") == tree(built)


@pytest.mark.slow
def test_finished_set_is_checked_not_made_again(source: Path, built: Path) -> None:
    before = tree(built)
    victim = next((built / "images").iterdir())
    owner = {row.file: row.patient for row in read_manifest(built)}
    kept = next(p for p in (built / "images").iterdir() if owner[p.name] != owner[victim.name])
    time = kept.stat().st_mtime_ns
    victim.write_bytes(b"rotten")
    build(BuildOptions(source, built, SEED, patients=3))
    assert tree(built) == before
    assert kept.stat().st_mtime_ns == time


def test_other_options_are_refused_in_the_same_folder(source: Path, built: Path) -> None:
    with pytest.raises(
        InputError, match="another patients, another seed, another source was begun"
    ):
        build(BuildOptions(source, built, SEED + 1, patients=2))


def test_folder_with_something_else_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        build(BuildOptions(source, tmp_path, SEED))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_other_seed_gives_other_noise_names_and_levels_of_the_same(
    source: Path, built: Path, tmp_path: Path
) -> None:
    build(BuildOptions(source, tmp_path / "set", SEED + 1, patients=3))
    one, other = read_manifest(built), read_manifest(tmp_path / "set")
    assert not {row.file for row in one} & {row.file for row in other}
    pristine = [
        {r.sha256 for r in rows if r.distortion == COMBINATIONS[0]} for rows in (one, other)
    ]
    assert pristine[0] == pristine[1]
    noisy = [{r.sha256 for r in rows if r.gaussian_sigma} for rows in (one, other)]
    assert not noisy[0] & noisy[1]


def test_one_usable_patient_is_too_few(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source / "Lung_Dx-P0", tmp_path / "in" / "a")
    shutil.copytree(source / "Lung_Dx-P1", tmp_path / "in" / "b")
    with pytest.raises(InputError, match=r"1 of 2 patients.*no attenuation-corrected PET"):
        build(BuildOptions(tmp_path / "in", tmp_path / "set", 0))


@pytest.mark.slow
def test_same_person_under_two_ids_is_noticed(source: Path, tmp_path: Path) -> None:
    for name in "ab":
        shutil.copytree(source / "Lung_Dx-P0", tmp_path / "in" / name)
    change(tmp_path / "in" / "b", PatientID="somebody else")
    with pytest.raises(InputError, match="share a picture"):
        build(BuildOptions(tmp_path / "in", tmp_path / "set", 0, patients=2))


def test_ct_is_the_one_in_the_frame_of_the_pet(source: Path, tmp_path: Path) -> None:
    study = tmp_path / "p"
    shutil.copytree(source / "Lung_Dx-P0" / "04-01-2009", study)
    shutil.copytree(study / "CT", study / "other frame")
    shutil.copytree(study / "CT", study / "short")
    change(study / "other frame", FrameOfReferenceUID=generate_uid(), SeriesInstanceUID="1.2.3")
    change(study / "short", SeriesInstanceUID="1.2.4")
    for path in sorted((study / "short").glob("*.dcm"))[6:]:
        path.unlink()
    (patient,) = find_patients(tmp_path)
    pairs = find_pairs(patient)
    right = pydicom.dcmread(next((study / "CT").glob("*.dcm"))).SeriesInstanceUID
    assert [pair.ct.uid for pair in pairs] == [right, "1.2.4"]
    assert pairs[0].overlap_mm > pairs[1].overlap_mm


def test_damaged_file_skips_the_patient_only(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "in")
    (victim, *_) = sorted((tmp_path / "in" / "Lung_Dx-P0").rglob("PT_0003.dcm"))
    victim.write_bytes(victim.read_bytes()[:700])
    with pytest.raises(InputError, match="truncated or damaged"):
        build(BuildOptions(tmp_path / "in", tmp_path / "set", 0))


def test_folder_without_patients_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no")
    with pytest.raises(InputError, match="no DICOM files with a Patient ID"):
        find_patients(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_patients(tmp_path / "b")


@pytest.mark.parametrize("count", [2, 5, 20, 99])
def test_a_fifth_of_the_patients_is_tested_on(count: int) -> None:
    names = [f"P{i:03d}" for i in range(count)]
    sides = split_patients(names, seed=1)
    tested = [name for name, side in sides.items() if side == "test"]
    assert len(tested) == max(1, round(count / 5))
    assert sides == split_patients(names[::-1], seed=1)
    assert count < 20 or sides != split_patients(names, seed=2)


ROW = ManifestRow("a.jpg", "P001", 1, "heart", "train", 0.0, 0.0, 100, "a")


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (replace(ROW, split="test", sha256="b"), "both sides of the split: P001"),
        (replace(ROW, patient="P002", split="test"), "share a picture"),
        (replace(ROW, patient="P002", sha256="b"), "no patient is on the side 'test'"),
        (replace(ROW, patient="P002", sha256="b", split="both"), "on no side"),
    ],
)
def test_bad_splits_are_refused(other: ManifestRow, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_split([ROW, other])
    check_split([ROW, replace(ROW, patient="P002", split="test", sha256="b")])


def cylinder(lung_slices: range, count: int = 60) -> np.ndarray:
    """A body of water with two lungs in some slices, over a table."""
    ct = np.full((count, 128, 128), -1000.0, np.float32)
    rows, columns = np.mgrid[:128, :128]
    ct[:, (rows - 60) ** 2 / 40**2 + (columns - 64) ** 2 / 55**2 < 1] = 0
    for side in (40, 88):
        lung = (rows - 60) ** 2 / 25**2 + (columns - side) ** 2 / 18**2 < 1
        ct[lung_slices.start : lung_slices.stop, lung] = -800
    ct[:, 110:112] = 100
    return ct


def test_levels_follow_the_lungs() -> None:
    geometry = Geometry((128, 128, 60), (3.0, 3.0, 5.0), (0.0, 0.0, 0.0), AXIAL)
    levels = choose_levels(cylinder(range(15, 56)), geometry, range(60))
    assert [level.name for level in levels] == list(LUNG_LEVELS)
    # The lungs go from 15 to 55: 15 - 0.12 * 40, 15 + 0.15 * 40, ...
    assert [level.index for level in levels] == [10, 21, 32, 42, 53]


def test_levels_without_lungs_are_even_and_only_where_asked() -> None:
    geometry = Geometry((128, 128, 60), (3.0, 3.0, 5.0), (0.0, 0.0, 0.0), AXIAL)
    ct = cylinder(range(0))
    levels = choose_levels(ct, geometry, range(10, 51))
    assert [level.index for level in levels] == [14, 22, 30, 38, 46]
    assert choose_levels(ct, geometry, range(4)) == ()
    empty = np.full_like(ct, -1000)
    assert choose_levels(empty, geometry, range(60)) == ()


def test_command_line_builds_and_says_so(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.datasets.build", "--source", str(source)]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "set"), "--seed", "-1"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 2
    assert "seed must not be negative" in done.stderr
    done = subprocess.run(
        [*command[:-1], str(tmp_path / "none"), "--output", str(tmp_path / "set"), "--seed", "1"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 1
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_real_studies_are_built(data_root: Path, tmp_path: Path) -> None:
    made = build(BuildOptions(data_root / "sts-dicom", tmp_path / "set", 1, patients=3))
    assert not made.skipped
    assert len(read_manifest(tmp_path / "set")) == 3 * 5 * 27
    pristine = [row for row in made.rows if row.distortion == COMBINATIONS[0]]
    for row in pristine:
        picture = decode_picture((tmp_path / "set" / "images" / row.file).read_bytes())
        assert picture.max() > 200
