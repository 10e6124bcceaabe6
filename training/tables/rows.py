"""What the rows of Tables 1 and 2 have in common: their records and their line in the log."""

from __future__ import annotations

from MSIQALib.errors import InputError
from training.tables.measuring import POOLED
from training.tables.records import Record, today
from training.tables.splits import Split

TRIAL_REMEDY = "A trial on few pictures must name a folder of its own with --records"


def blank_row(
    table: str, row: str, split: Split, *, command: str, seed: int, commit: str, note: str = ""
) -> Record:
    """A row's record before there are figures, or a reason why there are none.

    Args:
        table: "table1" or "table2".
        row: Its name in the table.
        split: What it is measured on.
        command: As typed.
        seed: Of everything random.
        commit: The code that measures.
        note: What a reader must know to read the figures.
    """
    return Record(
        table=table,
        row=row,
        command=command,
        data=split.data,
        split=split.name,
        seed=seed,
        commit=commit,
        made=today(),
        note=note,
    )


def line(record: Record) -> str:
    """A record in one line of the log."""
    if not record.measured:
        return f"{record.row}: not run: {record.reason}"
    pooled = record.results[POOLED]
    figures = ", ".join(f"{key} {pooled[key]:.4f}" for key in pooled if key != "n")
    return f"{record.row}: n {pooled['n']}, {figures}"


def reason_of(error: InputError) -> str:
    """An error as the reason why a row has no figures; the tables end it with a full stop."""
    return str(error).removesuffix(".")
