"""The head of RESULTS.md: what the records of Tables 1 and 2 were measured on, and how."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from training.tables.measuring import POOLED
from training.tables.records import Record
from training.tables.registry import read_registry

_WIDTH = 100
_NUMBERS = {4: "four", 5: "five"}

_TITLE = """# Results

Made by `python -m training.tables.results` of the records in `training/results`; a test compares
the two. Do not edit by hand: run a command again, then that one. Each number's run is under
*Runs* by the number in square brackets: command, data, seed, commit.
"""


def results_head(records: Iterable[Record]) -> str:
    """What a reader must know of the tables.

    Args:
        records: All; those with figures on PET-CT-IQA-DS say what stands here.
    """
    others = {row.name for row in read_registry().ldct}
    measured = [
        record
        for record in records
        if record.table in ("table1", "table2") and record.measured and record.row not in others
    ]
    bullets = [
        "Correlations are over all pictures together; larger scores mean better pictures, so that "
        "plus means agreement. *Mean of folds* is the mean of the patients' own figures.",
        "*PLCC* is of the scores as they are; *fitted* PLCC and RMSE come after "
        f"{_curve(measured)} of VQEG. The curve may fall: a method that is wrong way round has a "
        "negative SROCC and still a positive fitted PLCC.",
        _intervals(measured),
    ]
    lines = [_TITLE, textwrap.fill(_experiment(measured), _WIDTH), ""]
    lines += [
        textwrap.fill(bullet, _WIDTH, initial_indent="- ", subsequent_indent="  ")
        for bullet in bullets
    ]
    return "\n".join(lines)


def _experiment(measured: Sequence[Record]) -> str:
    here = _each(
        measured,
        lambda record: (
            f"{record.results[POOLED]['n']} pictures of {record.data.name} ({record.split})"
            if record.data
            else None
        ),
    )
    what = f"{'; '.join(here)}, as" if here else "what"
    return (
        "*Paper* is Tables 1 and 2 of the MS-IQA paper: 540 pictures of 4 patients, after training "
        f"on 16 others. *Here* is {what} each row's run says. Patients A, B and C of "
        "PET-CT-IQA-DS are three of those four. **The two columns are not the same experiment**: "
        "other training data, and mostly no ImageNet weights."
    )


def _curve(measured: Sequence[Record]) -> str:
    counts = _each(measured, lambda record: record.results.get("logistic parameters"))
    words = " or ".join(_NUMBERS.get(count, str(count)) for count in counts)
    return f"the {words}-parameter logistic curve" if words else "the logistic curve"


def _intervals(measured: Sequence[Record]) -> str:
    slices, whom = _drawn(measured, "slice"), _drawn(measured, "patient")
    return (
        "Brackets hold 95 % intervals (percentile bootstrap), drawing pictures. Those are too "
        "narrow for new patients, since the pictures of a slice are not independent; *by slice* "
        f"draws the {slices}slices, *by patient* the {whom}patients, which is coarse where they "
        "are few."
    )


def _drawn(measured: Sequence[Record], unit: str) -> str:
    """How many units were drawn from, with a space behind; empty where nobody says."""

    def units(record: Record) -> int | None:
        own = record.results.get("intervals", {}).get(unit, {})
        return own["srocc"]["units"] if "srocc" in own else None

    counts = _each(measured, units)
    return " or ".join(str(count) for count in counts) + (" " if counts else "")


def _each(measured: Sequence[Record], what: Callable[[Record], Any]) -> list[Any]:
    """What the records say, each answer once, in a fixed order; None is no answer."""
    return sorted({answer for record in measured if (answer := what(record)) is not None})
