"""Results of known numbers, which the tests of all outputs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from MSIQALib.assessment.result import SliceResult, Status, StudyResult
from MSIQALib.imaging.volume import Geometry

FIRST_MM = -100.5
STEP_MM = 3.0


def make_result(
    scores: Sequence[float | str],
    *,
    threshold: float = 2.0,
    status: Status = Status.COMPLETE,
    **more,
) -> StudyResult:
    """A study whose slice k has score ``scores[k]``, or the state that stands there instead."""
    rows = []
    for index, value in enumerate(scores):
        position = FIRST_MM + STEP_MM * index
        if isinstance(value, str):
            rows.append(SliceResult(index, position, value))
        else:
            rows.append(SliceResult(index, position, "assessed", value, value / 0.8, 0.8))
    geometry = Geometry(
        (64, 48, len(rows)), (4.0, 4.0, STEP_MM), (0.0, 0.0, FIRST_MM), (1, 0, 0, 0, 1, 0, 0, 0, 1)
    )
    return StudyResult(tuple(rows), geometry, threshold, status, **more)


@pytest.fixture
def make() -> Callable[..., StudyResult]:
    """The function that makes results of given scores."""
    return make_result


@pytest.fixture
def study() -> StudyResult:
    """Ten slices: two gaps of different reasons, and slice 5 the worst."""
    return make_result(
        ["outside the PET", 3.0, 2.5, 1.75, "missing from the CT series", 0.4375, 1.0, 3.5, 4.0,
         "outside the PET"],
        warnings=("2 of 10 CT slices lie outside the PET.",),
        record={"device": {"name": "cpu"}, "weights": {"sha256": "0123abcd"}},
    )  # fmt: skip


@pytest.fixture
def body() -> np.ndarray:
    """A picture with an ellipse of tissue (rows 20..60, columns 30..90) over a thin table."""
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[((rows - 40) / 20) ** 2 + ((columns - 60) / 30) ** 2 <= 1] = (200, 120, 110)
    picture[80:82] = 180
    return picture
