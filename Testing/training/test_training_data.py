"""Labelled images, folds, views, clean slices and pictures made from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from MSIQALib.errors import InputError
from training.branch_features import fresh_pictures
from training.config import FusionConfig, TrainingConfig
from training.datasets.clean_slices import CleanSlice, read_volumes
from training.datasets.composition import Variety, compose
from training.datasets.distorted import (
    DistortedSlices,
    Sampling,
    damage_map,
    draw_distortion,
    level_targets,
    normalise,
    shrink,
)
from training.datasets.labelled import (
    LabelledImage,
    leave_out,
    mean_scores,
    patients,
    read_labelled,
)
from training.datasets.views import LabelledViews
from training.distortions import (
    COMBINATIONS,
    Distortion,
    add_specks,
    after_specks,
    encode_jpeg,
)

HEADER = "file,patient,slice,poisson_lambda,gaussian_sigma,jpeg_quality,score\n"


def image(patient: str, score: float, distortion: Distortion = COMBINATIONS[0]) -> LabelledImage:
    return LabelledImage(Path(f"{patient}.jpg"), patient, "1", distortion, score)


def test_real_list_is_complete(data_root: Path) -> None:
    images = read_labelled(data_root / "pet-ct-iqa-ds")
    assert len(images) == 405
    assert patients(images) == ("A", "B", "C")
    assert sum(i.pristine for i in images) == 15
    means = mean_scores(images)
    assert set(means) == set(COMBINATIONS)
    assert means[Distortion(0.01, 10.0, 100)] == pytest.approx(0.23, abs=0.005)
    assert means[Distortion(0.0, 5.0, 70)] == pytest.approx(3.65, abs=0.005)


def test_no_patient_is_on_both_sides() -> None:
    images = [image(p, 1.0) for p in "AABBCC"]
    for patient in patients(images):
        fold = leave_out(images, patient)
        assert {i.patient for i in fold.held_out} == {patient}
        assert patient not in {i.patient for i in fold.training}
        assert len(fold.training) + len(fold.held_out) == len(images)


@pytest.mark.parametrize("patient", ["Z", "A"])
def test_fold_without_two_sides_is_refused(patient: str) -> None:
    with pytest.raises(ValueError, match="not one of several"):
        leave_out([image("A", 1.0)], patient)


def test_mean_scores_are_those_of_the_images_given() -> None:
    other = COMBINATIONS[5]
    means = mean_scores([image("A", 1.0), image("B", 2.0), image("A", 4.0, other)])
    assert means == {COMBINATIONS[0]: 1.5, other: 4.0}


def test_list_without_a_column_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(HEADER.replace("patient,", ""))
    with pytest.raises(InputError, match="lacks the columns patient"):
        read_labelled(tmp_path)


def test_list_of_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(HEADER + "7.jpg,A,1,0,0,100,3.5\n")
    with pytest.raises(InputError, match=r"7\.jpg.*missing"):
        read_labelled(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1.jpg,A,1,0,0,100,good", "line 2: score is 'good', not a number"),
        ("1.jpg,A,1,0,0,100,", "line 2: score is '', not a number"),
        ("1.jpg,A,1,0,0,100", "line 2: score is None, not a number"),
        ("1.jpg,A,1,0,0,100,nan", "line 2: score is 'nan', not a number"),
        ("1.jpg,A,1,0,0,100,4.1", "line 2: score is 4.1, outside 0 to 4"),
        ("1.jpg,A,1,0,0,100,-1", "line 2: score is -1, outside 0 to 4"),
        ("1.jpg,A,1,none,0,100,3", "line 2: poisson_lambda is 'none'"),
        ("1.jpg,A,1,0,inf,100,3", "line 2: gaussian_sigma is 'inf'"),
        ("1.jpg,A,1,0,-5,100,3", "line 2: strengths out of range"),
        ("1.jpg,A,1,0,0,70.5,3", "line 2: jpeg_quality is 70.5, not a whole number"),
        ("1.jpg,,1,0,0,100,3", "line 2: patient is empty"),
        (",A,1,0,0,100,3", "line 2: file is empty"),
        ("1.jpg,A,1,0,0,100,3\n1.jpg,A,1,0,0,70,2", r"line 3 names 1\.jpg again"),
    ],
)
def test_list_is_refused_by_its_line(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(HEADER + rows + "\n")
    with pytest.raises(InputError, match=rf"labels\.csv.*{message}"):
        read_labelled(tmp_path)


def test_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes((HEADER + "ä.jpg,A,1,0,0,100,3\n").encode("latin-1"))
    with pytest.raises(InputError, match=r"cannot be read as CSV.*UTF-8"):
        read_labelled(tmp_path)


def test_list_as_a_spreadsheet_saves_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"")
    listing = HEADER + "1.jpg,A,1,0,5,70,3.5\n"
    (tmp_path / "labels.csv").write_text(listing, encoding="utf-8-sig")
    (one,) = read_labelled(tmp_path)
    assert (one.patient, one.distortion, one.score) == ("A", Distortion(0.0, 5.0, 70), 3.5)


def write_pair(folder: Path) -> None:
    folder.mkdir(parents=True)
    ct = sitk.GetImageFromArray(np.full((3, 20, 24), 50, np.int16))
    pet = sitk.GetImageFromArray(np.full((3, 10, 12), 2.5, np.float32))
    pet.SetSpacing((2, 2, 1))
    sitk.WriteImage(ct, str(folder / "CT.nii.gz"))
    sitk.WriteImage(pet, str(folder / "PET.nii.gz"))


def test_volumes_become_slices_and_the_cache_holds_the_same(tmp_path: Path) -> None:
    write_pair(tmp_path / "data" / "P1")
    first = read_volumes(tmp_path / "data", tmp_path / "cache")
    again = read_volumes(tmp_path / "data", tmp_path / "cache")
    assert len(first) == len(again) == 3
    assert first[0].ct.shape == first[0].pet.shape == (20, 24)
    assert first[0].pet[10, 10] == pytest.approx(2.5)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.ct, b.ct)
        assert np.array_equal(a.pet, b.pet)


@pytest.mark.parametrize("name", ["STS_001", "STS_019"])
def test_image_files_are_what_itk_makes_of_them(data_root: Path, tmp_path: Path, name: str) -> None:
    """The shipped weights learnt from these arrays; the last planes of STS_019 have no PET."""
    (tmp_path / name).symlink_to(data_root / "sts-nifti" / name)
    own = read_volumes(tmp_path)
    ct = sitk.ReadImage(str(tmp_path / name / "CT.nii.gz"))
    pet = sitk.ReadImage(str(tmp_path / name / "PET.nii.gz"), sitk.sitkFloat32)
    on_ct = sitk.Resample(pet, ct, sitk.Transform(), sitk.sitkLinear, 0.0)
    hu = np.clip(sitk.GetArrayFromImage(ct), -1024, 3071).astype(np.int16)
    assert np.array_equal(np.stack([one.ct for one in own]), hu)
    suv = sitk.GetArrayFromImage(on_ct).astype(np.float16)
    assert np.array_equal(np.stack([one.pet for one in own]), suv)


def test_folder_without_volumes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no PET/CT pairs"):
        read_volumes(tmp_path)


@pytest.fixture(scope="module")
def slices() -> tuple[CleanSlice, ...]:
    rng = np.random.default_rng(0)
    ct = rng.normal(40, 30, (3, 120, 140)).astype(np.int16)
    pet = rng.uniform(0, 6, (3, 120, 140)).astype(np.float16)
    return tuple(CleanSlice("P", c, p) for c, p in zip(ct, pet, strict=True))


def test_composition_repeats_and_holds_body_and_air(slices) -> None:
    pictures = [compose(slices, 256, Variety(), np.random.default_rng(i)) for i in range(20)]
    assert np.array_equal(pictures[3], compose(slices, 256, Variety(), np.random.default_rng(3)))
    assert all(p.shape == (256, 256, 3) and p.dtype == np.uint8 for p in pictures)
    assert all(p.max() > 60 for p in pictures)
    assert np.mean([(p.max(axis=2) == 0).mean() for p in pictures]) > 0.1


def test_numbered_pictures_repeat_and_differ(slices) -> None:
    data = DistortedSlices(slices, Sampling(256), seed=3, length=100)
    again = DistortedSlices(slices, Sampling(256), seed=3, length=100)
    other = DistortedSlices(slices, Sampling(256), seed=4, length=100)
    picture, levels, damage = data[5]
    assert picture.shape == (3, 112, 112)
    assert picture.dtype == torch.uint8
    assert damage.shape == (2, 14, 14)
    assert all(torch.equal(a, b) for a, b in zip(data[5], again[5], strict=True))
    assert not torch.equal(picture, data[6][0])
    assert not torch.equal(picture, other[5][0])
    assert levels.tolist() == pytest.approx(level_targets(data.strengths(5)))


def test_pictures_of_the_best_quality_may_stay_uncoded(slices) -> None:
    """Nothing else about them differs: strengths, content, specks and noise."""
    count = 40
    usual, half, never = (
        DistortedSlices(slices, Sampling(256, 1.0, uncoded=share), seed=3, length=count)
        for share in (0.0, 0.5, 1.0)
    )
    best = [n for n in range(count) if usual.strengths(n).quality == 100]
    untouched = [n for n in best if not (usual.strengths(n).lam or usual.strengths(n).sigma)]
    assert untouched
    for n in untouched:
        assert np.array_equal(never.draw(n)[0], shrink(never.clean(n), 112))
        assert not np.array_equal(usual.draw(n)[0], shrink(usual.clean(n), 112))
    for n in range(count):
        one, other = (data.draw(n)[0].astype(int) for data in (usual, never))
        assert usual.strengths(n) == never.strengths(n)
        assert np.array_equal(one, other) == (n not in best)
        if n in untouched:  # of the colours of specks and noise, coding takes some away
            assert np.abs(one - other).mean() < 4
    as_usual = [np.array_equal(half.draw(n)[0], usual.draw(n)[0]) for n in best]
    assert 0 < sum(as_usual) < len(best)


def test_a_picture_of_less_quality_cannot_stay_uncoded() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="quality 70"):
        after_specks(picture, Distortion(0, 0, 70), np.random.default_rng(0), coded=False)


def test_fresh_pictures_stay_uncoded_as_the_configuration_says(slices) -> None:
    fusion = FusionConfig(pictures=30, grid=1.0, uncoded=1.0)
    usual, uncoded = (
        fresh_pictures(TrainingConfig(fusion=one), slices)
        for one in (replace(fusion, uncoded=0.0), fusion)
    )
    differ = [not np.array_equal(usual.draw(n)[0], uncoded.draw(n)[0]) for n in range(30)]
    assert differ == [usual.strengths(n).quality == 100 for n in range(30)]
    assert any(differ)


def test_piece_of_a_slice_is_what_the_whole_slice_would_show() -> None:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (64, 64, 3), np.uint8)
    whole = cv2.resize(rough, (512, 512), interpolation=cv2.INTER_CUBIC)
    piece = np.ascontiguousarray(whole[128:384, 64:320])
    coded = [cv2.imdecode(np.frombuffer(encode_jpeg(p, 40), np.uint8), 1) for p in (whole, piece)]
    seen, alone = shrink(coded[0], 224)[56:168, 28:140], shrink(coded[1], 112)
    assert np.abs(seen.astype(int) - alone)[3:-3, 3:-3].mean() < 0.6


def test_piece_off_the_jpeg_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Sampling(250)


def test_levels_are_about_one_at_the_strongest() -> None:
    assert level_targets(Distortion(0, 0, 100)) == (0, 0, 0)
    assert level_targets(Distortion(0.01, 10, 40)) == pytest.approx((1, 1, 1))


def test_grid_share_is_kept() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_distortion(rng, 0.5) in COMBINATIONS for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.06)
    assert all(draw_distortion(rng, 1.0) in COMBINATIONS for _ in range(100))


def test_damage_is_where_the_damage_is() -> None:
    clean = np.full((256, 256, 3), 100, np.uint8)
    specked = clean.copy()
    specked[:128] = add_specks(clean[:128], 0.1, np.random.default_rng(0))
    damaged = specked.copy()
    damaged[128:] += 20
    specks, deviation = damage_map(clean, specked, damaged)
    rate = 1 - np.exp(-0.1 * 100 / 255)
    assert np.square(specks[:7]).mean() == pytest.approx(100 * rate, rel=0.05)
    assert not specks[7:].any()
    assert deviation[7:] == pytest.approx(2.0)


def test_network_input_is_minus_one_to_one() -> None:
    batch = normalise(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 1, 2))
    assert batch.flatten().tolist() == [-1, 1] * 3


def test_a_larger_input_shows_the_same_picture_in_more_pixels() -> None:
    values = np.random.default_rng(3).integers(-800, 800, (512, 512)).astype(np.int16)
    clean = (CleanSlice("P", values, np.full(values.shape, 2, np.float16)),)
    usual, fine = (
        DistortedSlices(clean, sampling, seed=5, length=4)
        for sampling in (Sampling(uncoded=0.5), Sampling(uncoded=0.5, size=448))
    )
    for index in range(4):
        assert fine.strengths(index) == usual.strengths(index)
        large, small = fine[index], usual[index]
        assert large[0].shape == (3, 448, 448)
        assert small[0].shape == (3, 224, 224)
        assert torch.equal(large[2], small[2])  # the damage, measured before resizing
    assert Sampling(source_size=256, size=448).input_size == 224


def test_views_need_the_pristine_picture_of_the_slice(tmp_path: Path) -> None:
    images = [image("A", 1.0, COMBINATIONS[5])]
    assert len(LabelledViews(images, views=1, seed=1)) == 1
    with pytest.raises(InputError, match=r"A\.jpg: the pristine picture.*patient A, slice 1"):
        LabelledViews(images, views=2, seed=1)


def test_views_are_new_draws_of_the_same_slice(data_root: Path) -> None:
    images = [i for i in read_labelled(data_root / "pet-ct-iqa-ds") if i.patient == "A"]
    views = LabelledViews(images, views=3, seed=1)
    assert len(views) == 3 * len(images)
    fine = LabelledViews(images, views=3, seed=1, size=448)
    assert fine[4].shape == (3, 448, 448)
    assert np.array_equal(fine[4].permute(1, 2, 0).numpy(), shrink(views.picture(4), 448))
    number = next(i for i, m in enumerate(images) if m.distortion == Distortion(0.01, 10, 40))
    assert np.array_equal(views.picture(3 * number), images[number].read())
    assert views.image(3 * number + 2) is images[number]
    assert not np.array_equal(views.picture(3 * number + 1), views.picture(3 * number + 2))
    own, view = (views.picture(3 * number + i).astype(float) for i in (0, 1))
    assert view.mean() == pytest.approx(own.mean(), rel=0.1)
