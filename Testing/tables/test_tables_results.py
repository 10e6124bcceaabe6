"""RESULTS.md is a function of the records; nothing stands in it without its run."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from MSIQALib.errors import InputError
from MSIQALib.model.shipped import SHIPPED
from training.course import Course
from training.tables.course_record import course_record
from training.tables.record import curve_record, main, thin
from training.tables.records import Data, Record, code_version, read_records, write_record
from training.tables.registry import read_registry
from training.tables.results import RESULTS, render

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
