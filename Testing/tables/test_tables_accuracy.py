"""Correlations and the logistic curve, against closed forms, SciPy and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.tables.accuracy import accuracy
from training.tables.logistic import fit_logistic


def test_hand_checked_ranks() -> None:
    found = accuracy([1, 2, 3, 4, 5], [1, 3, 2, 5, 4])
    # Spearman: 1 - 6 * (0 + 1 + 1 + 1 + 1) / (5 * 24); Kendall: (8 - 2) / 10 pairs.
    assert found.n == 5
    assert found.srocc == pytest.approx(0.8)
    assert found.krocc == pytest.approx(0.6)
    assert found.plcc == pytest.approx(0.8)
    assert found.rmse == pytest.approx(np.sqrt(4 / 5))


def test_ties_follow_scipy() -> None:
    rng = np.random.default_rng(1)
    given = rng.integers(0, 9, 80) / 2.0
    predicted = np.round(given + rng.normal(0, 1, 80))
    found = accuracy(predicted, given)
    assert found.srocc == pytest.approx(stats.spearmanr(predicted, given).statistic)
    assert found.krocc == pytest.approx(stats.kendalltau(predicted, given).statistic)
    assert found.plcc == pytest.approx(stats.pearsonr(predicted, given).statistic)


def test_a_bent_scale_costs_nothing_after_the_fit() -> None:
    given = np.linspace(0.3, 3.7, 50)
    bent = -20 - 7 * np.log(4 / given - 1)  # inverse of a logistic curve with ends 0 and 4
    found = accuracy(bent, given)
    assert found.srocc == pytest.approx(1)
    assert found.krocc == pytest.approx(1)
    assert found.plcc < 0.999
    assert found.plcc_fitted == pytest.approx(1, abs=1e-6)
    assert found.rmse_fitted == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("high", "low"), [(3.6, 0.4), (0.4, 3.6)])
def test_four_parameters_recover_a_known_curve(high: float, low: float) -> None:
    x = np.linspace(10, 60, 200)
    known = low + (high - low) / (1 + np.exp(-(x - 32) / 6))
    noisy = known + np.random.default_rng(2).normal(0, 0.05, x.size)
    assert np.abs(fit_logistic(x, noisy)(x) - known).max() < 0.05


def test_five_parameters_recover_a_known_curve() -> None:
    x = np.linspace(-3, 3, 200)
    known = 2.5 * (0.5 - 1 / (1 + np.exp(1.7 * (x - 0.4)))) + 0.2 * x + 1.9
    fitted = fit_logistic(x, known, 5)
    assert np.abs(fitted(x) - known).max() < 1e-3
    assert len(fitted.values) == 5


def test_the_fit_is_no_worse_than_the_mean() -> None:
    rng = np.random.default_rng(3)
    given = rng.normal(2, 0.7, 60)
    assert accuracy(rng.normal(size=60), given).rmse_fitted <= given.std() + 1e-6


def test_a_constant_method_has_no_correlation() -> None:
    found = accuracy([2.0] * 6, [0, 1, 2, 3, 4, 4])
    assert (found.srocc, found.krocc, found.plcc, found.plcc_fitted) == (0, 0, 0, 0)
    assert found.rmse_fitted == pytest.approx(np.std([0, 1, 2, 3, 4, 4]))


def test_few_pictures_get_a_straight_line() -> None:
    found = accuracy([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert found.plcc_fitted == pytest.approx(1)
    assert found.rmse_fitted == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0, 2.0, np.nan], [1.0, 2.0, 3.0, 4.0]])
def test_scores_that_cannot_be_compared_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"cannot compare|not a number"):
        accuracy(scores, [1.0, 2.0, 3.0][: max(2, min(len(scores), 3))])
