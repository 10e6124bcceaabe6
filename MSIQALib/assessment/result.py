"""What an assessment says: one row for each slice, and the study as a whole."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from MSIQALib.imaging.volume import Geometry
from MSIQALib.likert import word_of

ASSESSED = "assessed"
NOT_REACHED = "not reached"
"""State of the slices that a cancelled or failed run left."""

DEFAULT_THRESHOLD = 2.0
"""Below "fair": slices under it are counted as of insufficient quality."""

WORST_COUNT = 5


class Status(str, Enum):
    """How an assessment ended."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class SliceResult:
    """One slice of the CT grid.

    Attributes:
        index: k, 0 at the inferior end.
        position_mm: Position of the slice's centre along the patient axis: the S coordinate of
            LPS, ascending towards the head.
        state: "assessed", "not reached", or why the slice was not assessed.
        score: 0..4; None unless assessed.
        S: Score branch in Likert units (Eq. 7); None unless assessed.
        W: Weight branch, 0..1 (Eq. 8); None unless assessed.
    """

    index: int
    position_mm: float
    state: str = ASSESSED
    score: float | None = None
    S: float | None = None
    W: float | None = None

    @property
    def assessed(self) -> bool:
        """True where the slice has a score."""
        return self.score is not None

    @property
    def word(self) -> str:
        """The Likert word of the score; empty where there is none."""
        return "" if self.score is None else word_of(self.score)


@dataclass(frozen=True)
class StudyResult:
    """A whole assessment.

    Attributes:
        slices: One entry for each slice of the CT grid, inferior to superior.
        geometry: The grid that ``index`` counts on.
        threshold: Likert score under which a slice counts as poor.
        status: Whether all slices were dealt with, or why not.
        stopped: Why the run ended early, as words for the user; None where it is complete.
        warnings: What the user should know, one sentence each.
        record: What is needed to repeat it: inputs, options, weights, device, versions. Plain
            JSON values.
    """

    slices: tuple[SliceResult, ...]
    geometry: Geometry
    threshold: float = DEFAULT_THRESHOLD
    status: Status = Status.COMPLETE
    stopped: str | None = None
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """True where the run was cancelled or failed half-way."""
        return self.status is not Status.COMPLETE

    @property
    def assessed(self) -> tuple[SliceResult, ...]:
        """The slices that have a score, inferior to superior."""
        return tuple(row for row in self.slices if row.assessed)

    @property
    def scores(self) -> tuple[float, ...]:
        """Scores of the assessed slices, inferior to superior."""
        return tuple(row.score for row in self.slices if row.score is not None)

    @property
    def mean(self) -> float | None:
        """Mean score; None where no slice was assessed."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        """Median score; None where no slice was assessed."""
        return statistics.median(self.scores) if self.scores else None

    @property
    def share_below(self) -> float | None:
        """Share of the assessed slices whose score is under the threshold, 0..1."""
        if not self.scores:
            return None
        return sum(score < self.threshold for score in self.scores) / len(self.scores)

    def worst(self, count: int = WORST_COUNT) -> tuple[SliceResult, ...]:
        """The slices of lowest score, worst first."""
        return tuple(sorted(self.assessed, key=_by_score)[:count])

    def best(self, count: int = WORST_COUNT) -> tuple[SliceResult, ...]:
        """The slices of highest score, best first."""
        return tuple(sorted(self.assessed, key=_by_score, reverse=True)[:count])

    def summary(self) -> dict[str, Any]:
        """The study as plain JSON values, without the rows."""
        return {
            "slices": len(self.slices),
            "assessed": len(self.assessed),
            "status": self.status.value,
            "partial": self.partial,
            "stopped": self.stopped,
            "mean": self.mean,
            "median": self.median,
            "word": word_of(self.mean) if self.mean is not None else None,
            "threshold": self.threshold,
            "share_below_threshold": self.share_below,
            "worst": [_row(row) for row in self.worst()],
            "best": [_row(row) for row in self.best()],
            "warnings": list(self.warnings),
            "record": dict(self.record),
        }


def _by_score(row: SliceResult) -> float:
    assert row.score is not None
    return row.score


def _row(row: SliceResult) -> dict[str, Any]:
    return {
        "slice": row.index,
        "position_mm": row.position_mm,
        "score": row.score,
        "word": row.word,
    }
