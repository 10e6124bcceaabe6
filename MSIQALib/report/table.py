"""scores.csv: one row for each slice of the CT grid."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from MSIQALib.assessment.result import ASSESSED, SliceResult, StudyResult
from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.likert import SCORE_RANGE

COLUMNS = ("slice", "position_mm", "score", "word", "S", "W", "state")

_REMEDY = "Give a scores.csv as `msiqa assess` wrote it"


def write_scores_csv(path: Path, result: StudyResult) -> None:
    """Write a result's rows as comma-separated values (UTF-8, RFC 4180 but for the line ends).

    Columns are :data:`COLUMNS`: the slice's index and position along the patient axis (mm, two
    decimals), score with its word, S and W (four decimals), state. Slices that were not assessed
    keep the four fields between empty.

    Raises:
        OutputError: The file cannot be written.
    """
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_fields(row) for row in result.slices)


def read_scores_csv(path: Path) -> tuple[SliceResult, ...]:
    """Read what :func:`write_scores_csv` wrote; further columns and a byte order mark may be there.

    The word is not read: it follows from the score.

    Returns:
        The slices in the file's order.

    Raises:
        InputError: The file cannot be read, lacks columns or rows, or a row makes no sense; the
            message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(path, f"it lacks the columns {', '.join(missing)}", _REMEDY)
            rows = [_row(path, reader.line_num, fields) for fields in reader]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(path, f"it cannot be read ({reason})", _REMEDY) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"it is not a table in UTF-8 ({error})", _REMEDY) from error
    if not rows:
        raise InputError(path, "it holds no slice", _REMEDY)
    if len({row.index for row in rows}) != len(rows):
        raise InputError(path, "a slice is listed twice", _REMEDY)
    return tuple(rows)


def _fields(row: SliceResult) -> tuple[str, ...]:
    return (
        str(row.index),
        _decimals(row.position_mm, 2),
        _decimals(row.score, 4),
        row.word,
        _decimals(row.S, 4),
        _decimals(row.W, 4),
        row.state,
    )


def _decimals(value: float | None, decimals: int) -> str:
    # Adding zero makes a rounded -0.0 into 0.0.
    return "" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"


def _row(path: Path, line: int, fields: Mapping[str, str | None]) -> SliceResult:
    try:
        return _parse(fields)
    except ValueError as error:
        raise InputError(path, f"line {line}: {error}", _REMEDY) from error


def _parse(fields: Mapping[str, str | None]) -> SliceResult:
    index = fields["slice"] or ""
    if not index.strip().isdecimal():
        raise ValueError(f"slice is {index!r}, not a whole number of 0 or more")
    position = _number(fields, "position_mm")
    if position is None:
        raise ValueError("position_mm is empty")
    score = _number(fields, "score")
    state = (fields["state"] or "").strip()
    if not state:
        raise ValueError("state is empty")
    if (score is not None) != (state == ASSESSED):
        raise ValueError(f"state is {state!r}, but the score is {fields['score'] or 'empty'}")
    low, high = SCORE_RANGE
    if score is not None and not low <= score <= high:
        raise ValueError(f"score is {score:g}, outside {low:g} to {high:g}")
    return SliceResult(
        int(index), position, state, score, _number(fields, "S"), _number(fields, "W")
    )


def _number(fields: Mapping[str, str | None], name: str) -> float | None:
    text = (fields[name] or "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text!r}, not a finite number")
    return value
