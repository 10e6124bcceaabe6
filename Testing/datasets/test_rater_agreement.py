"""Intraclass correlations against the published example and closed cases."""

from __future__ import annotations

import numpy as np
import pytest

from training.scoring.agreement import check_raters, intraclass_correlations

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
"""Table 2 of Shrout and Fleiss 1979: six targets, four judges."""


def test_published_example() -> None:
    """Estimates of Shrout and Fleiss (Table 4), and 95 % intervals as later papers print them."""
    found = {icc.name: icc for icc in intraclass_correlations(SHROUT_FLEISS)}
    expected = {
        "ICC(2,1)": (0.29, 0.02, 0.76),
        "ICC(2,4)": (0.62, 0.07, 0.93),
        "ICC(3,1)": (0.71, 0.34, 0.95),
        "ICC(3,4)": (0.91, 0.68, 0.99),
    }
    assert set(found) == set(expected)
    for name, (value, low, high) in expected.items():
        assert found[name].value == pytest.approx(value, abs=0.005)
        assert found[name].low == pytest.approx(low, abs=0.006)
        assert found[name].high == pytest.approx(high, abs=0.006)


def test_a_shift_of_one_rater_is_disagreement_but_not_inconsistency() -> None:
    one, mean_one, three, mean_three = intraclass_correlations(SHROUT_FLEISS)
    again = intraclass_correlations(SHROUT_FLEISS + np.array([0, 5, 0, 0]))
    assert again[0].value != pytest.approx(one.value, abs=0.01)
    assert again[2].value == pytest.approx(three.value, rel=1e-9)
    assert again[2].low == pytest.approx(three.low, rel=1e-9)
    assert mean_one.value > one.value
    assert mean_three.value > three.value


def test_perfect_agreement_is_one() -> None:
    same = np.repeat(np.arange(6.0)[:, None], 3, axis=1)
    assert [icc.value for icc in intraclass_correlations(same)] == [1.0] * 4
    shifted = intraclass_correlations(same + np.array([0, 1, 0]))
    assert shifted[2].value == 1.0
    assert shifted[0].value < 1.0


@pytest.mark.parametrize("count", [2, 3, 5])
def test_intervals_of_few_images_hold_their_value(count: int) -> None:
    """The lower bound for one rater passes -1 / (k - 1) here, where the mean's has its pole."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        for icc in intraclass_correlations(rng.integers(0, 5, (count, 5)) + rng.random((count, 5))):
            assert -1 <= icc.low <= icc.high <= 1 + 1e-9
            assert max(icc.value, -1) >= icc.low - 1e-9


def test_simulated_reliability_lies_in_its_interval_as_often_as_said() -> None:
    """Variances 4 of images, 1 of raters, 1 of error: ICC(2,1) = 4/6 and ICC(3,1) = 4/5."""
    rng = np.random.default_rng(0)
    inside = np.zeros((300, 2))
    for i in range(300):
        table = 2 * rng.standard_normal((40, 1)) + rng.standard_normal((1, 5))
        two, _, three, _ = intraclass_correlations(table + rng.standard_normal((40, 5)))
        inside[i] = two.low < 4 / 6 < two.high, three.low < 4 / 5 < three.high
    assert inside.mean(axis=0) == pytest.approx([0.95, 0.95], abs=0.035)


def test_wider_confidence_is_a_wider_interval() -> None:
    narrow = intraclass_correlations(SHROUT_FLEISS, 0.90)
    wide = intraclass_correlations(SHROUT_FLEISS, 0.99)
    for a, b in zip(narrow, wide, strict=True):
        assert b.low < a.low < a.value < a.high < b.high
        assert a.value == b.value


@pytest.mark.parametrize(
    ("ratings", "what"),
    [
        (np.ones((1, 3)), "two images"),
        (np.ones((3, 1)), "two raters"),
        (np.ones((3, 3)), "rated alike"),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), "complete"),
    ],
)
def test_undefined_agreement_is_refused(ratings: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        intraclass_correlations(ratings)


def test_rater_who_turned_the_scale_stands_out() -> None:
    truth = np.tile(np.arange(5.0), 6)
    ratings = np.stack([truth, truth, 4 - truth], axis=1)
    ratings[3, 0] = np.nan
    first, second, turned = check_raters(("a", "b", "c"), ratings)
    assert (first.rated, second.rated) == (29, 30)
    assert turned.srocc == pytest.approx(-1.0)
    assert second.mean == pytest.approx(2.0)
