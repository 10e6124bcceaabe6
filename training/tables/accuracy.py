"""How well a method's scores agree with people's, as the IQA field reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from training.tables.logistic import Parameters, fit_logistic

FloatArray = npt.NDArray[np.float64]
LEAST = 3
"""Fewer pictures make no correlation."""


@dataclass(frozen=True)
class Accuracy:
    """Agreement of predicted with given scores; a larger prediction means a better picture.

    Attributes:
        n: Number of pictures.
        srocc: Spearman's rank correlation, ties by mean rank.
        krocc: Kendall's tau-b.
        plcc: Pearson's correlation of the scores as they are.
        plcc_fitted: Pearson's correlation after the logistic curve.
        rmse_fitted: Root mean squared error after the logistic curve, in Likert units.
        rmse: Root mean squared error of the scores as they are; meaningful for methods that
            give Likert units.
    """

    n: int
    srocc: float
    krocc: float
    plcc: float
    plcc_fitted: float
    rmse_fitted: float
    rmse: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain numbers, rounded to what the number of pictures can carry."""
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def accuracy(
    predicted: npt.ArrayLike, given: npt.ArrayLike, parameters: Parameters = 4
) -> Accuracy:
    """Measure all figures.

    Args:
        predicted: (N,) scores of a method.
        given: (N,) mean scores of people.
        parameters: Of the logistic curve.

    Raises:
        ValueError: Fewer than three pictures, lengths that differ, or a score that is no number.
    """
    p, g = pair(predicted, given)
    fitted = fit_logistic(p, g, parameters)(p)
    return Accuracy(
        n=len(g),
        srocc=srocc(p, g),
        krocc=0.0 if _flat(p) or _flat(g) else float(stats.kendalltau(p, g).statistic),
        plcc=pearson(p, g),
        plcc_fitted=pearson(fitted, g),
        rmse_fitted=_rmse(fitted, g),
        rmse=_rmse(p, g),
    )


def pair(predicted: npt.ArrayLike, given: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check that scores can be compared, and give them as arrays.

    Raises:
        ValueError: See :func:`accuracy`.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(given, np.float64)
    if p.shape != g.shape or p.ndim != 1 or p.size < LEAST:
        raise ValueError(f"cannot compare scores of shapes {p.shape} and {g.shape}")
    if not (np.isfinite(p).all() and np.isfinite(g).all()):
        raise ValueError("a score is not a number")
    return p, g


def srocc(p: FloatArray, g: FloatArray) -> float:
    """Spearman's rank correlation; 0 where one side is constant."""
    return pearson(stats.rankdata(p), stats.rankdata(g))


def mean_of_folds(folds: Mapping[str, Accuracy]) -> dict[str, float]:
    """The mean of each correlation over the folds."""
    names = ("srocc", "krocc", "plcc", "plcc_fitted")
    return {
        name: round(float(np.mean([getattr(fold, name) for fold in folds.values()])), 4)
        for name in names
    }


def pearson(p: FloatArray, g: FloatArray) -> float:
    """Pearson's correlation; 0 where one side is constant."""
    if _flat(p) or _flat(g):
        return 0.0
    return float(np.corrcoef(p, g)[0, 1])


def _rmse(p: FloatArray, g: FloatArray) -> float:
    return float(np.sqrt(np.mean((p - g) ** 2)))


def _flat(values: FloatArray) -> bool:
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))
