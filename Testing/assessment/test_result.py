"""What a result says of a study."""

from __future__ import annotations

import json

import pytest

from MSIQALib.assessment.result import SliceResult, Status, StudyResult
from MSIQALib.imaging.volume import Geometry
from MSIQALib.likert import word_of

GRID = Geometry((2, 2, 5), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
SCORES = (1.0, 3.5, 2.0, 0.25)


@pytest.fixture
def study() -> StudyResult:
    rows = [
        SliceResult(k, 5.0 * k, score=score, S=4.0, W=score / 4) for k, score in enumerate(SCORES)
    ]
    return StudyResult((*rows, SliceResult(4, 20.0, "outside the PET")), GRID, threshold=2.0)


def test_figures_of_the_study(study):
    assert study.mean == pytest.approx(6.75 / 4)
    assert study.median == pytest.approx(1.5)
    assert study.share_below == pytest.approx(0.5)  # 2.0 is not under 2.0
    assert [row.index for row in study.worst(2)] == [3, 0]
    assert [row.index for row in study.best(2)] == [1, 2]


def test_nothing_assessed_gives_no_figures():
    empty = StudyResult((SliceResult(0, 0.0, "outside the PET"),), GRID, status=Status.CANCELLED)
    assert empty.mean is None
    assert empty.median is None
    assert empty.share_below is None
    assert empty.worst() == ()
    assert json.dumps(empty.summary(), allow_nan=False)


def test_summary_is_json_without_rows_that_were_not_assessed(study):
    summary = json.loads(json.dumps(study.summary(), allow_nan=False))
    assert summary["slices"] == 5
    assert summary["assessed"] == 4
    assert summary["status"] == "complete"
    assert [row["slice"] for row in summary["worst"]] == [3, 0, 2, 1]


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (-0.2, "bad"), (0, "bad"), (0.49, "bad"), (0.5, "poor"), (1.4, "poor"), (2, "fair"),
        (2.5, "good"), (3.49, "good"), (3.5, "excellent"), (4, "excellent"), (4.7, "excellent"),
    ],
)  # fmt: skip
def test_words_of_scores(score, word):
    assert word_of(score) == word


def test_no_word_for_no_number():
    with pytest.raises(ValueError, match="finite"):
        word_of(float("nan"))
