"""Records the learning curves of a training run.

python -m training.tables.record curve runs/longer_cpu --title "the shipped weights"
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MSIQALib.errors import InputError
from training.command import run_command
from training.tables.origin import origin_of
from training.tables.records import (
    RECORDS,
    Record,
    code_version,
    command_line,
    today,
    write_record,
)
from training.versions import versions

logger = logging.getLogger(__name__)

CURVE = "learning-curve"
MODULE = "training.tables.record"
POINTS = 12
"""Of each curve; the whole log stays in the run's folder."""


def curve_record(run: Path, title: str, command: str) -> Record:
    """Condense the logs of a run's folder.

    Args:
        run: Holds `config.yaml`, `environment.json` and a CSV log with the columns step and loss
            for each part.
        title: What was trained, for the reader.
        command: For the record.

    Raises:
        InputError: There is no log, or configuration or environment cannot be read.
    """
    parts = {}
    for path in sorted(run.glob("*.csv")):
        points = read_log(path)
        if points:
            parts[path.stem] = thin(points)
    if not parts:
        raise InputError(run, "it holds no log of a training run", "Name a run's folder")
    origin = origin_of(run)
    metrics = run / "crossvalidation.json"
    results: dict[str, Any] = {"title": title, "parts": parts}
    if metrics.is_file():
        results["cross_validation"] = _rounded(json.loads(metrics.read_text(encoding="utf-8")))
    return Record(
        table=CURVE,
        row=run.name,
        command=command,
        seed=origin.seed,
        commit=code_version(),
        made=today(),
        versions=versions(),
        results=results,
        origin=origin,
    )


def read_log(path: Path) -> list[dict[str, float]]:
    """Read a log's steps and losses, numbered on through its phases."""
    rows: list[dict[str, float]] = []
    before, last, phase = 0, 0, None
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if "step" not in row or "loss" not in row:
                return []
            if row.get("phase") != phase:
                before, phase = before + last, row.get("phase")
            last = int(row["step"])
            rows.append({"step": before + last, "loss": round(float(row["loss"]), 4)})
    return rows


def thin(rows: Sequence[dict[str, float]], points: int = POINTS) -> list[dict[str, float]]:
    """Means over about `points` equal stretches, each at its last step."""
    stretches = np.array_split(np.arange(len(rows)), min(points, len(rows)))
    return [
        {
            "step": rows[own[-1]]["step"],
            "loss": round(float(np.mean([rows[i]["loss"] for i in own])), 4),
        }
        for own in stretches
    ]


def _rounded(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {key: value if key == "n" else round(value, 4) for key, value in row.items()}
        for name, row in rows.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a record from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    curve = kinds.add_parser("curve", help="the losses of a run's logs")
    curve.add_argument("run", type=Path, help="its folder")
    curve.add_argument("--title", default="", help="what was trained")
    curve.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = command_line(MODULE, arguments)
    record = curve_record(given.run, given.title or given.run.name, command)
    logger.info("wrote %s", write_record(record, given.records))


if __name__ == "__main__":
    run_command(main)
