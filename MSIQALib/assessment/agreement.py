"""Agreement between predicted scores and people's, as the IQA field measures it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

from MSIQALib.errors import InputError

LEAST = 3
"""Fewer pairs make no correlation."""


@dataclass(frozen=True)
class Agreement:
    """Agreement over n pictures.

    Attributes:
        n: Number of pictures.
        srocc: Spearman's rank order correlation coefficient, ties by mean rank.
        plcc: Pearson's linear correlation coefficient, on the scores as they are, without a
            fitted curve.
        rmse: Root mean squared error in Likert units.
    """

    n: int
    srocc: float
    plcc: float
    rmse: float


def read_labels(path: Path) -> dict[str, float]:
    """Read people's scores.

    Args:
        path: CSV with a header and at least the columns ``file`` and ``score``.

    Returns:
        Score by file name, in the order of the file.

    Raises:
        InputError: The file is missing, lacks a column, names a file twice, or holds a score that
            is no number; the message names the line.
    """
    scores: dict[str, float] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = {"file", "score"} - set(reader.fieldnames or ())
            if lacking:
                raise InputError(
                    path,
                    f"it lacks the column {' and '.join(sorted(lacking))}",
                    "Give a CSV whose first line names the columns file and score",
                )
            for row in reader:
                _add(path, reader.line_num, row, scores)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"it cannot be read ({error})", "Check the path") from error
    return scores


def _add(path: Path, line: int, row: dict[str, str], scores: dict[str, float]) -> None:
    name = row["file"]
    try:
        score = float(row["score"])
    except (TypeError, ValueError):
        score = float("nan")
    if not name or not np.isfinite(score):
        raise InputError(path, f"line {line} lacks a file or a numeric score", "Correct that line")
    if name in scores:
        raise InputError(path, f"line {line} names {name} again", "Name each file once")
    scores[name] = score


def measure_agreement(
    source: Path, predicted: Sequence[float], truth: Sequence[float]
) -> Agreement:
    """Measure agreement between predictions and labels.

    Args:
        source: Where the labels come from, for the error message.
        predicted: Likert scores of the network.
        truth: Likert scores of people, in the same order.

    Returns:
        SROCC, PLCC and RMSE.

    Raises:
        InputError: Fewer than three pairs, or labels that are all the same.
    """
    if len(truth) < LEAST or len(set(truth)) == 1:
        raise InputError(
            source,
            f"its {len(truth)} scores make no correlation",
            f"Give at least {LEAST} pictures with different scores",
        )
    x, y = np.asarray(predicted, float), np.asarray(truth, float)
    constant = np.ptp(x) == 0
    return Agreement(
        n=len(y),
        srocc=0.0 if constant else float(spearmanr(x, y).statistic),
        plcc=0.0 if constant else float(pearsonr(x, y).statistic),
        rmse=float(np.sqrt(np.mean((x - y) ** 2))),
    )
