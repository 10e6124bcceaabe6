"""How an assessment's progress is shown: a bar for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from MSIQALib.assessment.assessor import Progress
from MSIQALib.assessment.result import SliceResult
from MSIQALib.workflow import Outcome, Start


class ProgressView(Protocol):
    """Shows a run from its start to its end."""

    def on_event(self, event: Start | Progress) -> None:
        """Show the start, or one batch more."""

    def on_error(self, message: str) -> None:
        """Show why there is no result."""

    def on_end(self, outcome: Outcome) -> None:
        """Show the result."""


class TerminalView:
    """A progress bar on standard error and the study's figures on standard output."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("Assessing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("slices"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task("slices", total=None)

    def on_event(self, event: Start | Progress) -> None:
        """See :class:`ProgressView`."""
        if isinstance(event, Start):
            self._say(event.device.reason)
            for warning in event.warnings:
                self._say(f"Warning: {warning}")
            self._bar.start()
            self._bar.update(self._task, total=event.total)
        else:
            self._bar.update(self._task, completed=event.done)

    def on_error(self, message: str) -> None:
        """See :class:`ProgressView`."""
        self._bar.stop()
        print(f"Error: {message}", file=sys.stderr)  # noqa: T201

    def on_end(self, outcome: Outcome) -> None:
        """See :class:`ProgressView`."""
        self._bar.stop()
        result = outcome.result
        out = Console(highlight=False, soft_wrap=True, markup=False)
        if result.stopped is not None:
            out.print(f"Partial result: {result.stopped}.")
        out.print(f"{len(result.assessed)} of {len(result.slices)} slices assessed")
        if result.mean is not None and result.share_below is not None:
            out.print(
                f"Mean score {result.mean:.2f}, median {result.median:.2f} (0 bad, 4 excellent)"
            )
            out.print(f"{result.share_below:.0%} of the slices under {result.threshold:g}")
            listed = ", ".join(
                f"{row.index} ({row.score:.2f} {row.word})" for row in result.worst()
            )
            out.print(f"Worst slices: {listed}")
        for path in outcome.files:
            out.print(str(path))

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)


class JsonView:
    """One JSON object a line on standard output.

    ``event`` is "start" (total, device, reason, weights, warnings), "progress" (done, total,
    seconds, seconds_left, rows), and at last "end" (status "complete", "cancelled" or "failed",
    files, summary) or "error" (message).
    """

    def on_event(self, event: Start | Progress) -> None:
        """See :class:`ProgressView`."""
        if isinstance(event, Start):
            _emit(
                "start",
                total=event.total,
                device=event.device.name,
                reason=event.device.reason,
                weights=event.weights,
                warnings=list(event.warnings),
            )
        else:
            _emit(
                "progress",
                done=event.done,
                total=event.total,
                seconds=event.seconds,
                seconds_left=event.seconds_left,
                rows=[_row(row) for row in event.rows],
            )

    def on_error(self, message: str) -> None:
        """See :class:`ProgressView`."""
        _emit("error", message=message)

    def on_end(self, outcome: Outcome) -> None:
        """See :class:`ProgressView`."""
        result = outcome.result
        _emit(
            "end",
            status=result.status.value,
            files=[str(path) for path in outcome.files],
            summary=result.summary(),
        )


def _row(row: SliceResult) -> dict[str, Any]:
    return {
        "slice": row.index,
        "position_mm": row.position_mm,
        "state": row.state,
        "score": row.score,
        "word": row.word,
        "S": row.S,
        "W": row.W,
    }


def _emit(event: str, **values: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
    sys.stdout.flush()
