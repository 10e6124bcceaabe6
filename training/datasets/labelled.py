"""The labelled images of PET-CT-IQA-DS, and folds that leave one patient out."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.likert import SCORE_RANGE
from training.distortions import Distortion, Picture, decode_picture

_COLUMNS = (
    "file",
    "patient",
    "slice",
    "poisson_lambda",
    "gaussian_sigma",
    "jpeg_quality",
    "score",
)


@dataclass(frozen=True)
class LabelledImage:
    """One distorted slice with the radiologists' mean score.

    Attributes:
        path: The JPEG file.
        patient: Whose slice it is; folds keep patients together.
        slice: Which of the patient's five slices.
        distortion: What was done to the pristine slice; None where that is not known.
        score: Mean of five radiologists, 0..4.
    """

    path: Path
    patient: str
    slice: str
    distortion: Distortion | None
    score: float

    @property
    def pristine(self) -> bool:
        """Whether nothing was done to the slice."""
        return self.distortion == Distortion(0.0, 0.0, 100)

    def read(self) -> Picture:
        """Give the picture as (H, W, 3) uint8 RGB.

        Raises:
            InputError: The file cannot be read, or is no picture.
        """
        try:
            coded = self.path.read_bytes()
        except OSError as error:
            raise InputError(
                self.path, f"it cannot be read ({error.strerror})", "Check the data set"
            ) from error
        try:
            # OpenCV raises an error of its own where there is nothing to decode.
            return decode_picture(coded)
        except (ValueError, cv2.error) as error:
            raise InputError(
                self.path, "it cannot be decoded as a picture", "Copy it into the data set again"
            ) from error


def data_root() -> Path:
    """The folder of real data: $MSIQA_DATA, by default ../shared/data beside the repository."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MSIQA_DATA", default))


def read_labelled(folder: Path) -> tuple[LabelledImage, ...]:
    """Read the list of labelled images.

    Args:
        folder: Holds `labels.csv` and `images/`.

    Raises:
        InputError: The list is missing or no text, lacks a column, holds a value that cannot be
            or names a file twice (the message names the line), or a file of it is missing.
    """
    listing = folder / "labels.csv"
    if not listing.is_file():
        raise InputError(
            listing, "the list of labelled images is missing", "Point MSIQA_DATA at the real data"
        )
    try:
        # Spreadsheets put a byte order mark before the first column's name.
        with listing.open(newline="", encoding="utf-8-sig") as lines:
            images = _parse_all(listing, csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            listing, f"it cannot be read as CSV ({error})", "Save it as CSV in UTF-8"
        ) from error
    for image in images:
        if not image.path.is_file():
            raise InputError(image.path, "a listed image is missing", "Complete the data set")
    return images


def write_labelled(
    listing: Path, images: Iterable[LabelledImage], sides: Mapping[str, str] | None = None
) -> None:
    """Write the list that :func:`read_labelled` reads.

    Args:
        listing: `labels.csv`; the images lie in `images/` beside it.
        images: In the order of the list, with known distortions.
        sides: "train" or "test" by file name, for a column `split`; None leaves the column out.

    Raises:
        OutputError: The list cannot be written.
    """
    with atomic_path(listing) as part, part.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(_COLUMNS if sides is None else (*_COLUMNS, "split"))
        for image in images:
            done = image.distortion
            if done is None:
                raise ValueError(f"{image.path.name}: what was done to it is not known")
            strengths = (f"{done.lam:g}", f"{done.sigma:g}", done.quality)
            row = (image.path.name, image.patient, image.slice, *strengths, f"{image.score:.6g}")
            writer.writerow(row if sides is None else (*row, sides[image.path.name]))


def _parse_all(listing: Path, reader: csv.DictReader[str]) -> tuple[LabelledImage, ...]:
    missing = set(_COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise InputError(
            listing,
            f"it lacks the columns {', '.join(sorted(missing))}",
            "Give the list as the data set's recipe describes it",
        )
    images: dict[str, LabelledImage] = {}
    for row in reader:
        try:
            image = _parse(row, listing.parent / "images")
        except ValueError as error:
            raise InputError(
                listing, f"line {reader.line_num}: {error}", "Correct that line"
            ) from error
        if row["file"] in images:
            raise InputError(
                listing, f"line {reader.line_num} names {row['file']} again", "Name each file once"
            )
        images[row["file"]] = image
    return tuple(images.values())


def _parse(row: Mapping[str, str | None], folder: Path) -> LabelledImage:
    """Turn a row into an image.

    Raises:
        ValueError: A value is missing or cannot be; the message names the column.
    """
    file, patient, number = (_text(row, name) for name in ("file", "patient", "slice"))
    lam, sigma, quality, score = (
        _number(row, name) for name in ("poisson_lambda", "gaussian_sigma", "jpeg_quality", "score")
    )
    if not quality.is_integer():
        raise ValueError(f"jpeg_quality is {quality:g}, not a whole number")
    if not SCORE_RANGE[0] <= score <= SCORE_RANGE[1]:
        raise ValueError(f"score is {score:g}, outside {SCORE_RANGE[0]:g} to {SCORE_RANGE[1]:g}")
    return LabelledImage(
        path=folder / file,
        patient=patient,
        slice=number,
        distortion=Distortion(lam, sigma, int(quality)),
        score=score,
    )


def _text(row: Mapping[str, str | None], name: str) -> str:
    value = row[name]
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _number(row: Mapping[str, str | None], name: str) -> float:
    try:
        value = float(_text(row, name))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} is {row[name]!r}, not a number")
    return value


@dataclass(frozen=True)
class Fold:
    """One split: `held_out` holds the images of one patient, `training` those of the others."""

    patient: str
    training: tuple[LabelledImage, ...]
    held_out: tuple[LabelledImage, ...]


def patients(images: Iterable[LabelledImage]) -> tuple[str, ...]:
    """Name the patients, sorted."""
    return tuple(sorted({image.patient for image in images}))


def leave_out(images: Sequence[LabelledImage], patient: str) -> Fold:
    """Split so that no image of `patient` is trained on.

    Raises:
        ValueError: There is no such patient, or no other.
    """
    held_out = tuple(i for i in images if i.patient == patient)
    training = tuple(i for i in images if i.patient != patient)
    if not held_out or not training:
        raise ValueError(f"patient {patient!r} is not one of several in {patients(images)}")
    return Fold(patient, training, held_out)


def mean_scores(images: Iterable[LabelledImage]) -> dict[Distortion, float]:
    """Average the score of each combination: labels for clean slices distorted alike.

    Give it the images of the training patients only. Images whose distortion is not known are
    passed over.
    """
    scores: dict[Distortion, list[float]] = {}
    for image in images:
        if image.distortion is None:
            continue
        scores.setdefault(image.distortion, []).append(image.score)
    return {distortion: float(np.mean(values)) for distortion, values in scores.items()}
