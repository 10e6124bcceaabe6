"""Confidence intervals by drawing pictures, or whole groups of them, again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray, FloatArray], float]

DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        units: How many units were drawn from: pictures, slices or patients.
        draws: How often.
    """

    low: float
    high: float
    units: int
    draws: int

    def to_dict(self) -> dict[str, float]:
        """The figures as plain numbers."""
        return {
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "units": self.units,
            "draws": self.draws,
        }


def bootstrap(
    predicted: FloatArray,
    given: FloatArray,
    statistic: Statistic,
    *,
    groups: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic (Efron 1979).

    Drawing single pictures says how the figure would change with other pictures of the same
    slices and patients. The 27 pictures of a slice are not independent, so that this interval is
    too narrow for new patients; drawing whole groups does not have that fault, but is coarse where
    groups are few.

    Args:
        predicted: (N,) scores of a method.
        given: (N,) scores of people.
        statistic: Of both.
        groups: The group of each picture, all of which are drawn together; None draws pictures.
        draws: How often.
        level: Share of the draws inside.
        seed: Another seed, other draws.

    Raises:
        ValueError: There are fewer than two units to draw from.
    """
    members = _members(len(given), groups)
    if len(members) < 2:
        raise ValueError("an interval needs two units or more")
    rng = np.random.default_rng(seed)
    values = np.empty(draws)
    for draw in range(draws):
        units = rng.integers(len(members), size=len(members))
        chosen = units if groups is None else np.concatenate([members[unit] for unit in units])
        values[draw] = statistic(predicted[chosen], given[chosen])
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), len(members), draws)


def _members(count: int, groups: Sequence[Hashable] | None) -> list[npt.NDArray[np.intp]]:
    if groups is None:
        return list(np.arange(count)[:, None])
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(own) for own in rows.values()]
