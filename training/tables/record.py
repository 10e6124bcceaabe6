"""Records of runs that are no rows of a table: learning curves, and courses of degraded studies.

python -m training.tables.record curve runs/scratch_cpu --title "the shipped weights"
python -m training.monotonicity --json runs/monotonicity.json
python -m training.tables.record monotonicity runs/monotonicity.json
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
import yaml

from MSIQALib.errors import InputError
from MSIQALib.model.shipped import find_weights
from MSIQALib.model.weights_info import read_info
from training.tables.records import (
    RECORDS,
    Data,
    Record,
    code_version,
    command_line,
    digest,
    today,
    write_record,
)
from training.versions import versions

logger = logging.getLogger(__name__)

CURVE = "learning-curve"
MONOTONICITY = "monotonicity"
MODULE = "training.tables.record"
POINTS = 12
"""Of each curve; the whole log stays in the run's folder."""

STEADY = -0.9
"""A course whose Spearman correlation is this or lower falls at nearly every step."""


def curve_record(run: Path, title: str, command: str) -> Record:
    """Condense the logs of a run's folder.

    Args:
        run: Holds `config.yaml` and a CSV log with the columns step and loss for each part.
        title: What was trained, for the reader.
        command: For the record.

    Raises:
        InputError: There is no log.
    """
    parts = {}
    for path in sorted(run.glob("*.csv")):
        points = read_log(path)
        if points:
            parts[path.stem] = thin(points)
    if not parts:
        raise InputError(run, "it holds no log of a training run", "Name a run's folder")
    config_path = run / "config.yaml"
    config = yaml.safe_load(config_path.read_text()) if config_path.is_file() else {}
    metrics = run / "crossvalidation.json"
    results: dict[str, Any] = {"title": title, "parts": parts}
    if metrics.is_file():
        results["cross_validation"] = _rounded(json.loads(metrics.read_text(encoding="utf-8")))
    return Record(
        table=CURVE,
        row=run.name,
        command=command,
        seed=config.get("seed"),
        commit=code_version(),
        made=today(),
        versions=versions(),
        results=results,
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


def monotonicity_record(courses_file: Path, weights: Path, command: str) -> Record:
    """Condense what `training.monotonicity --json` wrote.

    Args:
        courses_file: Its JSON.
        weights: The weights that scored.
        command: For the record.

    Raises:
        InputError: The file is not that JSON.
    """
    try:
        text = courses_file.read_text(encoding="utf-8")
        courses = json.loads(text)
        names = list(dict.fromkeys(course["degradation"] for course in courses))
        rows = {name: _course([c for c in courses if c["degradation"] == name]) for name in names}
        patients = sorted({course["patient"] for course in courses})
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Write it with python -m training.monotonicity --json"
        raise InputError(courses_file, "it holds no courses of scores", remedy) from error
    info = read_info(weights)
    return Record(
        table=MONOTONICITY,
        row=weights.stem,
        command=command,
        data=Data("Soft-tissue-Sarcoma PET/CT (STS)", len(patients), digest(patients)),
        seed=0,
        commit=code_version(),
        made=today(),
        versions=versions(),
        note=f"Weights {weights.name}, SHA-256 {info.sha256[:12]}.",
        results={"degradations": rows},
    )


def _course(courses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    scores = np.array([course["scores"] for course in courses], float)
    correlations = np.array([course["correlation"] for course in courses], float)
    return {
        "strengths": list(courses[0]["strengths"]),
        "median_scores": [round(float(v), 3) for v in np.median(scores, axis=0)],
        "studies": len(courses),
        "median_spearman": round(float(np.median(correlations)), 3),
        "steady": int((correlations <= STEADY).sum()),
        "seed_difference": round(max(float(c["seed_difference"]) for c in courses), 3),
    }


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
    courses = kinds.add_parser("monotonicity", help="scores of studies made worse step by step")
    courses.add_argument("json", type=Path, help="written by training.monotonicity --json")
    courses.add_argument("--model", type=Path, help="the weights that scored, else those shipped")
    for one in (curve, courses):
        one.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = command_line(MODULE, arguments)
    if given.kind == "curve":
        record = curve_record(given.run, given.title or given.run.name, command)
    else:
        record = monotonicity_record(given.json, find_weights(given.model), command)
    logger.info("wrote %s", write_record(record, given.records))


if __name__ == "__main__":
    main()
