"""RESULTS.md is a function of the records; nothing stands in it without its run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from MSIQALib.errors import InputError
from MSIQALib.model.shipped import SHIPPED
from training.tables.record import curve_record, main, monotonicity_record, thin
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


def test_courses_become_a_line_for_each_degradation(tmp_path: Path) -> None:
    def course(patient: str, last: float, correlation: float) -> dict[str, object]:
        return {
            "patient": patient,
            "degradation": "counts",
            "strengths": [0.0, 2.0],
            "scores": [3.0, last],
            "correlation": correlation,
            "seed_difference": last / 100,
        }

    file = tmp_path / "courses.json"
    courses = [course("1", 2.0, -1.0), course("2", 1.0, -0.95), course("3", 3.5, 0.4)]
    file.write_text(json.dumps(courses))
    record = monotonicity_record(file, SHIPPED, "python -m x")
    row = record.results["degradations"]["counts"]
    assert row["median_scores"] == [3.0, 2.0]
    assert (row["steady"], row["studies"], row["median_spearman"]) == (2, 3, -0.95)
    assert row["seed_difference"] == 0.035
    assert "| counts | 0, 2 | 3.00, 2.00 | -0.95 | 2 of 3 | 0.04 |" in render([record])
    file.write_text("[1]")
    with pytest.raises(InputError, match="courses"):
        monotonicity_record(file, SHIPPED, "python -m x")


def test_the_command_refuses_a_folder_without_logs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no log"):
        main(["curve", str(tmp_path), "--records", str(tmp_path / "records")])
