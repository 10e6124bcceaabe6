"""The list of a built set: each image's patient, slice, distortion, side and checksum."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from training.distortions import Distortion

MANIFEST = "manifest.csv"
IMAGES = "images"
TEST_SHARE = 0.2

Side = Literal["train", "test"]

_SPLIT = 0x5350


@dataclass(frozen=True)
class ManifestRow:
    """One image of a built set.

    Attributes:
        file: Name in `images/`; it says nothing of what the image is.
        patient: Pseudonym.
        slice: Which of the patient's slices, 1 from the feet up.
        level: Where in the body.
        split: "train" or "test".
        poisson_lambda: Expected specks of a white value.
        gaussian_sigma: Noise in grey levels.
        jpeg_quality: 1..100.
        sha256: Of the file.
    """

    file: str
    patient: str
    slice: int
    level: str
    split: str
    poisson_lambda: float
    gaussian_sigma: float
    jpeg_quality: int
    sha256: str

    @property
    def distortion(self) -> Distortion:
        """What was done to the slice."""
        return Distortion(self.poisson_lambda, self.gaussian_sigma, self.jpeg_quality)


def split_patients(patients: Sequence[str], seed: int) -> dict[str, Side]:
    """Put a fifth of the patients, at least one, on the side of the test.

    Args:
        patients: At least two.
        seed: Another seed, another choice.

    Raises:
        ValueError: There are fewer than two patients.
    """
    if len(patients) < 2:
        raise ValueError("a split by patient needs two patients")
    tested = max(1, round(TEST_SHARE * len(patients)))
    order = np.random.default_rng([seed, _SPLIT]).permutation(len(patients))
    test = {sorted(patients)[i] for i in order[:tested]}
    return {patient: "test" if patient in test else "train" for patient in sorted(patients)}


def check_split(rows: Iterable[ManifestRow]) -> None:
    """Make sure that no patient is on both sides, under one name or under two.

    Raises:
        ValueError: A patient is on both sides, or the same picture is there of two patients, or a
            side is empty.
    """
    rows = tuple(rows)
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    owners: dict[str, str] = {}
    for row in rows:
        if row.split not in sides:
            raise ValueError(f"{row.file} is on no side: {row.split!r}")
        sides[row.split].add(row.patient)
        if owners.setdefault(row.sha256, row.patient) != row.patient:
            raise ValueError(f"{owners[row.sha256]} and {row.patient} share a picture, {row.file}")
    both = sorted(sides["train"] & sides["test"])
    if both:
        raise ValueError(f"on both sides of the split: {', '.join(both)}")
    for side, patients in sides.items():
        if not patients:
            raise ValueError(f"no patient is on the side {side!r}")


def assign(rows: Iterable[ManifestRow], sides: dict[str, Side]) -> tuple[ManifestRow, ...]:
    """Give the rows their patients' sides, checked."""
    assigned = tuple(replace(row, split=sides[row.patient]) for row in rows)
    check_split(assigned)
    return assigned


def write_manifest(folder: Path, rows: Iterable[ManifestRow]) -> None:
    """Write `manifest.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(ManifestRow)]
    writer.writerow(names)
    for row in rows:
        values = [getattr(row, name) for name in names]
        writer.writerow([f"{v:g}" if isinstance(v, float) else v for v in values])
    with atomic_path(folder / MANIFEST) as part:
        part.write_text(text.getvalue(), encoding="utf-8")


def read_manifest(folder: Path) -> tuple[ManifestRow, ...]:
    """Read `manifest.csv` of a built set, and check its split again.

    Raises:
        InputError: The list is missing, damaged, or has a patient on both sides.
    """
    path = folder / MANIFEST
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = tuple(_row(values) for values in csv.DictReader(lines))
        check_split(rows)
    except OSError as error:
        raise InputError(
            path, "the set's list is missing", "Build the set with training.datasets.build"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"the list is damaged ({error})", "Build the set again") from error
    return rows


def sha256_of(path: Path) -> str:
    """Checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _row(values: dict[str, str]) -> ManifestRow:
    return ManifestRow(
        file=values["file"],
        patient=values["patient"],
        slice=int(values["slice"]),
        level=values["level"],
        split=values["split"],
        poisson_lambda=float(values["poisson_lambda"]),
        gaussian_sigma=float(values["gaussian_sigma"]),
        jpeg_quality=int(values["jpeg_quality"]),
        sha256=values["sha256"],
    )
