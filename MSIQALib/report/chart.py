"""The quality curve as numbers for an inline SVG; templates/chart.html draws them.

All lengths are in units of the SVG's view box. Positions follow from scores alone: x is linear in
millimetres between the outer faces of the first and last slice, y linear in the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from MSIQALib.assessment.result import SliceResult, StudyResult
from MSIQALib.likert import SCORE_RANGE
from MSIQALib.report.axis import (
    PatientAxis,
    scored_stretches,
    spread,
    unscored_stretches,
)
from MSIQALib.report.colours import likert_bands, likert_tints
from MSIQALib.report.wording import count, number, reason_words, slice_words

WIDTH = 1120.0
LEFT, RIGHT = 52.0, 1032.0
TOP, BOTTOM = 52.0, 332.0
LANE = 48.0
"""Height under the plot where the worst slices are named."""
STRIP_TOP = BOTTOM + LANE + 54.0
PATTERNS = 6
"""Number of hatchings in the template; they repeat where there are more reasons."""

_LABEL_GAP = 46.0
_DENSE_OVER = 600


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Band:
    """A Likert step across the plot."""

    word: str
    tint: str
    top: float
    height: float


@dataclass(frozen=True)
class Gap:
    """Neighbouring slices without a score."""

    left: float
    width: float
    pattern: int
    text: str


@dataclass(frozen=True)
class Dot:
    """One slice: its point, the column in which it answers the pointer, and what it says."""

    x: float
    y: float
    left: float
    width: float
    text: str
    index: int


@dataclass(frozen=True)
class Mark:
    """One of the worst slices, with its label in the lane under the plot."""

    x: float
    y: float
    label_x: float
    index: int
    score: str


@dataclass(frozen=True)
class Legend:
    """A hatching and what it stands for."""

    pattern: int
    text: str


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws.

    ``lines`` and ``areas`` hold the points of a polyline or polygon for each run of assessed
    slices. Where it is ``dense``, a thinner line keeps neighbouring slices apart.
    """

    bands: tuple[Band, ...]
    score_ticks: tuple[Tick, ...]
    position_ticks: tuple[Tick, ...]
    index_ticks: tuple[Tick, ...]
    gaps: tuple[Gap, ...]
    legend: tuple[Legend, ...]
    lines: tuple[str, ...]
    areas: tuple[str, ...]
    dots: tuple[Dot, ...]
    lone: tuple[Dot, ...]
    dense: bool
    marks: tuple[Mark, ...]
    threshold_y: float
    threshold: str


def build_chart(result: StudyResult) -> Chart:
    """Lay a result out.

    Args:
        result: An assessment; partial and empty ones have gaps and no line.
    """
    axis = PatientAxis.of(result)
    gaps, legend = _gaps(result, axis)
    runs = scored_stretches(result)
    return Chart(
        bands=tuple(
            Band(word, tint, score_y(high), score_y(low) - score_y(high))
            for (word, low, high), tint in zip(likert_bands(), likert_tints(), strict=True)
        ),
        score_ticks=tuple(
            Tick(score_y(score), str(score))
            for score in range(int(SCORE_RANGE[0]), int(SCORE_RANGE[1]) + 1)
        ),
        position_ticks=tuple(
            Tick(position_x(axis, value), f"{number(value, 6).rstrip('0').rstrip('.')}")
            for value in axis.position_ticks()
        ),
        index_ticks=tuple(
            Tick(position_x(axis, axis.position(value)), str(int(value)))
            for value in axis.index_ticks()
        ),
        gaps=gaps,
        legend=legend,
        lines=tuple(_points(axis, *_curve_of(run.rows)) for run in runs),
        areas=tuple(_area(axis, result, run.rows) for run in runs),
        dots=_dots(result.slices, axis),
        lone=_dots([run.rows[0] for run in runs if run.count == 1], axis),
        dense=len(result.slices) > _DENSE_OVER,
        marks=_marks(result, axis),
        threshold_y=score_y(result.threshold),
        threshold=number(result.threshold, 1),
    )


def score_y(score: float) -> float:
    """Height of a score in the view box (y grows downwards)."""
    low, high = SCORE_RANGE
    return BOTTOM - (score - low) / (high - low) * (BOTTOM - TOP)


def position_x(axis: PatientAxis, position_mm: float) -> float:
    """Place of a position in the view box."""
    share = (position_mm - axis.start_mm) / (axis.end_mm - axis.start_mm)
    return LEFT + share * (RIGHT - LEFT)


def _curve_of(rows: Sequence[SliceResult]) -> tuple[list[float], list[float]]:
    return [row.position_mm for row in rows], [row.score for row in rows if row.score is not None]


def _points(axis: PatientAxis, positions: list[float], scores: list[float]) -> str:
    return " ".join(
        f"{position_x(axis, position):.2f},{score_y(score):.2f}"
        for position, score in zip(positions, scores, strict=True)
    )


def _area(axis: PatientAxis, result: StudyResult, rows: Sequence[SliceResult]) -> str:
    """The polygon between the curve and the threshold; the template clips what is above it."""
    positions, scores = _curve_of(rows)
    ends = [positions[-1], positions[0]], [result.threshold] * 2
    return f"{_points(axis, positions, scores)} {_points(axis, *ends)}"


def _gaps(result: StudyResult, axis: PatientAxis) -> tuple[tuple[Gap, ...], tuple[Legend, ...]]:
    runs = unscored_stretches(result)
    totals: dict[str, int] = {}
    for run in runs:
        totals[run.kind] = totals.get(run.kind, 0) + run.count
    pattern_of = {reason: at % PATTERNS for at, reason in enumerate(totals)}
    gaps = []
    for run in runs:
        left, right = position_x(axis, run.start_mm), position_x(axis, run.end_mm)
        first, last = run.rows[0].index, run.rows[-1].index
        span = f"Slice {first}" if first == last else f"Slices {first} to {last}"
        gaps.append(
            Gap(left, right - left, pattern_of[run.kind], f"{span}: {reason_words(run.kind)}")
        )
    return tuple(gaps), tuple(
        Legend(pattern_of[reason], f"{reason_words(reason)} ({count(total, 'slice')})")
        for reason, total in totals.items()
    )


def _dots(rows: Sequence[SliceResult], axis: PatientAxis) -> tuple[Dot, ...]:
    width = axis.step_mm / (axis.end_mm - axis.start_mm) * (RIGHT - LEFT)
    return tuple(
        Dot(x, score_y(row.score), x - width / 2, width, slice_words(row), row.index)
        for row in rows
        if row.score is not None
        for x in (position_x(axis, row.position_mm),)
    )


def _marks(result: StudyResult, axis: PatientAxis) -> tuple[Mark, ...]:
    worst = [(row, row.score) for row in result.worst() if row.score is not None]
    places = [position_x(axis, row.position_mm) for row, _ in worst]
    labels = spread(places, _LABEL_GAP, LEFT + _LABEL_GAP / 2, RIGHT - _LABEL_GAP / 2)
    return tuple(
        Mark(x, score_y(score), label, row.index, number(score))
        for (row, score), x, label in zip(worst, places, labels, strict=True)
    )
