"""scores.csv: what is written, and what comes back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from MSIQALib.errors import InputError, OutputError
from MSIQALib.report.table import read_scores_csv, write_scores_csv

HEADER = "slice,position_mm,score,word,S,W,state\n"


def test_one_row_for_each_slice_with_empty_numbers_where_there_is_no_score(study, tmp_path: Path):
    path = tmp_path / "scores.csv"
    write_scores_csv(path, study)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] + "\n" == HEADER
    assert len(lines) == 1 + 10
    assert lines[1] == "0,-100.50,,,,,outside the PET"
    assert lines[6] == "5,-85.50,0.4375,bad,0.5469,0.8000,assessed"
    assert lines[9] == "8,-76.50,4.0000,excellent,5.0000,0.8000,assessed"


def test_round_trip(study, tmp_path: Path):
    path = tmp_path / "scores.csv"
    write_scores_csv(path, study)
    rows = read_scores_csv(path)
    assert [row.index for row in rows] == list(range(10))
    for read, written in zip(rows, study.slices, strict=True):
        assert read.state == written.state
        assert read.position_mm == pytest.approx(written.position_mm, abs=0.005)
        assert read.word == written.word
        assert (read.score is None) == (written.score is None)
        if written.score is not None:
            assert read.score == pytest.approx(written.score, abs=5e-5)
            assert pytest.approx([written.S, written.W], abs=5e-5) == [read.S, read.W]


def test_states_with_commas_quotes_and_umlauts_survive(tmp_path: Path, make):
    state = 'the PET ends here, "früh"'
    path = tmp_path / "scores.csv"
    write_scores_csv(path, make([state, 2.0]))
    assert read_scores_csv(path)[0].state == state
    with path.open(encoding="utf-8", newline="") as file:
        assert [len(row) for row in csv.reader(file)] == [7, 7, 7]


def test_reads_a_table_that_a_spreadsheet_saved(tmp_path: Path):
    path = tmp_path / "scores.csv"
    text = HEADER + "0,-1.5,2,fair,,,assessed\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (row,) = read_scores_csv(path)
    assert (row.score, row.position_mm, row.S) == (2.0, -1.5, None)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "lacks the columns slice"),
        (b"slice,score\n0,1\n", "lacks the columns position_mm, word, S, W, state"),
        (HEADER.encode(), "no slice"),
        (HEADER.encode() + b"0,0,five,good,1,1,assessed\n", "line 2: score is 'five'"),
        (HEADER.encode() + b"0,0,nan,good,1,1,assessed\n", "line 2: score is 'nan'"),
        (HEADER.encode() + b"0,0,4.5,good,1,1,assessed\n", "outside 0 to 4"),
        (HEADER.encode() + b"-1,0,1,poor,1,1,assessed\n", "line 2: slice is '-1'"),
        (HEADER.encode() + b"0,,1,poor,1,1,assessed\n", "position_mm is empty"),
        (HEADER.encode() + b"0,0,,,,,assessed\n", "state is 'assessed'"),
        (HEADER.encode() + b"0,0,1,poor,1,1,outside the PET\n", "state is 'outside the PET'"),
        (HEADER.encode() + b"0,0,1,poor,1,1,assessed\n" * 2, "listed twice"),
        (HEADER.encode() + b"0,0\n", "line 2"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a table in UTF-8"),
    ],
)
def test_bad_tables_are_refused_by_name(tmp_path: Path, content: bytes, cause: str):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scores\.csv") as caught:
        read_scores_csv(path)
    assert cause in str(caught.value)


def test_missing_table(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_scores_csv(tmp_path / "scores.csv")


def test_unwritable_place(study, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_scores_csv(tmp_path / "file" / "scores.csv", study)
