"""The lines of `msiqa assess --progress json`, read as they arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MSIQALib.assessment.result import SliceResult, Status


@dataclass(frozen=True)
class Started:
    """The inputs are read and the network is loaded.

    Attributes:
        total: Number of slices of the CT grid.
        device: "cuda", "mps" or "cpu".
        reason: One line for the user: which device and why.
        warnings: What the readers noticed.
    """

    total: int
    device: str
    reason: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Advanced:
    """A batch more is done.

    Attributes:
        done: Slices dealt with.
        total: Slices in all.
        seconds_left: An estimate; None while there is nothing to judge by.
        rows: The slices of this batch.
    """

    done: int
    total: int
    seconds_left: float | None
    rows: tuple[SliceResult, ...]


@dataclass(frozen=True)
class Ended:
    """The run is over and its files are written.

    Attributes:
        status: Complete, cancelled, or failed half-way.
        files: What was written.
        warnings: What the user should know.
        stopped: Why the run ended early; None where it is complete.
    """

    status: Status
    files: tuple[Path, ...]
    warnings: tuple[str, ...]
    stopped: str | None


@dataclass(frozen=True)
class Refused:
    """There is no result, and why."""

    message: str


Event = Started | Advanced | Ended | Refused


class EventReader:
    """Turns the bytes of a pipe into events, however they are cut into pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Event | str]:
        """Take what the pipe gave.

        Args:
            piece: Any number of bytes.

        Yields:
            An event for each whole line; lines that are none (a library's message) as text.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", errors="replace").strip()
            if text:
                yield parse_event(text) or text


def parse_event(line: str) -> Event | None:
    """Read one line; None where it is no event of the protocol."""
    try:
        values = json.loads(line)
        return _event(values) if isinstance(values, dict) else None
    except (ValueError, KeyError, TypeError):
        return None


def _event(values: Mapping[str, Any]) -> Event | None:
    kind = values.get("event")
    if kind == "start":
        return Started(
            int(values["total"]),
            str(values["device"]),
            str(values["reason"]),
            tuple(values["warnings"]),
        )
    if kind == "progress":
        return Advanced(
            int(values["done"]),
            int(values["total"]),
            values["seconds_left"],
            tuple(_row(row) for row in values["rows"]),
        )
    if kind == "end":
        summary = values["summary"]
        return Ended(
            Status(values["status"]),
            tuple(Path(name) for name in values["files"]),
            tuple(summary["warnings"]),
            summary["stopped"],
        )
    if kind == "error":
        return Refused(str(values["message"]))
    return None


def _row(values: Mapping[str, Any]) -> SliceResult:
    return SliceResult(
        index=int(values["slice"]),
        position_mm=float(values["position_mm"]),
        state=str(values["state"]),
        score=values["score"],
        S=values["S"],
        W=values["W"],
    )
