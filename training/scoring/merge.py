"""Turns raters' sheets into mean scores, and says how far the raters agree.

    python -m training.scoring.merge --set DIR rater-1.csv rater-2.csv ... [--allow-missing]

Writes `DIR/labels.csv`, which training reads, and `DIR/agreement.json`.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError, MSIQAError
from training.datasets.labelled import LabelledImage, write_labelled
from training.datasets.manifest import IMAGES, read_manifest
from training.scoring.agreement import check_raters, intraclass_correlations
from training.scoring.sheets import Ratings, gather, read_sheet

logger = logging.getLogger(__name__)

LABELS = "labels.csv"
AGREEMENT = "agreement.json"
_NAMED = 10


def merge(folder: Path, sheets: Sequence[Path], *, allow_missing: bool = False) -> dict[str, Any]:
    """Write mean scores and agreement of a built set.

    Args:
        folder: The set.
        sheets: One a rater.
        allow_missing: Take the mean of the ratings that an image has, and leave out images
            without any, instead of refusing.

    Returns:
        What `agreement.json` holds. The ICCs are over the images that all have rated.

    Raises:
        InputError: A sheet is not one of the set's, there are fewer than two, or ratings are
            missing; the message names the images.
        OutputError: A file cannot be written.
    """
    if len(sheets) < 2:
        raise InputError(folder, "agreement needs two sheets at least", "Give all sheets")
    rows = read_manifest(folder)
    ratings = gather([(p, read_sheet(p)) for p in sheets], [row.file for row in rows])
    missing = ratings.missing()
    if missing and not allow_missing:
        raise InputError(
            folder,
            f"ratings are missing: {describe_missing(missing)}",
            "Have them rated, or give --allow-missing to take the mean of those that are there",
        )
    summary = summarise(ratings)
    means = ratings.means()
    if not means:
        raise InputError(folder, "no image has been rated", "Give filled sheets")
    images = [
        LabelledImage(
            folder / IMAGES / row.file, row.patient, str(row.slice), row.distortion, means[row.file]
        )
        for row in rows
        if row.file in means
    ]
    write_labelled(folder / LABELS, images, {row.file: row.split for row in rows})
    with atomic_path(folder / AGREEMENT) as part:
        part.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def summarise(ratings: Ratings) -> dict[str, Any]:
    """Agreement, raters and missing ratings as plain values."""
    whole = ratings.scores[ratings.complete]
    try:
        iccs = [asdict(icc) for icc in intraclass_correlations(whole)]
        why = None
    except ValueError as error:
        iccs, why = [], str(error)
    raters = []
    for check in check_raters(ratings.raters, ratings.scores):
        values = asdict(check)
        for key in ("mean", "srocc"):
            values[key] = values[key] if math.isfinite(values[key]) else None  # JSON has no NaN
        raters.append(values)
    return {
        "images": len(ratings.files),
        "rated_by_all": len(whole),
        "confidence": 0.95,
        "icc": iccs,
        "icc_not_defined": why,
        "raters": raters,
        "missing": {file: list(names) for file, names in ratings.missing().items()},
    }


def describe_missing(missing: dict[str, tuple[str, ...]]) -> str:
    """The images without all ratings by name, the first ones where they are many."""
    named = [f"{file} ({', '.join(raters)})" for file, raters in missing.items()]
    more = len(named) - _NAMED
    return "; ".join(named[:_NAMED]) + (f"; and {more} more images" if more > 0 else "")


def main() -> None:
    """Merge sheets from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, dest="folder", help="a built set")
    parser.add_argument("sheets", type=Path, nargs="+", help="one a rater")
    parser.add_argument(
        "--allow-missing", action="store_true", help="take the mean of the ratings that are there"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        summary = merge(arguments.folder, arguments.sheets, allow_missing=arguments.allow_missing)
    except MSIQAError as error:
        raise SystemExit(str(error)) from error
    for icc in summary["icc"]:
        logger.info(
            "%(name)s %(value).3f (95 %% interval %(low).3f to %(high).3f), %(meaning)s", icc
        )
    for rater in summary["raters"]:
        logger.info(
            "%s: %d images, mean %.2f, SROCC with the others' mean %.3f",
            *(rater[k] if rater[k] is not None else math.nan for k in ("name", "rated")),
            *(rater[k] if rater[k] is not None else math.nan for k in ("mean", "srocc")),
        )
    if summary["missing"]:
        logger.warning("Missing: %s", describe_missing(summary["missing"]))
    logger.info("%s", arguments.folder / LABELS)


if __name__ == "__main__":
    main()
