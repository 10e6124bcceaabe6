"""`msiqa score`, `evaluate`, `info`, `phantom` and what they refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import pearsonr, rankdata
from typer.testing import CliRunner

from MSIQALib.assessment.agreement import measure_agreement, read_labels
from MSIQALib.cli.main import app
from MSIQALib.errors import InputError, MSIQAError


def run(*arguments: object):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(5):
        noise = rng.normal(100, 10 * number, (128, 128, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    Image.fromarray(noise[..., 0]).save(folder / "grey.png")
    return folder


@pytest.mark.slow
def test_score_lists_file_score_s_and_w_in_order(pictures, weights):
    files = [pictures / f"{n}.png" for n in (3, 1, 2)]
    outcome = run("score", *files, "--model", weights, "--json", "--batch-size", 2)
    assert outcome.exit_code == 0
    rows = json.loads(outcome.stdout)
    assert [row["file"] for row in rows] == [str(path) for path in files]
    for row in rows:
        assert set(row) == {"file", "score", "s", "w"}
        assert row["score"] == pytest.approx(np.clip(row["s"] * row["w"], 0, 4), abs=1e-5)
    single = json.loads(run("score", files[1], "--model", weights, "--json").stdout)
    assert single[0]["score"] == pytest.approx(rows[1]["score"], abs=1e-5)


@pytest.mark.slow
def test_evaluate_measures_what_score_says(pictures, weights, tmp_path):
    labels = tmp_path / "labels.csv"
    truth = {"0.png": 3.5, "1.png": 3.0, "2.png": 1.0, "3.png": 1.0, "4.png": 0.2}
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "file", "score"])
        writer.writerows(["A", name, score] for name, score in truth.items())
    figures = json.loads(run("evaluate", pictures, labels, "--model", weights, "--json").stdout)
    rows = json.loads(
        run("score", *(pictures / name for name in truth), "--model", weights, "--json").stdout
    )
    scores, people = [row["score"] for row in rows], list(truth.values())
    assert figures["n"] == 5
    assert figures["plcc"] == pytest.approx(np.corrcoef(scores, people)[0, 1], abs=1e-6)
    assert figures["rmse"] == pytest.approx(
        np.sqrt(np.mean(np.subtract(scores, people) ** 2)), abs=1e-6
    )
    ranks = pearsonr(rankdata(scores), rankdata(people)).statistic
    assert figures["srocc"] == pytest.approx(ranks, abs=1e-6)


@pytest.mark.slow
def test_several_views_give_the_mean_of_shifted_pictures(pictures, weights, tmp_path):
    """What a picture and its copies moved by a pixel score on their own, and their mean."""
    original = np.asarray(Image.open(pictures / "4.png"))
    files = []
    for down, right in ((0, 0), (1, 0), (0, 1), (1, 1)):
        moved = original.copy()
        moved[down:, right:] = original[: 128 - down, : 128 - right]
        moved[:down, right:] = original[:1, : 128 - right]
        moved[down:, :right] = original[: 128 - down, :1]
        moved[:down, :right] = original[0, 0]
        files.append(tmp_path / f"{down}{right}.png")
        Image.fromarray(moved).save(files[-1])
    alone = json.loads(run("score", *files, "--model", weights, "--json").stdout)
    scores = [row["score"] for row in alone]
    assert len({round(score, 5) for score in scores}) == 4
    options = ("--model", weights, "--several-views", "--json")
    (mean,) = json.loads(run("score", files[0], *options).stdout)
    assert mean["score"] == pytest.approx(np.mean(scores), abs=1e-5)
    assert mean["w"] == pytest.approx(np.mean([row["w"] for row in alone]), abs=1e-5)

    labels = tmp_path / "labels.csv"
    labels.write_text("file,score\n4.png,1.0\n1.png,2.0\n0.png,2.5\n")
    figures = json.loads(run("evaluate", pictures, labels, *options).stdout)
    three = [pictures / f"{n}.png" for n in (4, 1, 0)]
    rows = json.loads(run("score", *three, *options).stdout)
    off = np.subtract([row["score"] for row in rows], [1.0, 2.0, 2.5])
    assert figures["rmse"] == pytest.approx(np.sqrt(np.mean(off**2)), abs=1e-6)


def test_agreement_of_known_pairs():
    perfect = measure_agreement(Path("x"), [1, 2, 3, 9], [0, 1, 2, 3])
    assert perfect.srocc == pytest.approx(1.0)
    assert perfect.plcc < 1
    assert perfect.rmse == pytest.approx(np.sqrt((1 + 1 + 1 + 36) / 4))
    assert measure_agreement(Path("x"), [3, 2, 1], [1, 2, 3]).srocc == pytest.approx(-1.0)
    assert measure_agreement(Path("x"), [2, 2, 2], [1, 2, 3]).srocc == 0.0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("name,score\na.png,1\n", "file"),
        ("file,mos\na.png,1\n", "score"),
        ("file,score\na.png,good\n", "line 2"),
        ("file,score\na.png,nan\n", "line 2"),
        ("file,score\na.png,1\na.png,2\n", "a.png"),
        ("", "file and score"),
    ],
)
def test_bad_labels_are_named(tmp_path, content, named):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=named):
        read_labels(path)


def test_too_few_or_equal_labels_make_no_correlation():
    for truth in ([1.0, 2.0], [2.0, 2.0, 2.0]):
        with pytest.raises(InputError, match="correlation"):
            measure_agreement(Path("labels.csv"), [0.0] * len(truth), truth)


@pytest.mark.slow
def test_a_picture_that_is_none_is_named(pictures, weights, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(MSIQAError, match=r"broken\.jpg"):
        run_and_raise("score", pictures / "0.png", broken, "--model", weights)


def run_and_raise(*arguments: object) -> None:
    outcome = run(*arguments)
    assert outcome.exit_code == 1
    assert outcome.exception is not None
    raise outcome.exception


@pytest.mark.slow
def test_grey_pictures_are_scored(pictures, weights):
    outcome = run("score", pictures / "grey.png", "--model", weights, "--json")
    assert outcome.exit_code == 0


def test_info_names_device_weights_and_versions(weights):
    values = json.loads(run("info", "--model", weights, "--json").stdout)
    assert "Running on" in values["device"]
    assert values["weights"]["config"]["score"] == "paper"
    assert len(values["weights"]["sha256"]) == 64
    assert {"msiqa", "torch", "timm"} <= set(values["versions"])
    assert "sha256" in run("info", "--model", weights).stdout


def test_help_does_not_wait_for_pytorch():
    import subprocess
    import sys

    code = (
        "import sys, MSIQALib, MSIQALib.cli.main; "
        "sys.exit('torch' in sys.modules or any('Qt' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
