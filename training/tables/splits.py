"""Which pictures a method may learn from and which it is measured on: the same for all methods."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from MSIQALib.errors import InputError
from training.datasets.labelled import Fold, LabelledImage, leave_out, patients, read_labelled
from training.distortions import COMBINATIONS
from training.tables.records import Data, digest

SPLIT_COLUMN = "split"
PARTS = ("train", "test")
COMBINATION_COUNT = len(COMBINATIONS)
LEAVE_ONE_OUT = "one patient left out at a time"
PUBLISHED = "80 % / 20 % by patient, as the list's column `split` has it"


@dataclass(frozen=True)
class Split:
    """The labelled pictures of a data set and its folds.

    Attributes:
        name: How the folds were made, in words.
        images: All pictures that some fold measures on, in the order of the list.
        folds: No picture is in two folds' `held_out`.
        data: For the record.
    """

    name: str
    images: tuple[LabelledImage, ...]
    folds: tuple[Fold, ...]
    data: Data


def read_split(folder: Path, *, at_most: int = 0) -> Split:
    """Read a data set and split it.

    Where the list of pictures has a column `split` ("train" or "test"), that is the split; no
    patient may be on both sides. Otherwise each patient is left out in turn.

    Args:
        folder: Holds `labels.csv` and `images/`.
        at_most: Keep so many pictures of each patient, for a trial; 0 keeps all.

    Raises:
        InputError: The list is missing or damaged, or a patient is on both sides.
    """
    images = read_labelled(folder)
    sides = _sides(folder / "labels.csv")
    if at_most:
        images = tuple(i for p in patients(images) for i in _some(images, p, at_most))
    names = ", ".join(patients(images))
    data = Data(
        name=f"{folder.name}, patients {names}",
        images=len(images),
        digest=digest(f"{i.path.name},{i.score}" for i in images),
    )
    if not sides:
        folds = tuple(leave_out(images, patient) for patient in patients(images))
        return Split(LEAVE_ONE_OUT, images, folds, data)
    train, test = ([i for i in images if sides[i.path.name] == part] for part in PARTS)
    both = {i.patient for i in train} & {i.patient for i in test}
    if both or not train or not test:
        raise InputError(
            folder / "labels.csv",
            f"its split has {len(train)} pictures to train on and {len(test)} to test on, with "
            f"{len(both)} patients on both sides",
            "Split by patient",
        )
    return Split(PUBLISHED, tuple(test), (Fold("test", tuple(train), tuple(test)),), data)


def _some(images: Sequence[LabelledImage], patient: str, count: int) -> list[LabelledImage]:
    """The same combinations of each patient, the pristine ones first: views are made of them."""
    own = [i for i in images if i.patient == patient]
    slices = sorted({i.slice for i in own})[: -(-count // COMBINATION_COUNT)]
    kept = [i for i in own if i.slice in slices]
    return sorted(kept, key=lambda i: (not i.pristine, i.slice, astuple(i.distortion)))[:count]


def _sides(listing: Path) -> dict[str, str]:
    """The part of each picture by file name; empty where the list has no such column."""
    if not listing.is_file():
        return {}
    with listing.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        if SPLIT_COLUMN not in (reader.fieldnames or ()):
            return {}
        sides = {row["file"]: row[SPLIT_COLUMN] for row in reader}
    wrong = sorted({side for side in sides.values() if side not in PARTS})
    if wrong:
        raise InputError(listing, f"its column split holds {wrong[0]!r}", "Use train and test")
    return sides
