"""The folder of results: all files, whole or not at all."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from MSIQALib.errors import OutputError
from MSIQALib.report.html import write_report
from MSIQALib.report.outputs import write_outputs
from MSIQALib.report.pictures import ReportPictures
from MSIQALib.report.summary import write_summary_json


def test_four_files_and_nothing_else(study, tmp_path: Path):
    files = write_outputs(tmp_path / "new" / "folder", study)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "quality_curve.png",
        "report.html",
        "scores.csv",
        "summary.json",
    ]
    assert all(path.stat().st_size > 200 for path in files)
    assert files.report.name == "report.html"


def test_summary(study, tmp_path: Path):
    path = tmp_path / "summary.json"
    write_summary_json(path, study)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["format"] == "msiqa-summary"
    assert document["format_version"] == 1
    assert "not a medical device" in document["disclaimer"]
    assert document["mean"] == pytest.approx(study.mean)
    assert document["share_below_threshold"] == pytest.approx(3 / 7)
    assert document["worst"][0] == {
        "slice": 5, "position_mm": -85.5, "score": 0.4375, "word": "bad"
    }  # fmt: skip
    assert document["record"]["weights"]["sha256"] == "0123abcd"


def test_summary_is_json_whatever_the_record_holds(make, tmp_path: Path):
    path = tmp_path / "summary.json"
    record = {"loss": math.nan, "file": Path("weights"), "sizes": (1, 2), "rows": {3: None}}
    write_summary_json(path, make([1.0], record=record))

    def refuse(word: str):
        raise AssertionError(f"{word} is no JSON")

    document = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert document["record"] == {
        "loss": None, "file": "weights", "sizes": [1, 2], "rows": {"3": None}
    }  # fmt: skip


def test_unwritable_folder(study, tmp_path: Path):
    place = tmp_path / "results"
    place.write_text("a file is in the way")
    with pytest.raises(OutputError, match="results"):
        write_outputs(place, study)
    assert place.read_text() == "a file is in the way"
    assert list(tmp_path.iterdir()) == [place]


def test_an_old_report_stays_when_the_new_one_fails(study, tmp_path: Path, body):
    path = tmp_path / "report.html"
    path.write_text("old")
    broken = ReportPictures(worst=((study.worst(1)[0], body.astype(float)),))
    with pytest.raises(TypeError):
        write_report(path, study, broken)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a matter of POSIX")
def test_a_full_disk_leaves_no_half_written_file(tmp_path: Path):
    """A real error of the system while the bytes go out: files may have 2,000 bytes at most."""
    script = """
        import resource, sys
        from pathlib import Path
        from MSIQALib.assessment.result import SliceResult, StudyResult
        from MSIQALib.errors import OutputError
        from MSIQALib.imaging.volume import Geometry
        from MSIQALib.report.curve import write_quality_curve
        from MSIQALib.report.html import write_report
        from MSIQALib.report.pictures import ReportPictures
        from MSIQALib.report.summary import write_summary_json
        from MSIQALib.report.table import write_scores_csv

        grid = Geometry((9, 9, 200), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        rows = tuple(SliceResult(k, float(k), "assessed", 2.0, 2.0, 1.0) for k in range(200))
        result = StudyResult(rows, grid, warnings=("many words " * 300,))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        folder = Path(sys.argv[1])
        writers = {
            "scores.csv": write_scores_csv,
            "summary.json": write_summary_json,
            "quality_curve.png": write_quality_curve,
            "report.html": lambda path, result: write_report(path, result, ReportPictures()),
        }
        for name, write in writers.items():
            try:
                write(folder / name, result)
            except OutputError as error:
                print(name, "refused")
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"MPLCONFIGDIR": str(tmp_path / "mpl"), "PATH": "", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdout.split("\n")[:4] == [
        "scores.csv refused",
        "summary.json refused",
        "quality_curve.png refused",
        "report.html refused",
    ]
    assert [path.name for path in tmp_path.iterdir() if path.name != "mpl"] == []


def test_the_report_needs_neither_torch_nor_qt_nor_pyplot():
    script = (
        "import sys, MSIQALib.report.outputs as outputs;"
        "print([name for name in ('torch', 'qt', 'PySide6', 'matplotlib.pyplot')"
        " if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert run.stdout.strip() == "[]"
