"""PET-CT-IQA-DS as published: the list, and what the images say of themselves."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from MSIQALib.errors import InputError
from training.datasets.jpeg_tables import jpeg_quality
from training.datasets.labelled import LabelledImage, read_labelled, write_labelled
from training.datasets.published import incomplete_slices, read_published, read_scores
from training.datasets.recovery import noise_sigma, recover
from training.distortions import (
    COMBINATIONS,
    Distortion,
    Picture,
    decode_picture,
    distort_to_jpeg,
    encode_jpeg,
)

SIZE = 384


def torso(width: int, level: int, table: int) -> Picture:
    """An ellipse with organs and some texture over a table, clean air around it."""
    body = np.zeros((SIZE, SIZE, 3), np.uint8)
    cv2.ellipse(body, (192, 160), (width, 100), 0, 0, 360, (110, 90, 80), -1)
    rng = np.random.default_rng([width, level])
    for _ in range(14):
        centre = (int(rng.integers(120, 264)), int(rng.integers(90, 230)))
        colour = tuple(int(v) for v in rng.integers(60, 190, 3))
        cv2.circle(body, centre, int(rng.integers(10, 30)), colour, -1)
    cv2.rectangle(body, (20, table), (364, table + 6), (70, 70, 70), -1)
    texture = 1 + 0.6 * cv2.GaussianBlur(rng.standard_normal(body.shape), (0, 0), 2.0)
    return cv2.GaussianBlur((body * texture).clip(0, 255).astype(np.uint8), (0, 0), 0.7)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple]]:
    """Two patients with two slices each, 27 distortions, under names in random order."""
    folder = tmp_path_factory.mktemp("set")
    (folder / "images").mkdir()
    shown = [
        (patient, number, combination)
        for patient in "XY"
        for number in (0, 1)
        for combination in COMBINATIONS
    ]
    random.Random(0).shuffle(shown)
    answers = {}
    for i, (patient, number, done) in enumerate(shown):
        clean = torso(
            *(
                (130 - 16 * number, number, 280)
                if patient == "X"
                else (150 + 18 * number, 7 + number, 310)
            )
        )
        coded = distort_to_jpeg(clean, done, np.random.default_rng(i))
        (folder / "images" / f"{i:03d}.jpg").write_bytes(coded)
        answers[f"{i:03d}.jpg"] = (patient, number, done)
    lines = [f"{name} {4 * i / 107:.1f}" for i, name in enumerate(sorted(answers))]
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder, answers


def groups(names: dict[str, object]) -> set[frozenset[str]]:
    """Files that share a name, whatever the name is."""
    together = defaultdict(set)
    for file, name in names.items():
        together[name].add(file)
    return {frozenset(files) for files in together.values()}


def test_small_set_is_recovered_whole(small_set) -> None:
    folder, answers = small_set
    images = read_published(folder)
    assert len(images) == 108
    for image in images:
        assert image.distortion == answers[image.path.name][2]
    assert groups({i.path.name: i.patient for i in images}) == groups(
        {name: answer[0] for name, answer in answers.items()}
    )
    assert groups({i.path.name: (i.patient, i.slice) for i in images}) == groups(
        {name: answer[:2] for name, answer in answers.items()}
    )
    assert not incomplete_slices(images)
    assert images[107].score == 4.0


def test_recovered_list_is_one_that_training_reads(small_set) -> None:
    folder, _ = small_set
    images = read_published(folder)
    write_labelled(folder / "labels.csv", images)
    again = read_labelled(folder)
    assert [(i.path.name, i.distortion, i.patient, i.score) for i in again] == [
        (i.path.name, i.distortion, i.patient, i.score) for i in images
    ]


def test_incomplete_slices_are_named() -> None:
    whole = [LabelledImage(Path("x.jpg"), "P1", "1", c, 1.0) for c in COMBINATIONS]
    assert not incomplete_slices(whole)
    assert incomplete_slices(whole[1:]) == ("P1-1",)
    assert incomplete_slices([*whole[1:], whole[5]]) == ("P1-1",)


@pytest.mark.parametrize("quality", [1, 40, 49, 50, 70, 99, 100])
def test_quality_is_read_off_the_tables(tmp_path: Path, quality: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_jpeg(torso(130, 0, 280), quality))
    assert jpeg_quality(path) == quality


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    picture = torso(130, 0, 280)
    png, other, full = (tmp_path / name for name in ("a.png", "b.jpg", "c.jpg"))
    cv2.imwrite(str(png), picture)
    other.write_bytes(encode_jpeg(picture, 85))
    full.write_bytes(encode_jpeg(np.full((64, 64, 3), 120, np.uint8), 100))
    with pytest.raises(InputError, match=r"a\.png.*no JPEG"):
        jpeg_quality(png)
    with pytest.raises(InputError, match=r"b\.jpg.*quality is 85"):
        recover([other])
    with pytest.raises(InputError, match=r"c\.jpg.*no air"):
        recover([full])


def test_noise_is_told_from_the_air() -> None:
    for done in COMBINATIONS:
        coded = distort_to_jpeg(torso(130, 0, 280), done, np.random.default_rng(1))
        assert noise_sigma(decode_picture(coded), Path("x")) == done.sigma


@pytest.mark.parametrize("between", [" ", ",", "\t", ";  "])
def test_lists_of_all_kinds_are_read(tmp_path: Path, between: str) -> None:
    listing = tmp_path / "label.txt"
    listing.write_text(
        f"file{between}score\n./images/001.jpg{between}3.4\n\n002 b.jpg{between}0\r\n",
        encoding="utf-8-sig",
    )
    assert read_scores(listing) == {"001.jpg": 3.4, "002 b.jpg": 0.0}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a.jpg 1\nb.jpg\n", "line 2"),
        ("a.jpg 1\nb.jpg nan\n", "line 2"),
        ("a.jpg 1\na.jpg 2\n", "line 2 names a.jpg again"),
        ("a.jpg 4.2\n", "score of 4.2"),
        ("file score\n", "no scores"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "label.txt").write_text(text)
    with pytest.raises(InputError, match=what):
        read_scores(tmp_path / "label.txt")


def test_listed_image_that_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "label.txt").write_text("a.jpg 1\n")
    with pytest.raises(InputError, match=r"a\.jpg is missing"):
        read_published(tmp_path)


@pytest.fixture(scope="module")
def published(data_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """The published images under names in random order, and what each is."""
    folder = tmp_path_factory.mktemp("published")
    images = list(read_labelled(data_root / "pet-ct-iqa-ds"))
    random.Random(20).shuffle(images)
    answers = {}
    for i, image in enumerate(images):
        path = folder / f"{i:03d}.jpg"
        shutil.copy(image.path, path)
        answers[path.name] = image
    return folder, answers


@pytest.mark.slow
def test_every_published_image_is_recovered(published) -> None:
    """All 405 of patients A, B and C, under names and in an order that say nothing."""
    folder, answers = published
    found = {one.path.name: one for one in recover(sorted(folder.glob("*.jpg")))}
    right = sum(found[name].distortion == answer.distortion for name, answer in answers.items())
    assert right == len(answers) == 405
    assert groups({n: one.patient for n, one in found.items()}) == groups(
        {n: a.patient for n, a in answers.items()}
    )
    assert groups({n: (one.patient, one.slice) for n, one in found.items()}) == groups(
        {n: (a.patient, a.slice) for n, a in answers.items()}
    )


@pytest.mark.slow
def test_set_with_gaps_is_recovered_nearly_whole(published) -> None:
    """A third of the files without, and with them all pristine images but a few."""
    folder, answers = published
    pristine = Distortion(0.0, 0.0, 100)
    kept = [
        folder / name
        for i, (name, answer) in enumerate(sorted(answers.items()))
        if i % 3 and answer.distortion != pristine
    ]
    found = {one.path.name: one for one in recover(kept)}
    wrong = [n for n, one in found.items() if one.distortion != answers[n].distortion]
    assert len(wrong) <= 0.05 * len(kept)
    assert all(found[n].distortion.sigma == answers[n].distortion.sigma for n in found)
    assert all(found[n].distortion.quality == answers[n].distortion.quality for n in found)
    assert groups({n: one.patient for n, one in found.items()}) == groups(
        {n: answers[n].patient for n in found}
    )
