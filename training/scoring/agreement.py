"""How far raters agree: intraclass correlations with confidence intervals.

The notation is Shrout and Fleiss' (Psychol Bull 86, 1979), the intervals McGraw and Wong's (Psychol
Methods 1, 1996, Table 7; with the correction of 1996). All come from the mean squares of a two-way
table of n images by k raters without repetition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f, spearmanr

FloatArray = npt.NDArray[np.float64]


WORST = -1.0
"""Lowest reliability of a mean that is told; all below 0 says the same, that there is none."""


@dataclass(frozen=True)
class Icc:
    """One intraclass correlation.

    Attributes:
        name: "ICC(2,1)" and so on.
        meaning: What it is the reliability of.
        value: The estimate; at most 1, and below 0 where raters agree less than by chance.
        low: Lower end of the confidence interval.
        high: Upper end.
    """

    name: str
    meaning: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RaterCheck:
    """One rater against the others.

    Attributes:
        name: Of the sheet.
        rated: How many images.
        mean: Of the rater's scores.
        srocc: Rank correlation with the mean of the others; NaN where it is not defined.
    """

    name: str
    rated: int
    mean: float
    srocc: float


@dataclass(frozen=True)
class _MeanSquares:
    images: float
    raters: float
    error: float


def intraclass_correlations(ratings: FloatArray, confidence: float = 0.95) -> tuple[Icc, ...]:
    """Compute ICC(2,1), ICC(2,k), ICC(3,1) and ICC(3,k).

    (2, .) takes the raters as drawn from many and counts their different means as disagreement;
    (3, .) is about these raters' order of the images alone. (., 1) is the reliability of one
    rater's score, (., k) that of the mean of all k, which is what training uses.

    Args:
        ratings: (n images, k raters), complete.
        confidence: Of the intervals.

    Raises:
        ValueError: There are fewer than two images or raters, a rating is missing, or no image
            differs from another.
    """
    n, k = ratings.shape
    if n < 2 or k < 2:
        raise ValueError(f"agreement needs two images and two raters, not {n} and {k}")
    if not np.isfinite(ratings).all():
        raise ValueError("agreement needs complete ratings")
    squares = _mean_squares(ratings)
    if squares.images == 0:
        raise ValueError("all images were rated alike, so that agreement is not defined")
    tail = (1 - confidence) / 2
    two, three = _absolute(squares, n, k, tail), _consistent(squares, n, k, tail)
    return (
        Icc("ICC(2,1)", "absolute agreement, one rater", *two),
        Icc(f"ICC(2,{k})", f"absolute agreement, mean of {k}", *(_of_mean(v, k) for v in two)),
        Icc("ICC(3,1)", "consistency, one rater", *three),
        Icc(f"ICC(3,{k})", f"consistency, mean of {k}", *(_of_mean(v, k) for v in three)),
    )


def check_raters(names: tuple[str, ...], ratings: FloatArray) -> tuple[RaterCheck, ...]:
    """Compare each rater with the mean of the others.

    Args:
        names: Of the k raters.
        ratings: (n, k), NaN where one is missing.
    """
    checks = []
    for column, name in enumerate(names):
        own = ratings[:, column]
        rest = np.delete(ratings, column, axis=1)
        rated = np.isfinite(own)
        both = rated & np.isfinite(rest).any(axis=1)
        others = np.nanmean(rest[both], axis=1) if both.any() else np.empty(0)
        varied = len(others) > 2 and np.ptp(own[both]) > 0 and np.ptp(others) > 0
        srocc = float(spearmanr(own[both], others).statistic) if varied else float("nan")
        mean = float(own[rated].mean()) if rated.any() else float("nan")
        checks.append(RaterCheck(name, int(rated.sum()), mean, srocc))
    return tuple(checks)


def _mean_squares(ratings: FloatArray) -> _MeanSquares:
    n, k = ratings.shape
    mean = ratings.mean()
    of_images, of_raters = ratings.mean(axis=1), ratings.mean(axis=0)
    images = k * np.square(of_images - mean).sum() / (n - 1)
    raters = n * np.square(of_raters - mean).sum() / (k - 1)
    residual = ratings - of_images[:, None] - of_raters + mean
    error = np.square(residual).sum() / ((n - 1) * (k - 1))
    # Raters who agree to the last digit leave a rounding error only.
    scale = np.square(ratings - mean).mean()
    return _MeanSquares(*(float(v) if v > 1e-12 * scale else 0.0 for v in (images, raters, error)))


def _consistent(s: _MeanSquares, n: int, k: int, tail: float) -> tuple[float, float, float]:
    """ICC(3,1) and its interval, exact under normality."""
    if s.error == 0:
        return 1.0, 1.0, 1.0
    ratio, freedom = s.images / s.error, (n - 1) * (k - 1)
    low = ratio / f.ppf(1 - tail, n - 1, freedom)
    high = ratio * f.ppf(1 - tail, freedom, n - 1)
    return (
        _single(ratio, k),
        _single(low, k),
        _single(high, k),
    )


def _absolute(s: _MeanSquares, n: int, k: int, tail: float) -> tuple[float, float, float]:
    """ICC(2,1) and its interval, with Satterthwaite's degrees of freedom."""
    value = (s.images - s.error) / (s.images + (k - 1) * s.error + k / n * (s.raters - s.error))
    if s.error == 0 and s.raters == 0:
        return 1.0, 1.0, 1.0
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * s.raters + b * s.error) ** 2 / (
        (a * s.raters) ** 2 / (k - 1) + (b * s.error) ** 2 / ((n - 1) * (k - 1))
    )
    noise = k * s.raters + (k * n - k - n) * s.error
    upper = f.ppf(1 - tail, n - 1, freedom)
    lower = f.ppf(1 - tail, freedom, n - 1)
    low = n * (s.images - upper * s.error) / (upper * noise + n * s.images)
    high = n * (lower * s.images - s.error) / (noise + n * lower * s.images)
    return value, float(low), float(high)


def _single(ratio: float, k: int) -> float:
    return float((ratio - 1) / (ratio + k - 1))


def _of_mean(single: float, k: int) -> float:
    """Spearman and Brown: the reliability of the mean of k, no lower than WORST.

    It falls without bound as the reliability of one rater nears -1 / (k - 1). A bound of an
    interval of few images can lie there or beyond.
    """
    share = 1 + (k - 1) * single
    return max(WORST, k * single / share) if share > 0 else WORST
