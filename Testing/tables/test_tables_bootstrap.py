"""The bootstrap's intervals, against the normal distribution's."""

from __future__ import annotations

import numpy as np
import pytest

from training.tables.accuracy import srocc
from training.tables.bootstrap import bootstrap


def mean_error(predicted: np.ndarray, given: np.ndarray) -> float:
    return float((predicted - given).mean())


def test_the_width_is_that_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(4)
    errors = rng.normal(0.3, 1, 400)
    found = bootstrap(errors, np.zeros(400), mean_error, draws=1000)
    half = 1.96 * errors.std() / np.sqrt(400)
    assert found.low == pytest.approx(errors.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(errors.mean() + half, abs=0.15 * half)
    assert (found.units, found.draws) == (400, 1000)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(150):
        found = bootstrap(rng.normal(size=60), np.zeros(60), mean_error, draws=200, seed=trial)
        covered += found.low <= 0 <= found.high
    assert 0.89 <= covered / 150 <= 0.99


def test_groups_are_drawn_whole() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(10), 40)
    errors = rng.normal(size=10)[groups]  # 400 pictures, but only ten independent errors
    single = bootstrap(errors, np.zeros(400), mean_error)
    whole = bootstrap(errors, np.zeros(400), mean_error, groups=list(groups))
    ratio = (whole.high - whole.low) / (single.high - single.low)
    assert whole.units == 10
    assert ratio == pytest.approx(np.sqrt(40), rel=0.15)


def test_a_seed_gives_the_same_interval_again() -> None:
    rng = np.random.default_rng(7)
    pair = rng.normal(size=(2, 50))
    first, again, other = (bootstrap(*pair, srocc, draws=100, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_one_group_makes_no_interval() -> None:
    with pytest.raises(ValueError, match="two units"):
        bootstrap(np.arange(5.0), np.arange(5.0), srocc, groups=["A"] * 5)
