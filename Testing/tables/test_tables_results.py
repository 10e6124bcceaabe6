"""RESULTS.md is a function of the records; nothing stands in it without its run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from MSIQALib.errors import InputError
from MSIQALib.model.shipped import SHIPPED
from training.course import Course
from training.tables.course_record import course_record
from training.tables.origin import origin_of
from training.tables.record import curve_record, main, thin
from training.tables.records import (
    Data,
    Origin,
    Record,
    code_version,
    read_records,
    write_record,
)
from training.tables.registry import read_registry
from training.tables.results import RESULTS, render
from training.tables.studies_seen import AS_CONTENT, NOT_SAID, STUDIES, seen_in_training

FIGURES = {
    "n": 405,
    "srocc": 0.4321,
    "krocc": 0.3,
    "plcc": 0.41,
    "plcc_fitted": 0.42,
    "rmse_fitted": 0.9,
    "rmse": 1.0,
}
MEASURED = Record(
    table="table1",
    row="niqe",
    command="python -m training.tables.table1 --only niqe",
    data=Data("some pictures", 405, "abc123"),
    split="one patient left out at a time",
    seed=7,
    commit="0123abcde",
    made="2026-01-02",
    results={
        "pooled": FIGURES,
        "intervals": {"image": {"srocc": {"low": 0.31, "high": 0.52, "units": 405}}},
    },
)
LEFT_OUT = Record("table1", "maniqa", "python -m x", reason="needs weights of 300 MiB")


def row_of(text: str, title: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {title} |"))


def test_the_file_is_what_the_records_give() -> None:
    assert RESULTS.read_text(encoding="utf-8") == render(read_records()), (
        "run python -m training.tables.results"
    )


def test_a_figure_stands_beside_the_paper_s_with_its_run() -> None:
    text = render([MEASURED, LEFT_OUT])
    row = row_of(text, "NIQE")
    assert "-0.2548 / -0.2460" in row
    assert "0.432 [0.310, 0.520]" in row
    number = row.rsplit("[", 1)[1].split("]")[0]
    run = next(line for line in text.splitlines() if line.startswith(f"{number}. "))
    for part in (MEASURED.command, "some pictures (405, list abc123)", "seed 7", "0123abcde"):
        assert part in run


def test_a_row_without_figures_says_why() -> None:
    text = render([LEFT_OUT])
    assert "| not run |" in row_of(text, "MANIQA")
    assert "- MANIQA: needs weights of 300 MiB." in text
    assert "| no record |" in row_of(text, "TOPIQ")


def test_no_row_of_the_paper_is_missing() -> None:
    text = render([])
    registry = read_registry()
    for row in (*registry.petct, *registry.ldct):
        assert row_of(text, row.title)
    for figures in ("0.9025 / 0.9133", "0.9263 / 0.9379"):  # Table 2
        assert figures in text


def test_order_does_not_matter_and_content_does() -> None:
    assert render([MEASURED, LEFT_OUT]) == render([LEFT_OUT, MEASURED])
    other = replace(MEASURED, results={"pooled": {**FIGURES, "srocc": 0.5}})
    assert render([other]) != render([MEASURED])
    assert render([replace(MEASURED, commit="fffffffff")]) != render([MEASURED])


def test_records_survive_their_files(tmp_path: Path) -> None:
    for record in (MEASURED, LEFT_OUT):
        write_record(record, tmp_path)
    assert read_records(tmp_path) == (LEFT_OUT, MEASURED)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = write_record(MEASURED, tmp_path)
    path.rename(tmp_path / "table1-brisque.json")
    with pytest.raises(InputError, match="table1-niqe"):
        read_records(tmp_path)
    (tmp_path / "table1-brisque.json").write_text("{}")
    with pytest.raises(InputError, match="table1-brisque"):
        read_records(tmp_path)


def test_every_record_that_is_shipped_says_what_made_it() -> None:
    for record in read_records():
        assert record.command.startswith("python -m training.")
        assert record.commit
        assert record.made
        if record.measured and record.table.startswith("table"):
            assert record.data is not None
            assert record.split
            assert record.seed is not None


def test_the_code_s_version_is_a_commit() -> None:
    commit = code_version().removesuffix("+changes")
    assert commit == "unknown" or int(commit, 16) >= 0


def test_a_learning_curve_goes_on_through_its_phases(tmp_path: Path) -> None:
    with (tmp_path / "swin.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["phase", "step", "seconds", "loss"])
        writer.writerows([0, step, 1, 1.0] for step in (10, 20, 30))
        writer.writerows([1, step, 1, 0.5] for step in (10, 20))
    (tmp_path / "config.yaml").write_text("seed: 4\n")
    record = curve_record(tmp_path, "a run", "python -m x")
    assert record.seed == 4
    points = record.results["parts"]["swin"]
    assert [point["step"] for point in points] == [10, 20, 30, 40, 50]
    assert points[-1]["loss"] == 0.5
    text = render([record])
    assert "1.000 until 10" in text
    assert "0.500 until 50" in text


def test_a_long_curve_is_thinned_by_means() -> None:
    rows = [{"step": i, "loss": float(i % 2)} for i in range(1, 1001)]
    points = thin(rows, 10)
    assert len(points) == 10
    assert points[-1]["step"] == 1000
    assert all(abs(point["loss"] - 0.5) < 0.01 for point in points)


def test_courses_become_medians_failures_and_a_row_for_each_patient() -> None:
    def course(patient: str, what: str, last: float, correlation: float) -> Course:
        scores = (3.0, last)
        return Course(patient, what, "mm", (0.0, 2.0), scores, correlation, last / 100)

    blurred = [course("1", "blur", 2.0, -1), course("2", "blur", 1.0, -0.96)]
    noisy = [course("1", "noise", 2.9, -1), course("2", "noise", 3.5, 0.4)]
    record = course_record(
        [*blurred, *noisy], SHIPPED, command="python -m x", studies="two of many", commit="now"
    )
    assert record.results["degradations"]["blur"]["median_scores"] == [3.0, 1.5]
    text = render([record])
    assert "| blur | 0, 2 mm | 3.00, 1.50 | -0.98 | 2 of 2 | 0 of 2 | 0.02 |" in text
    assert "does **not** fall steadily (median above -0.9) with noise (rises in 2)." in text
    assert "| 1 | -1.00 (0.02) | -1.00 (0.03) |" in text
    assert "| 2 | -0.96 (0.01) | +0.40 (0.04) |" in text


def test_a_record_of_courses_survives_its_file(tmp_path: Path) -> None:
    one = Course("1", "blur", "mm", (0.0, 2.0), (3.0, 2.0), -1.0, 0.0)
    record = course_record([one], SHIPPED, command="x", studies="one", commit="now")
    write_record(record, tmp_path)
    assert read_records(tmp_path) == (record,)
    assert "With every degradation the median is" in render([record])


def test_the_command_refuses_a_folder_without_logs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no log"):
        main(["curve", str(tmp_path), "--records", str(tmp_path / "records")])


def test_a_record_without_figures_replaces_no_measured_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = replace(LEFT_OUT, row=MEASURED.row)
    quoted = replace(MEASURED, quoted=True, commit="fffffffff")
    write_record(refused, tmp_path)
    write_record(quoted, tmp_path)
    assert read_records(tmp_path) == (quoted,)
    write_record(MEASURED, tmp_path)
    for worth_less in (refused, quoted):
        write_record(worth_less, tmp_path)
        assert read_records(tmp_path) == (MEASURED,)
        assert "kept table1-niqe.json, measured at commit 0123abcde" in caplog.text
        caplog.clear()
    newer = replace(MEASURED, commit="fffffffff")
    write_record(newer, tmp_path)
    assert read_records(tmp_path) == (newer,)


def a_run(folder: Path, name: str = "longer_cpu") -> Path:
    folder.mkdir()
    (folder / "swin.csv").write_text("phase,step,seconds,loss\n0,10,1,1.0\n")
    (folder / "config.yaml").write_text(
        f"name: {name}\nseed: 4\noption_of_old: 1\n"
        "data: {labelled: pet-ct-iqa-ds, volumes: sts-nifti, phantoms: 5, held_out: [A, B]}\n"
    )
    starts = [
        {"commit": "95250086afbf34122970", "dirty": False},
        {"commit": "95250086afbf34122970", "dirty": False},
        {"commit": "00e0830736dd74019e7f", "dirty": True},
    ]
    (folder / "environment.json").write_text(json.dumps(starts))
    return folder


def test_a_learning_curve_says_which_run_made_it(tmp_path: Path) -> None:
    record = curve_record(a_run(tmp_path / "run"), "a run", "python -m x")
    assert record.origin == Origin(
        command="python -m training.train --config training/configs/longer_cpu.yaml",
        commits=("95250086a", "00e083073+changes"),
        seed=4,
        data="pet-ct-iqa-ds (scores), sts-nifti, 5 phantoms, without A and B",
    )
    write_record(record, tmp_path / "records")
    assert read_records(tmp_path / "records") == (record,)
    runs = render([record]).partition("## Runs")[2]
    assert "trained by `python -m training.train --config training/configs/longer_cpu.yaml`" in runs
    assert "on pet-ct-iqa-ds (scores), sts-nifti, 5 phantoms, without A and B, seed 4" in runs
    assert "commit 95250086a, 00e083073+changes" in runs


def test_a_run_without_a_configuration_of_ours_is_named_by_its_own_copy(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", name="mine")
    assert origin_of(run).command == f"python -m training.train --config {run / 'config.yaml'}"
    (run / "environment.json").write_text("{")
    with pytest.raises(InputError, match=r"environment\.json: it cannot be read"):
        origin_of(run)


def test_records_from_before_origins_are_read(tmp_path: Path) -> None:
    path = write_record(MEASURED, tmp_path)
    values = json.loads(path.read_text())
    for new in ("origin", "quoted"):
        del values[new]
    path.write_text(json.dumps(values))
    assert read_records(tmp_path) == (MEASURED,)


def test_the_head_says_what_the_records_were_measured_on() -> None:
    intervals = {unit: {"srocc": {"low": 0, "high": 1, "units": n}} for unit, n in COUNTS.items()}
    results = {"logistic parameters": 5, "pooled": {**FIGURES, "n": 88}, "intervals": intervals}
    data = Data("my-set, patients P and Q", 100)
    record = replace(MEASURED, data=data, split="as the list has it", results=results)
    head = " ".join(render([record, LEFT_OUT]).partition("## Table 1")[0].split())
    assert "88 pictures of my-set, patients P and Q (as the list has it), as each row" in head
    assert "the five-parameter logistic curve" in head
    assert "*by slice* draws the 11 slices, *by patient* the 2 patients" in head
    for of_others in ("405", "15 slices", "four-parameter", "three patients"):
        assert of_others not in head
    assert "405 pictures" not in render([])


COUNTS = {"slice": 11, "patient": 2}


def test_courses_tell_what_training_saw_of_the_studies() -> None:
    one = Course("1", "blur", "mm", (0.0, 2.0), (3.0, 2.0), -1.0, 0.0)
    record = course_record([one], SHIPPED, command="x", studies="the last 1 of 2", commit="now")
    assert "Training did see these studies" in record.results["seen"]
    assert "leave out the last 7 by name" in record.results["seen"]
    assert record.results["seen"] in render([record])
    older = replace(
        record, results={key: value for key, value in record.results.items() if key != "seen"}
    )
    assert record.results["seen"] in render([older])
    assert seen_in_training({"data": "PET-CT-IQA-DS (labels)"}) == NOT_SAID
    assert seen_in_training({"data": STUDIES, "config": "mine"}) == AS_CONTENT
    assert seen_in_training({"data": STUDIES, "config": "ours_gpu"}) == AS_CONTENT
