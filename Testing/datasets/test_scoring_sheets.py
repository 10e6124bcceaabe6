"""Sheets for raters: blind, shuffled, kept by the browser, and read back as mean scores."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MSIQALib.errors import InputError
from MSIQALib.likert import WORDS
from training.datasets.labelled import read_labelled
from training.datasets.manifest import ManifestRow, sha256_of, write_manifest
from training.distortions import COMBINATIONS, encode_jpeg
from training.scoring.make import make_sheets, render_page
from training.scoring.merge import merge
from training.scoring.sheets import gather, read_sheet, shuffled, write_sheet

PATIENTS = ("P001", "P002")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A set of 54 tiny images of two patients."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    rows = []
    for p, patient in enumerate(PATIENTS):
        for c, done in enumerate(COMBINATIONS):
            picture = np.full((64, 64, 3), 8 * c + 3 * p, np.uint8)
            path = folder / "images" / f"{(c * 7919 + p * 104729) % 2**24:012x}.jpg"
            path.write_bytes(encode_jpeg(picture, 100))
            side = "train" if p else "test"
            strengths = (done.lam, done.sigma, done.quality)
            rows.append(
                ManifestRow(path.name, patient, 1, "heart", side, *strengths, sha256_of(path))
            )
    write_manifest(folder, rows)
    return folder


def fill(sheet: Path, output: Path, shift: int = 0, skip: tuple[str, ...] = ()) -> Path:
    """Rate as a person would whose scores hang on the file's name."""
    with sheet.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if row["file"] not in skip:
            row["score"] = str(min(4, int(row["file"][:12], 16) % 4 + shift))
    with output.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return output


def test_sheets_are_blind_and_in_orders_of_their_own(built: Path) -> None:
    pages = make_sheets(built, raters=3, seed=1)
    orders = []
    for page in pages:
        sheet = read_sheet(page.with_suffix(".csv"))
        assert set(sheet.scores) == {p.name for p in (built / "images").iterdir()}
        assert set(sheet.scores.values()) == {None}
        orders.append(list(sheet.scores))
        for text in (page.read_text(), page.with_suffix(".csv").read_text()):
            assert "P001" not in text
            assert not re.search(r"heart|lambda|sigma|jpeg_quality", text)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    patients = {row[0]: row[1] for row in csv.reader((built / "manifest.csv").open())}
    runs = sum(patients[a] != patients[b] for a, b in zip(orders[0], orders[0][1:], strict=False))
    assert runs > 15  # patients alternate about every second image


def test_order_hangs_on_seed_and_rater_alone() -> None:
    names = [f"{i:03d}.jpg" for i in range(30)]
    assert shuffled(names, 1, "a") == shuffled(names[::-1], 1, "a")
    assert shuffled(names, 1, "a") != shuffled(names, 2, "a")
    assert shuffled(names, 1, "a") != shuffled(names, 1, "b")


def test_page_stands_alone_and_escapes_names() -> None:
    page = render_page(["a</script>.jpg"], "<b>", "../images")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert "<link" not in page
    assert "a</script>" not in page
    assert "<b>," not in page
    assert all(f"<span>{word}</span>" in page for word in WORDS)


def test_ratings_are_not_overwritten(built: Path) -> None:
    make_sheets(built, raters=1, seed=1)
    with pytest.raises(InputError, match=r"rater-1\.csv.*already"):
        make_sheets(built, raters=2, seed=2)


def test_five_sheets_become_labels_that_training_reads(built: Path, tmp_path: Path) -> None:
    make_sheets(built, raters=5, seed=1)
    sheets = [
        fill(built / "scoring" / f"rater-{i}.csv", tmp_path / f"r{i}.csv", shift=int(i == 5))
        for i in range(1, 6)
    ]
    summary = merge(built, sheets)
    assert summary["rated_by_all"] == 54
    assert not summary["missing"]
    by_name = {icc["name"]: icc for icc in summary["icc"]}
    assert set(by_name) == {"ICC(2,1)", "ICC(2,5)", "ICC(3,1)", "ICC(3,5)"}
    assert by_name["ICC(3,1)"]["value"] == pytest.approx(1.0)
    # One of five raters a step higher: MSR and MSC alone remain, the latter of four degrees.
    two = by_name["ICC(2,1)"]
    assert 0.2 < two["low"] < 0.8 < two["value"] < two["high"] < 1
    images = read_labelled(built)
    assert len(images) == 54
    assert {i.distortion for i in images} == set(COMBINATIONS)
    for image in images:
        assert image.score == pytest.approx(int(image.path.stem, 16) % 4 + 0.2)
    assert json.loads((built / "agreement.json").read_text()) == summary


