"""The patient axis of a result: where slices lie, and which neighbours belong together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from MSIQALib.assessment.result import SliceResult, StudyResult

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class PatientAxis:
    """The line from feet to head on which slice indices and millimetres meet.

    Attributes:
        first_mm: Position of slice 0's centre.
        step_mm: Distance between the centres of neighbours, over 0.
        count: Number of slices.
    """

    first_mm: float
    step_mm: float
    count: int

    @classmethod
    def of(cls, result: StudyResult) -> PatientAxis:
        """Read the axis off a result; a single slice is as thick as the grid says."""
        rows = result.slices
        spacing = abs(result.geometry.spacing[2]) or 1.0
        if not rows:
            return cls(result.geometry.origin[2], spacing, 0)
        span = rows[-1].index - rows[0].index
        travel = rows[-1].position_mm - rows[0].position_mm
        step = travel / span if span > 0 and travel > 0 else spacing
        return cls(rows[0].position_mm - rows[0].index * step, step, rows[-1].index + 1)

    @property
    def start_mm(self) -> float:
        """The lower face of the first slice."""
        return self.first_mm - self.step_mm / 2

    @property
    def end_mm(self) -> float:
        """The upper face of the last slice (of a single one where there is none)."""
        return self.start_mm + max(self.count, 1) * self.step_mm

    def position(self, index: float) -> float:
        """Millimetres of a slice index."""
        return self.first_mm + index * self.step_mm

    def index(self, position_mm: float) -> float:
        """The slice index, not rounded, of a position."""
        return (position_mm - self.first_mm) / self.step_mm

    def position_ticks(self) -> list[float]:
        """Round millimetres along the axis; of a single slice, its own position."""
        if self.count == 1:
            return [round(self.first_mm, 2)]
        return nice_steps(self.start_mm, self.end_mm)

    def index_ticks(self) -> list[float]:
        """Round slice indices along the axis."""
        return nice_steps(0, max(self.count - 1, 0), whole=True)


@dataclass(frozen=True)
class Stretch(Generic[Kind]):
    """Neighbouring slices of one kind.

    Attributes:
        kind: What they have in common.
        rows: The slices, inferior to superior; never empty.
        start_mm: Lower face of the first.
        end_mm: Upper face of the last.
    """

    kind: Kind
    rows: tuple[SliceResult, ...]
    start_mm: float
    end_mm: float

    @property
    def count(self) -> int:
        """Number of slices."""
        return len(self.rows)


def stretches(
    result: StudyResult, kind_of: Callable[[SliceResult], Kind]
) -> tuple[Stretch[Kind], ...]:
    """Cut a result into the longest runs of neighbours for which ``kind_of`` says the same."""
    half = PatientAxis.of(result).step_mm / 2
    runs = ((kind, tuple(rows)) for kind, rows in itertools.groupby(result.slices, key=kind_of))
    return tuple(
        Stretch(kind, rows, rows[0].position_mm - half, rows[-1].position_mm + half)
        for kind, rows in runs
    )


def scored_stretches(result: StudyResult) -> tuple[Stretch[None], ...]:
    """The runs of assessed slices: a curve is drawn through each, and not across the gaps."""
    runs = stretches(result, lambda row: None if row.assessed else row.state)
    return tuple(
        Stretch(None, run.rows, run.start_mm, run.end_mm) for run in runs if run.kind is None
    )


def unscored_stretches(result: StudyResult) -> tuple[Stretch[str], ...]:
    """The runs of slices without a score, each with its reason."""
    runs = stretches(result, lambda row: None if row.assessed else row.state)
    return tuple(
        Stretch(run.kind, run.rows, run.start_mm, run.end_mm)
        for run in runs
        if run.kind is not None
    )


def nice_steps(low: float, high: float, *, about: int = 12, whole: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``, about so many.

    Args:
        low: First value that may be in the list.
        high: Last value that may be in the list.
        about: The list has at most so many entries, or one more.
        whole: Whole numbers only.
    """
    raw = (high - low) / about
    if raw <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    if whole:
        step = max(round(step), 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels along a line just so far that none covers another.

    Labels that are too close form a block around the mean of what its members want, the least
    squares solution in one dimension.

    Args:
        wanted: Where each label's centre would best lie, in any order.
        gap: Least distance between two centres.
        low: Least centre.
        high: Greatest centre. Where the labels do not fit, they share the room evenly.

    Returns:
        The centres, in the order of ``wanted``.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    blocks: list[tuple[float, int]] = []  # first centre, number of labels
    for rank in order:
        blocks.append((min(max(wanted[rank], low), high), 1))
        while len(blocks) > 1 and blocks[-2][0] + blocks[-2][1] * gap > blocks[-1][0]:
            (left, many), (right, more) = blocks[-2:]
            # The means of what both blocks want, each shifted to the merged block's first centre.
            start = (left * many + (right - many * gap) * more) / (many + more)
            highest = high - (many + more - 1) * gap
            blocks[-2:] = [(min(max(start, low), highest), many + more)]
    centres = [0.0] * len(wanted)
    flat = (start + at * gap for start, many in blocks for at in range(many))
    for rank, centre in zip(order, flat, strict=True):
        centres[rank] = centre
    return centres
