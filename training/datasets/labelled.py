"""The labelled images of PET-CT-IQA-DS, and folds that leave one patient out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
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
        """Give the picture as (H, W, 3) uint8 RGB."""
        return decode_picture(self.path.read_bytes())


def data_root() -> Path:
    """The folder of real data: $MSIQA_DATA, by default ../shared/data beside the repository."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MSIQA_DATA", default))


def read_labelled(folder: Path) -> tuple[LabelledImage, ...]:
    """Read the list of labelled images.

    Args:
        folder: Holds `labels.csv` and `images/`.

    Raises:
        InputError: The list is missing or lacks a column, or a file of it is missing.
    """
    listing = folder / "labels.csv"
    if not listing.is_file():
        raise InputError(
            listing, "the list of labelled images is missing", "Point MSIQA_DATA at the real data"
        )
    with listing.open(newline="") as lines:
        reader = csv.DictReader(lines)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise InputError(
                listing,
                f"it lacks the columns {', '.join(sorted(missing))}",
                "Give the list as the data set's recipe describes it",
            )
        images = tuple(_parse(row, folder / "images") for row in reader)
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


def _parse(row: Mapping[str, str], folder: Path) -> LabelledImage:
    return LabelledImage(
        path=folder / row["file"],
        patient=row["patient"],
        slice=row["slice"],
        distortion=Distortion(
            float(row["poisson_lambda"]), float(row["gaussian_sigma"]), int(row["jpeg_quality"])
        ),
        score=float(row["score"]),
    )


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