def test_missing_ratings_are_named(built: Path, tmp_path: Path) -> None:
    make_sheets(built, raters=2, seed=1)
    names = sorted(p.name for p in (built / "images").iterdir())
    one = fill(built / "scoring" / "rater-1.csv", tmp_path / "one.csv", skip=(names[3],))
    two = fill(
        built / "scoring" / "rater-2.csv", tmp_path / "two.csv", shift=1, skip=tuple(names[3:5])
    )
    with pytest.raises(InputError) as refused:
        merge(built, [one, two])
    assert f"{names[3]} (one, two)" in str(refused.value)
    assert f"{names[4]} (two)" in str(refused.value)
    assert not (built / "labels.csv").exists()
    summary = merge(built, [one, two], allow_missing=True)
    assert summary["missing"] == {names[3]: ["one", "two"], names[4]: ["two"]}
    assert summary["rated_by_all"] == 52
    scores = {i.path.name: i.score for i in read_labelled(built)}
    assert names[3] not in scores
    assert scores[names[4]] == int(names[4][:12], 16) % 4
    assert [rater["rated"] for rater in summary["raters"]] == [53, 52]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("file\na.jpg\n", "lacks the column score"),
        ("file,score\na.jpg,1\na.jpg,2\n", r"line 3 names a\.jpg again"),
        ("file,score\na.jpg,2.5\n", "line 2 has the score '2.5'"),
        ("file,score\na.jpg,5\n", "line 2 has the score '5'"),
    ],
)
def test_bad_sheets_are_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=what):
        read_sheet(tmp_path / "s.csv")


def test_spreadsheet_dialects_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("order;file;score\r\n1;a.jpg;3\r\n2;b.jpg;\r\n\r\n", encoding="utf-8-sig")
    assert read_sheet(path).scores == {"a.jpg": 3, "b.jpg": None}


def test_sheets_of_another_set_or_twice_are_refused(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.csv", ["x.jpg", "y.jpg"])
    sheet = (tmp_path / "a.csv", read_sheet(tmp_path / "a.csv"))
    with pytest.raises(InputError, match="1 images in it are not in the set, such as y"):
        gather([sheet], ["x.jpg"])
    with pytest.raises(InputError, match="another sheet of this name"):
        gather([sheet, sheet], ["x.jpg", "y.jpg"])


def test_command_line_says_what_it_found(built: Path, tmp_path: Path) -> None:
    make_sheets(built, raters=2, seed=1)
    sheets = [
        str(fill(built / "scoring" / f"rater-{i}.csv", tmp_path / f"r{i}.csv")) for i in (1, 2)
    ]
    command = [sys.executable, "-m", "training.scoring.merge", "--set", str(built)]
    done = subprocess.run([*command, *sheets], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ICC(2,1) 1.000" in done.stderr
    done = subprocess.run([*command, sheets[0]], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "two sheets" in done.stderr


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
def test_page_rates_by_keyboard_remembers_and_exports(browser, built: Path, tmp_path: Path) -> None:
    (page_file, *_) = make_sheets(built, raters=1, seed=1)
    order = list(read_sheet(page_file.with_suffix(".csv")).scores)
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(page_file.as_uri())
    page.wait_for_function("document.getElementById('picture').naturalWidth === 64")
    assert page.get_attribute("#picture", "src").endswith(order[0])
    for key in "3140":
        page.keyboard.press(key)
    page.keyboard.press("9")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="fair").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Backspace")
    assert page.inner_text("#rated") == "4"
    # Images are shown in whole pixels, several to one where there is room.
    assert page.evaluate("document.getElementById('picture').clientWidth") % 64 == 0

    # Chromium hands over what a page kept a moment after it: on a busy machine a page that
    # is read again at once may not find it yet.
    for _ in range(20):
        page.reload()
        if page.inner_text("#rated") == "4":
            break
        page.wait_for_timeout(200)
    assert page.inner_text("#number") == "4"  # the first one that is not rated
    with page.expect_download() as started:
        page.keyboard.press("s")
    started.value.save_as(tmp_path / "out.csv")
    scores = read_sheet(tmp_path / "out.csv").scores
    assert list(scores) == order
    given = {file: score for file, score in scores.items() if score is not None}
    assert given == dict(zip((*order[:3], order[5]), (3, 1, 4, 2), strict=True))

    other = browser.new_context(offline=True).new_page()
    other.goto(page_file.as_uri())
    assert other.inner_text("#rated") == "0"
    other.set_input_files("#load", tmp_path / "out.csv")
    other.wait_for_function("document.getElementById('rated').textContent === '4'")
    strange = tmp_path / "strange.csv"
    strange.write_text("order,file,score\n1,z.jpg,3\n")
    other.set_input_files("#load", strange)
    other.wait_for_selector("#alert:not([hidden])")
    assert "no sheet of these images" in other.inner_text("#alert")
    assert other.inner_text("#rated") == "4"
    assert not faults
