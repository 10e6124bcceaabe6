"""Courses of degraded studies: their record, and their section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MSIQALib.model.shipped import SHIPPED
from MSIQALib.model.weights_info import read_info
from training.course import Course
from training.tables.records import Data, Record, digest, today
from training.tables.sources import Sources
from training.tables.studies_seen import NOT_SAID, STUDIES, by_parts, seen_in_training
from training.versions import versions

MONOTONICITY = "monotonicity"
STEADY = -0.9
"""A course whose Spearman correlation is this or lower falls at nearly every step."""


def course_record(
    courses: Sequence[Course],
    weights: Path,
    *,
    command: str,
    studies: str,
    commit: str,
    seconds: float = 0.0,
) -> Record:
    """Record what `training.monotonicity` measured.

    Args:
        courses: Each patient with each degradation.
        weights: The weights that scored.
        command: As typed.
        studies: Which studies and slices, in words.
        commit: The code that measured.
        seconds: What it took.
    """
    info = read_info(weights)
    degradations = list(dict.fromkeys(one.degradation for one in courses))
    patients = list(dict.fromkeys(one.patient for one in courses))
    return Record(
        table=MONOTONICITY,
        row=weights.stem,
        command=command,
        data=Data(f"{STUDIES} (STS)", len(patients), digest(patients)),
        split=studies,
        seed=0,
        commit=commit,
        made=today(),
        seconds=seconds,
        versions=versions(),
        note=f"Weights {weights.name}, SHA-256 {info.sha256[:12]}; {studies}.",
        results={
            "seen": seen_in_training(info.provenance),
            "degradations": {
                name: _summary([one for one in courses if one.degradation == name])
                for name in degradations
            },
            "patients": {
                patient: {
                    one.degradation: _figures(one) for one in courses if one.patient == patient
                }
                for patient in patients
            },
        },
    )


def course_section(records: Iterable[Record], sources: Sources) -> list[str]:
    """The lines of Markdown for the records of courses among all records; empty for none."""
    lines: list[str] = []
    for record in records:
        if record.table == MONOTONICITY:
            degradations = record.results["degradations"]
            lines += [f"{record.note} {sources.cite(record)}", "", _seen(record), ""]
            lines += [*_medians(degradations), "", _failures(record.results), ""]
            lines += ["Spearman of each patient, in parentheses by how much seeds differ:", ""]
            lines += [*_patients(record.results["patients"], list(degradations)), ""]
    return lines


def _seen(record: Record) -> str:
    """What training saw of the studies; older records do not say, but the shipped weights' do."""
    older = by_parts(held_out=7) if record.row == SHIPPED.stem else NOT_SAID
    return str(record.results.get("seen", older))


def _summary(courses: Sequence[Course]) -> dict[str, Any]:
    correlations = np.array([one.correlation for one in courses])
    medians = np.median([one.scores for one in courses], axis=0)
    return {
        "unit": courses[0].unit,
        "strengths": list(courses[0].strengths),
        "median_scores": [round(float(value), 3) for value in medians],
        "studies": len(courses),
        "median_spearman": round(float(np.median(correlations)), 3),
        "steady": int((correlations <= STEADY).sum()),
        "rising": int((correlations > 0).sum()),
        "seed_difference": round(max(one.seed_difference for one in courses), 3),
    }


def _figures(course: Course) -> dict[str, Any]:
    return {
        "scores": [round(score, 3) for score in course.scores],
        "spearman": round(course.correlation, 3),
        "seed_difference": round(course.seed_difference, 3),
    }


def _medians(degradations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| degradation | strengths | median score | median Spearman | "
        f"studies at {STEADY} or below | studies that rise | seeds differ by up to |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in degradations.items():
        strengths = ", ".join(f"{value:g}" for value in row["strengths"])
        scores = ", ".join(f"{value:.2f}" for value in row["median_scores"])
        lines.append(
            f"| {name} | {strengths} {row['unit']} | {scores} | {row['median_spearman']:+.2f} "
            f"| {row['steady']} of {row['studies']} | {row['rising']} of {row['studies']} "
            f"| {row['seed_difference']:.2f} |"
        )
    return lines


def _failures(results: Mapping[str, Any]) -> str:
    """Names what the score does not fall with, and in whom it rises."""
    parts = []
    for name, row in results["degradations"].items():
        if row["median_spearman"] > STEADY:
            courses = results["patients"].items()
            rising = [patient for patient, own in courses if own[name]["spearman"] > 0]
            whom = f" (rises in {', '.join(rising)})" if rising else ""
            parts.append(f"{name}{whom}")
    if not parts:
        return f"With every degradation the median is {STEADY} or below."
    return f"The score does **not** fall steadily (median above {STEADY}) with {'; '.join(parts)}."


def _patients(
    patients: Mapping[str, Mapping[str, Mapping[str, Any]]], degradations: Sequence[str]
) -> list[str]:
    lines = [f"| patient | {' | '.join(degradations)} |", "|---|" + "---|" * len(degradations)]
    for patient, own in patients.items():
        cells = [
            f"{own[name]['spearman']:+.2f} ({own[name]['seed_difference']:.2f})"
            for name in degradations
        ]
        lines.append(f"| {patient} | {' | '.join(cells)} |")
    return lines
