"""Courses of the score under degradation, with a scorer whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_study import small_study

from training import monotonicity
from training.degradations import DEGRADATIONS
from training.monotonicity import (
    RememberedScores,
    degraded,
    follow,
    main,
    slices_to_score,
)
from training.picture_degradations import PICTURE_DEGRADATIONS

SLICES = (5, 11, 17)
BY_NAME = {how.name: how for how in (*DEGRADATIONS, *PICTURE_DEGRADATIONS)}


class GrainScorer:
    """Scores a picture by how little neighbouring pixels differ."""

    device = SimpleNamespace(batch_size=2)

    def __init__(self) -> None:
        self.scored = 0

    def prepare(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        assert len(pictures) <= self.device.batch_size
        return pictures

    def score(self, batch: list[np.ndarray], *, heatmaps: bool) -> list[SimpleNamespace]:
        assert not heatmaps
        self.scored += len(batch)
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
    course = follow(RememberedScores(GrainScorer()), "body", small_study(), BY_NAME[name], SLICES)
    assert course.correlation == pytest.approx(correlation)
    assert len(course.scores) == len(course.strengths) == 6
    assert course.scores[0] != course.scores[-1]


def test_seeds_differ_where_there_is_noise_and_nowhere_else() -> None:
    pair = small_study()
    scores_of = RememberedScores(GrainScorer())
    noisy, still = (
        follow(scores_of, "b", pair, BY_NAME[name], SLICES)
        for name in ("data set's noise", "PET resolution")
    )
    assert noisy.seed_difference > 0
    assert still.seed_difference == 0


@pytest.mark.parametrize("how", BY_NAME.values(), ids=BY_NAME)
def test_every_degradation_begins_with_the_original(how) -> None:
    pair = small_study()
    first, *_, last = degraded(pair, [12], how, 0)
    [clean] = next(iter(degraded(pair, [12], BY_NAME["breathing"], 0)))
    # Quality 100 is a JPEG, too: not lossless, but close.
    assert np.abs(first[0].astype(int) - clean).mean() < 1.5
    assert np.abs(last[0].astype(int) - clean).mean() > np.abs(first[0].astype(int) - clean).mean()


def test_a_picture_that_comes_again_is_not_scored_again() -> None:
    scorer = GrainScorer()
    scores_of = RememberedScores(scorer)
    first = follow(scores_of, "b", small_study(), BY_NAME["PET resolution"], SLICES)
    assert scorer.scored == len(SLICES) * 6  # the second seed changes nothing
    again = follow(scores_of, "b", small_study(), BY_NAME["PET resolution"], SLICES)
    assert again == first
    assert scorer.scored == len(SLICES) * 6


def test_slices_are_chosen_where_there_is_pet() -> None:
    ct, pet = small_study()
    cut = replace(pet, array=pet.array[:12], geometry=replace(pet.geometry, size=(48, 48, 12)))
    assert slices_to_score((ct, pet), 3) == [5, 11, 17]
    assert max(slices_to_score((ct, cut), 3)) < 12


def test_only_the_degradations_that_are_named_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pairs = [SimpleNamespace(name="body", read=small_study)]
    monkeypatch.setattr(monotonicity, "data_root", lambda: tmp_path)
    monkeypatch.setattr(monotonicity, "load_model", lambda _: None)
    monkeypatch.setattr(monotonicity, "NetworkScorer", lambda *_: GrainScorer())
    monkeypatch.setattr(monotonicity, "find_pairs", lambda _: pairs)
    main(["--slices", "3", "--only", "CT dose", "PET resolution"])
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert any("CT dose" in row for row in rows)
    assert any("PET resolution" in row for row in rows)
    others = set(BY_NAME) - {"CT dose", "PET resolution"}
    assert not [row for row in rows for name in others if f"| {name} " in row]


def test_a_record_is_of_all_degradations(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "CT dose", "--records", str(tmp_path)])
    assert "leave out --only or --records" in capsys.readouterr().err
