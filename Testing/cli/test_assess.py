"""`msiqa assess` as a user runs it: a process, its output, its files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

SLICES = 10
MAPS = ("F1", "F2", "F3", "F4", "F_W", "F_S")
MSIQA = [sys.executable, "-m", "MSIQALib"]


def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MSIQA, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def assessed(phantom, weights, tmp_path_factory):
    """One whole run with everything on."""
    output = tmp_path_factory.mktemp("assessed")
    done = run(
        "assess", "--ct", phantom / "CT", "--pet", phantom / "PET", "--output", output,
        "--model", weights, "--features", "--progress", "json", "--batch-size", 4,
        "--threshold", 1.5,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return output, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.slow
def test_every_ct_slice_has_a_row(assessed):
    output, _, _ = assessed
    rows = list(csv.DictReader((output / "scores.csv").open()))
    assert [int(row["slice"]) for row in rows] == list(range(SLICES))
    positions = [float(row["position_mm"]) for row in rows]
    assert positions == sorted(positions)
    for row in rows:
        assert row["state"] == "assessed"
        assert 0 <= float(row["score"]) <= 4
        product = float(row["S"]) * float(row["W"])
        assert min(max(product, 0), 4) == pytest.approx(float(row["score"]), abs=1e-3)


@pytest.mark.slow
def test_json_progress_tells_the_run_from_start_to_end(assessed):
    output, events, errors = assessed
    assert [event["event"] for event in events] == ["start", *["progress"] * 3, "end"]
    start, *progress, end = events
    assert start["total"] == SLICES
    assert start["device"] == "cpu" or start["device"].startswith(("cuda", "mps"))
    assert [event["done"] for event in progress] == [4, 8, 10]
    rows = [row for event in progress for row in event["rows"]]
    table = list(csv.DictReader((output / "scores.csv").open()))
    assert [row["slice"] for row in rows] == [int(row["slice"]) for row in table]
    for row, line in zip(rows, table, strict=True):
        assert row["score"] == pytest.approx(float(line["score"]), abs=5e-5)
    assert end["status"] == "complete"
    assert {Path(name).name for name in end["files"]} == {
        "scores.csv", "summary.json", "quality_curve.png", "report.html",
        *(f"{name}.nrrd" for name in MAPS),
    }  # fmt: skip
    assert all(Path(name).is_file() for name in end["files"])
    assert "Traceback" not in errors


@pytest.mark.slow
def test_heatmap_volumes_lie_on_the_ct(assessed, phantom):
    output, _, _ = assessed
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(phantom / "CT")))
    ct = reader.Execute()
    for name in MAPS:
        image = sitk.ReadImage(str(output / f"{name}.nrrd"))
        assert image.GetSize() == ct.GetSize()
        assert image.GetSpacing() == pytest.approx(ct.GetSpacing(), rel=1e-4)
        assert image.GetOrigin() == pytest.approx(ct.GetOrigin(), abs=1e-3)
        assert image.GetDirection() == pytest.approx(ct.GetDirection(), abs=1e-6)
        values = sitk.GetArrayViewFromImage(image)
        assert values.max() > 200, name
        assert np.unique(values).size > 50, name


@pytest.mark.slow
def test_the_summary_repeats_the_table_and_the_run(assessed, weights):
    import hashlib

    output, _, _ = assessed
    summary = json.loads((output / "summary.json").read_text())
    scores = [float(row["score"]) for row in csv.DictReader((output / "scores.csv").open())]
    assert summary["mean"] == pytest.approx(np.mean(scores), abs=1e-4)
    assert summary["median"] == pytest.approx(np.median(scores), abs=1e-4)
    assert summary["share_below_threshold"] == pytest.approx(np.mean(np.array(scores) < 1.5))
    assert summary["worst"][0]["slice"] == int(np.argmin(scores))
    record = summary["record"]
    assert record["weights"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record["options"]["threshold"] == 1.5
    assert record["options"]["fusion"]["ct_width"] > 0
    assert record["versions"]["torch"]
    assert record["inputs"]["CT"]["series_uid"]


@pytest.mark.slow
def test_several_views_are_told_apart_from_one(assessed, phantom, weights, tmp_path):
    done = run(
        "assess", "--ct", phantom / "CT", "--pet", phantom / "PET", "--output", tmp_path,
        "--model", weights, "--several-views",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    of = {
        folder: json.loads((folder / "summary.json").read_text())
        for folder in (assessed[0], tmp_path)
    }
    asked = [summary["record"]["options"]["several_views"] for summary in of.values()]
    assert asked == [False, True]
    one, four = (summary["mean"] for summary in of.values())
    assert one != four
    assert four == pytest.approx(one, abs=0.2)


@pytest.mark.slow
def test_no_output_names_the_patient_or_the_folders(assessed, phantom):
    output, _, _ = assessed
    for name in ("scores.csv", "summary.json", "report.html"):
        text = (output / name).read_text()
        assert "Phantom^" not in text
        assert str(phantom) not in text


@pytest.mark.slow
def test_nothing_but_the_results_is_left(assessed):
    output, _, _ = assessed
    left = {path.name for path in output.iterdir()}
    assert left == {
        "scores.csv", "summary.json", "quality_curve.png", "report.html",
        *(f"{name}.nrrd" for name in MAPS),
    }  # fmt: skip


@pytest.mark.slow
def test_ct_alone_is_assessed_and_flagged(phantom, weights, tmp_path):
    done = run("assess", "--ct", phantom / "CT", "--output", tmp_path, "--model", weights)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["assessed"] == SLICES
    assert any("outside the training domain" in warning for warning in summary["warnings"])
    assert "outside the training domain" in (tmp_path / "report.html").read_text()
    assert "outside the training domain" in " ".join(done.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelling_keeps_what_is_done(phantom, weights, tmp_path, number):
    process = subprocess.Popen(
        [*MSIQA, "assess", "--ct", phantom / "CT", "--pet", phantom / "PET", "--output", tmp_path,
         "--model", weights, "--progress", "json", "--batch-size", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "progress" and lines[-1]["done"] == 2:
            process.send_signal(number)
            break
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    lines += [json.loads(line) for line in rest.splitlines()]
    assert lines[-1]["event"] == "end"
    assert lines[-1]["status"] == "cancelled"
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert len(rows) == SLICES
    finished = [row for row in rows if row["state"] == "assessed"]
    # The signal arrives while a batch runs; that one may still be finished, no more.
    assert 2 <= len(finished) <= 4
    assert {row["state"] for row in rows[len(finished) :]} == {"not reached"}
    assert "cancelled" in (tmp_path / "report.html").read_text()


BAD_INPUT = {
    "no such folder": lambda phantom, tmp: (tmp / "absent", phantom / "PET"),
    "empty folder": lambda phantom, tmp: (tmp, phantom / "PET"),
    "PET and CT swapped": lambda phantom, tmp: (phantom / "PET", phantom / "CT"),
    "CT in place of PET": lambda phantom, tmp: (phantom / "CT", phantom / "CT"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_clear_line(phantom, weights, tmp_path, name):
    empty = tmp_path / "input"
    empty.mkdir()
    ct, pet = BAD_INPUT[name](phantom, empty)
    done = run("assess", "--ct", ct, "--pet", pet, "--output", tmp_path / "out", "--model", weights)
    assert done.returncode == 1
    assert done.stdout == ""
    message = done.stderr.strip()
    assert message.startswith("Error: ")
    assert "Traceback" not in message
    assert len(message.splitlines()) == 1
    assert str(ct) in message or str(pet) in message
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.slow
def test_errors_come_as_json_where_json_was_asked(phantom, weights, tmp_path):
    done = run(
        "assess", "--ct", tmp_path / "absent", "--pet", phantom / "PET", "--output",
        tmp_path / "out", "--model", weights, "--progress", "json",
    )  # fmt: skip
    assert done.returncode == 1
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert event["event"] == "error"
    assert "absent" in event["message"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        ["--threshold", "5"],
        ["--batch-size", "0"],
        ["--opacity", "2"],
        ["--progress", "xml"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_is_exit_code_2(phantom, tmp_path, wrong):
    done = run("assess", "--ct", phantom / "CT", "--output", tmp_path / "out", *wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_output_that_cannot_be_written_fails_before_the_work(phantom, weights, tmp_path):
    (tmp_path / "file").write_text("in the way")
    output = tmp_path / "file" / "out"
    done = run("assess", "--ct", phantom / "CT", "--output", output, "--model", weights)
    assert done.returncode == 1
    assert str(output) in done.stderr
    assert "cannot be written" in done.stderr
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits of the file size are POSIX's")
def test_a_full_disk_is_said_and_leaves_no_half_written_file(phantom, weights, tmp_path):
    """A limit on the size of files is a disk that fills up, for any user and file system."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = run(
        "assess", "--ct", phantom / "CT", "--output", tmp_path, "--model", weights,
        preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_unknown_device_and_missing_weights_are_named(phantom, weights, tmp_path):
    for extra, named in (
        (["--device", "tpu", "--model", weights], "tpu"),
        (["--model", tmp_path / "none.safetensors"], "none.safetensors"),
    ):
        done = run("assess", "--ct", phantom / "CT", "--output", tmp_path / "out", *extra)
        assert done.returncode == 1
        assert named in done.stderr
