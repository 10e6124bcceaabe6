"""Raters' sheets: written blank, in an order of each rater's own, and read again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.likert import WORDS

COLUMNS = ("order", "file", "score")
SCORES = tuple(str(step) for step in range(len(WORDS)))

_ORDER = 0x4F52


@dataclass(frozen=True)
class Sheet:
    """What one rater gave.

    Attributes:
        rater: Name of the sheet's file without its ending.
        scores: 0..4 by file, None where the rater gave none.
    """

    rater: str
    scores: dict[str, int | None]


@dataclass(frozen=True, eq=False)
class Ratings:
    """All sheets side by side.

    Attributes:
        files: The n images.
        raters: The k raters.
        scores: (n, k), NaN where one is missing.
    """

    files: tuple[str, ...]
    raters: tuple[str, ...]
    scores: npt.NDArray[np.float64]

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """(n,): whether all raters have rated the image."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))

    def missing(self) -> dict[str, tuple[str, ...]]:
        """For each image that lacks ratings, whose they are."""
        return {
            file: tuple(
                name for name, score in zip(self.raters, row, strict=True) if np.isnan(score)
            )
            for file, row, whole in zip(self.files, self.scores, self.complete, strict=True)
            if not whole
        }

    def means(self) -> dict[str, float]:
        """Mean of the ratings that an image has, for those that have any."""
        return {
            file: float(np.nanmean(row))
            for file, row in zip(self.files, self.scores, strict=True)
            if np.isfinite(row).any()
        }


def shuffled(files: Iterable[str], seed: int, rater: str) -> tuple[str, ...]:
    """Put the images in a random order of the rater's own.

    The order the files come in does not matter, so that it cannot show through.
    """
    ordered = sorted(files)
    rng = np.random.default_rng([seed, _ORDER, *rater.encode()])
    return tuple(ordered[i] for i in rng.permutation(len(ordered)))


def sheet_text(files: Sequence[str]) -> str:
    """A blank sheet as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((number, file, "") for number, file in enumerate(files, 1))
    return text.getvalue()


def write_sheet(path: Path, files: Sequence[str]) -> None:
    """Write a blank sheet.

    Raises:
        OutputError: It cannot be written.
    """
    with atomic_path(path) as part:
        part.write_text(sheet_text(files), encoding="utf-8")


def read_sheet(path: Path) -> Sheet:
    """Read a sheet, by whichever spreadsheet program it was saved.

    Raises:
        InputError: It is missing or no sheet, names a file twice, or holds a score other than
            0, 1, 2, 3, 4 or nothing; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, "the sheet cannot be read", "Export it as CSV again") from error
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first else ",")
    lacking = {"file", "score"} - set(reader.fieldnames or ())
    if lacking:
        raise InputError(
            path, f"it lacks the column {' and '.join(sorted(lacking))}", "Export it again"
        )
    scores: dict[str, int | None] = {}
    for row in reader:
        file, score = (row["file"] or "").strip(), (row["score"] or "").strip()
        where = f"line {reader.line_num}"
        if not file:
            continue
        if file in scores:
            raise InputError(path, f"{where} names {file} again", "Keep one of the lines")
        if score not in ("", *SCORES):
            raise InputError(
                path, f"{where} has the score {score!r}", "A score is 0, 1, 2, 3 or 4, or empty"
            )
        scores[file] = int(score) if score else None
    return Sheet(path.stem, scores)


def gather(sheets: Sequence[tuple[Path, Sheet]], files: Sequence[str]) -> Ratings:
    """Put sheets side by side.

    Args:
        sheets: With the files they are from, for messages.
        files: All images of the set.

    Raises:
        InputError: A sheet is another's copy in name, or names an image that the set lacks.
    """
    known = set(files)
    raters: list[str] = []
    for path, sheet in sheets:
        if sheet.rater in raters:
            raise InputError(path, "there is another sheet of this name", "Give each rater one")
        raters.append(sheet.rater)
        strange = [file for file in sheet.scores if file not in known]
        if strange:
            raise InputError(
                path,
                f"{len(strange)} images in it are not in the set, such as {strange[0]}",
                "Give the sheets of this set",
            )
    scores = np.array(
        [[_value(sheet.scores.get(file)) for _, sheet in sheets] for file in files], np.float64
    )
    return Ratings(tuple(files), tuple(raters), scores.reshape(len(files), len(sheets)))


def _value(score: int | None) -> float:
    return float("nan") if score is None else float(score)
