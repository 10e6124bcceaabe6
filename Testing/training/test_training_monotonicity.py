"""Courses of the score under degradation, with a scorer whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from small_study import small_study

from training.degradations import DEGRADATIONS
from training.monotonicity import PICTURE_DEGRADATIONS, degraded, follow, table

BY_NAME = {how.name: how for how in (*DEGRADATIONS, *PICTURE_DEGRADATIONS)}


class GrainScorer:
    """Scores a picture by how little neighbouring pixels differ."""

    device = SimpleNamespace(batch_size=2)

    def prepare(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        assert len(pictures) <= self.device.batch_size
        return pictures

    def score(self, batch: list[np.ndarray]) -> list[SimpleNamespace]:
        grain = [float(np.abs(np.diff(picture.astype(float), axis=1)).mean()) for picture in batch]
        return [SimpleNamespace(score=4 - value / 10) for value in grain]


@pytest.mark.parametrize(
    ("name", "correlation"),
    [
        ("data set's specks", -1.0),
        ("data set's noise", -1.0),
        ("CT dose", -1.0),
        ("breathing", 1.0),
    ],
)
def test_course_follows_what_the_scorer_sees(name: str, correlation: float) -> None:
    course = follow(GrainScorer(), "body", small_study(), BY_NAME[name], 3)
    assert course.correlation == pytest.approx(correlation)
    assert len(course.scores) == len(course.strengths) == 6
    assert course.scores[0] != course.scores[-1]


def test_seeds_differ_where_there_is_noise_and_nowhere_else() -> None:
    pair = small_study()
    assert follow(GrainScorer(), "b", pair, BY_NAME["data set's noise"], 3).seed_difference > 0
    assert follow(GrainScorer(), "b", pair, BY_NAME["PET resolution"], 3).seed_difference == 0


@pytest.mark.parametrize("how", BY_NAME.values(), ids=BY_NAME)
def test_every_degradation_begins_with_the_original(how) -> None:
    pair = small_study()
    first, *_, last = degraded(pair, [12], how, 0)
    [clean] = next(iter(degraded(pair, [12], BY_NAME["breathing"], 0)))
    # Quality 100 is a JPEG, too: not lossless, but close.
    assert np.abs(first[0].astype(int) - clean).mean() < 1.5
    assert np.abs(last[0].astype(int) - clean).mean() > np.abs(first[0].astype(int) - clean).mean()


def test_table_counts_the_studies_whose_score_falls() -> None:
    pair = small_study()
    courses = [follow(GrainScorer(), n, pair, BY_NAME["CT dose"], 2) for n in ("a", "b")]
    text = table(courses)
    assert "median Spearman -1.00, 2 of 2 studies" in text
    assert text.count("| CT dose |") == 2
