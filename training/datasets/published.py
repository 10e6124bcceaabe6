"""PET-CT-IQA-DS as its authors publish it: a folder of JPEG files and `label.txt`.

    python -m training.datasets.published --source FOLDER --output FOLDER/labels.csv

The list names a file and its score on each line. What else training needs, patient, slice and
distortion, is measured in the images (:mod:`training.datasets.recovery`) and written beside them as
the `labels.csv` that :func:`training.datasets.labelled.read_labelled` reads.
"""

from __future__ import annotations

import argparse
import logging
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.likert import SCORE_RANGE
from training.datasets.labelled import LabelledImage, write_labelled
from training.datasets.manifest import IMAGES
from training.datasets.recovery import recover

logger = logging.getLogger(__name__)

LIST = "label.txt"
_LINE = re.compile(r"^(?P<file>.+?)[\s,;]+(?P<score>[-+.\w]+)$")


def read_scores(listing: Path) -> dict[str, float]:
    """Read a list of files and scores.

    Args:
        listing: One file and one score on each line, set apart by white space, comma, semicolon
            or tab; empty lines and a first line without a number are passed over.

    Returns:
        Score by file name, without folders.

    Raises:
        InputError: The list is missing or empty, a line is not of this kind, a score lies outside
            0..4, or a file is named twice; the message names the line.
    """
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(listing, "the list cannot be read", "Point to label.txt") from error
    scores: dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _LINE.match(line.strip())
        score = _number(found["score"]) if found else None
        if found is None or score is None:
            if number == 1:
                continue  # a header
            raise InputError(listing, f"line {number} holds no file and score", "Correct the line")
        name = found["file"].strip("\"' ").replace("\\", "/").rsplit("/", 1)[-1]
        if not SCORE_RANGE[0] <= score <= SCORE_RANGE[1]:
            raise InputError(
                listing, f"line {number} has a score of {score:g}", "Scores go from 0 to 4"
            )
        if name in scores:
            raise InputError(listing, f"line {number} names {name} again", "Name each file once")
        scores[name] = score
    if not scores:
        raise InputError(listing, "there are no scores in it", "Point to label.txt")
    return scores


def read_published(folder: Path) -> tuple[LabelledImage, ...]:
    """Read the published set.

    Args:
        folder: Holds `label.txt` and the images, in itself or in a folder below.

    Returns:
        The images in the order of the list, with patient, slice and distortion as recovered.

    Raises:
        InputError: The list or an image is missing or not what it should be.
    """
    scores = read_scores(folder / LIST)
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            places.setdefault(path.name, []).append(path)
    for name in scores:
        if len(places.get(name, ())) != 1:
            cause = "is missing" if name not in places else "is there more than once"
            raise InputError(folder, f"the listed image {name} {cause}", "Complete the data set")
    recovered = recover([places[name][0] for name in scores])
    return tuple(
        LabelledImage(one.path, one.patient, one.slice, one.distortion, score)
        for one, score in zip(recovered, scores.values(), strict=True)
    )


def incomplete_slices(images: Iterable[LabelledImage]) -> tuple[str, ...]:
    """Name the slices that have not each of the 27 combinations once: files lack or are alike."""
    counts: dict[str, Counter] = {}
    for image in images:
        counts.setdefault(f"{image.patient}-{image.slice}", Counter())[image.distortion] += 1
    return tuple(
        sorted(
            name for name, count in counts.items() if len(count) != 27 or max(count.values()) != 1
        )
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def main() -> None:
    """Recover the list from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="holds label.txt and the images")
    parser.add_argument("--output", type=Path, required=True, help="the labels.csv to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        images = read_published(arguments.source)
        write_labelled(arguments.output, images)
    except InputError as error:
        raise SystemExit(str(error)) from error
    patients = {image.patient for image in images}
    logger.info("%d images of %d patients: %s", len(images), len(patients), arguments.output)
    for name in incomplete_slices(images):
        logger.warning("Slice %s has not each of the 27 distortions once", name)
    wanted = (arguments.output.parent / IMAGES).resolve()
    if any(image.path.resolve().parent != wanted for image in images):
        logger.warning("Training reads the images from %s: move them there", wanted)


if __name__ == "__main__":
    main()
