"""The cross-validation that the shipped weights' file tells of, where its run is not at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from MSIQALib.model.shipped import SHIPPED
from MSIQALib.model.weights_info import read_info
from training.tables.measuring import POOLED
from training.tables.methods import CannotRun
from training.tables.records import RECORDS, Record, read_record
from training.tables.splits import LEAVE_ONE_OUT, Split
from training.versions import versions

MEASURED_ROW = "table1-ms-iqa.json"
"""The row that the figures belong to; where it was measured, it names the list of scores."""


def quoted(blank: Record, split: Split, run: str, reason: str) -> Record:
    """Give a row the figures of the weights' file, or both reasons why there are none.

    Args:
        blank: The row's record.
        split: What the row is to be measured on.
        run: The row's training run, by the name of its configuration.
        reason: Why it cannot be measured here.
    """
    try:
        figures = figures_of_weights(split, run)
    except CannotRun as other:
        return replace(blank, reason=f"{reason}; {other}")
    note = f"Figures that the shipped weights' file holds; not measured again, since {reason}."
    return replace(
        blank,
        results=figures,
        note=f"{blank.note} {note}",
        quoted=True,
        versions=versions(),
    )


def figures_of_weights(
    split: Split, run: str, weights: Path = SHIPPED, records: Path = RECORDS
) -> dict[str, Any]:
    """The cross-validation that a weights file tells of.

    Args:
        split: What is asked for: the figures hold for the pictures that they were made on alone.
        run: That has to have made the weights, by the name of its configuration.
        weights: The file.
        records: Where the row's record lies, which names the list of scores.

    Raises:
        CannotRun: There are no figures, or they are of another run, other pictures or folds.
    """
    told = read_info(weights).provenance if weights.is_file() else {}
    rows = dict(told.get("cross_validation") or {})
    rounded = {
        name: {key: round(value, 4) if key != "n" else value for key, value in row.items()}
        for name, row in rows.items()
    }
    pooled = rounded.pop(POOLED, None)
    if not pooled:
        raise CannotRun("the shipped weights' file tells of no cross-validation")
    if told.get("config") != run:
        raise CannotRun(f"the shipped weights' figures are of {told.get('config')}, not of {run}")
    if not _same(split, rounded, _list_of(records)):
        counts = ", ".join(f"{name} ({row['n']} pictures)" for name, row in rounded.items())
        raise CannotRun(
            "the figures in the shipped weights' file hold for PET-CT-IQA-DS as published alone, "
            f"its patients {counts} left out one at a time"
        )
    return {POOLED: pooled, "folds": rounded}


def _same(split: Split, rows: Mapping[str, Mapping[str, Any]], known_list: str) -> bool:
    """Whether a split is the one that was cross-validated, as far as can be told."""
    counts = {fold.patient: len(fold.held_out) for fold in split.folds}
    return (
        split.name == LEAVE_ONE_OUT
        and counts == {name: row["n"] for name, row in rows.items()}
        and known_list in ("", split.data.digest)
    )


def _list_of(records: Path) -> str:
    """The digest of the list of scores that the row was measured on; empty if it never was."""
    path = records / MEASURED_ROW
    data = read_record(path).data if path.is_file() else None
    return data.digest if data else ""
