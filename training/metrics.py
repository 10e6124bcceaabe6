"""How well scores agree with the radiologists'."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True)
class Agreement:
    """Agreement of predicted with given scores.

    Attributes:
        n: Number of images.
        srocc: Spearman's rank correlation, ties averaged.
        plcc: Pearson's correlation of the scores as they are, without a fitted curve.
        rmse: Root mean squared error, in Likert units.
    """

    n: int
    srocc: float
    plcc: float
    rmse: float

    def to_dict(self) -> dict[str, float]:
        """Give the figures as plain numbers."""
        return asdict(self)


def agreement(predicted: npt.ArrayLike, given: npt.ArrayLike) -> Agreement:
    """Compare predicted with given scores.

    Args:
        predicted: (N,) scores of a model.
        given: (N,) mean scores of the radiologists.

    Raises:
        ValueError: Fewer than two images, or lengths that differ.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(given, np.float64)
    if p.shape != g.shape or p.ndim != 1 or p.size < 2:
        raise ValueError(f"cannot compare scores of shapes {p.shape} and {g.shape}")
    return Agreement(
        n=p.size,
        srocc=float(stats.spearmanr(p, g).statistic),
        plcc=float(stats.pearsonr(p, g).statistic),
        rmse=float(np.sqrt(np.mean((p - g) ** 2))),
    )
