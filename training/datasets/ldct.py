"""LDCTIQAC2023 as distributed: CT slices of many doses, each with five radiologists' mean score.

The set (Lee et al., Med Image Anal 99, 2025; zenodo.org/records/7833096) holds abdominal slices of
512 x 512 as 32-bit float TIFF, in the soft-tissue window of 350 HU about 40 HU scaled to 0..1, and
scores from 0 to 4:

- training: `image/*.tif` and `train.json`, which gives the score of each file by name;
- test: `test-ground-truth.json`, which gives lists of names and scores for each of several folders
  (``{"test_0.mha": {"fnames": [...], "scores": [...]}}``, images in `test_0/`), or a `test.json`
  like the training part's.

Names may come with or without their ending.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from MSIQALib.errors import InputError
from MSIQALib.likert import SCORE_RANGE
from training.datasets.labelled import LabelledImage
from training.distortions import Picture

WINDOW_HU = (40.0, 350.0)
"""Centre and width of the window that the radiologists saw."""

TRAIN, TEST = "train", "test"
"""The parts, in place of the patients that the names of the training part do not tell."""

_LISTS = {
    TRAIN: ("train.json",),
    TEST: ("test-ground-truth.json", "test.json"),
}
_ENDINGS = (".tif", ".tiff")
_SLACK = 0.01


@dataclass(frozen=True)
class CtImage(LabelledImage):
    """One slice of LDCTIQAC2023; `patient` is its part, and what was done to it is not known."""

    def read(self) -> Picture:
        """Give the slice in the radiologists' window as (H, W, 3) uint8, three times the same."""
        return to_picture(read_slice(self.path), self.path)


def read_ldct(folder: Path) -> tuple[CtImage, ...]:
    """Read both parts, or the one that is there.

    Args:
        folder: Holds the unpacked archives at any depth.

    Returns:
        The training part, then the test part, each in the order of its list.

    Raises:
        InputError: There is no list, or more than one of a part; a list is damaged, names an image
            that is not there or there twice, or holds a score outside 0..4.
    """
    images = tuple(image for part in (TRAIN, TEST) for image in _read_part(folder, part))
    if not images:
        names = ", ".join(name for names in _LISTS.values() for name in names)
        raise InputError(
            folder, f"there is no list of LDCTIQAC2023 in it ({names})", "Unpack the archives here"
        )
    return images


def read_slice(path: Path) -> npt.NDArray[np.float32]:
    """Read one TIFF of numbers.

    Returns:
        (H, W) float32, as stored.

    Raises:
        InputError: It is no picture, has several channels, or holds values that are not finite.
    """
    try:
        with Image.open(path) as image:
            values = np.asarray(image, np.float32)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(path, "it cannot be read as a TIFF", "Unpack it again") from error
    if values.ndim != 2:
        raise InputError(path, f"it has the shape {values.shape}", "Give grey slices")
    if not np.isfinite(values).all():
        raise InputError(path, "it holds values that are not finite", "Unpack it again")
    return values


def to_picture(values: npt.NDArray[np.float32], path: Path) -> Picture:
    """Turn a slice into what the network takes.

    Args:
        values: (H, W), in 0..1 as distributed, or in HU.
        path: For the message.

    Returns:
        (H, W, 3) uint8: the window of 350 HU about 40 HU as 0..255.

    Raises:
        InputError: The values are neither.
    """
    low, high = float(values.min()), float(values.max())
    if low < -100:  # HU, with air
        centre, width = WINDOW_HU
        values = (values - (centre - width / 2)) / width
    elif low < -_SLACK or high > 1 + _SLACK:
        raise InputError(
            path, f"its values, {low:g} to {high:g}, are neither 0..1 nor HU", "Unpack it again"
        )
    grey = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _read_part(folder: Path, part: str) -> Iterator[CtImage]:
    listings = sorted(path for name in _LISTS[part] for path in folder.rglob(name))
    if not listings:
        return
    if len(listings) > 1:
        raise InputError(folder, f"there are {len(listings)} lists of the {part} part", "Keep one")
    (listing,) = listings
    places = _places(listing.parent)
    seen: set[Path] = set()
    for group, name, score in _entries(listing):
        path = _find(listing, places, group, name)
        if path in seen:
            raise InputError(listing, f"it names {name} again", "Unpack the list again")
        seen.add(path)
        yield CtImage(path, part, path.stem, None, score)


def _entries(listing: Path) -> Iterator[tuple[str, str, float]]:
    """Folder (empty where any will do), name and score of each image that a list names."""
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(listing, "it cannot be read as JSON", "Unpack it again") from error
    if not isinstance(entries, dict) or not entries:
        raise InputError(listing, "it holds no scores by name", "Unpack it again")
    for key, value in entries.items():
        if isinstance(value, dict):
            names, scores = value.get("fnames", []), value.get("scores", [])
            if not names or len(names) != len(scores):
                raise InputError(
                    listing,
                    f"{key} has {len(names)} names and {len(scores)} scores",
                    "Unpack it again",
                )
            for name, score in zip(names, scores, strict=True):
                yield Path(key).stem, str(name), _score(listing, name, score)
        else:
            yield "", key, _score(listing, key, value)


def _score(listing: Path, name: str, value: Any) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not SCORE_RANGE[0] <= score <= SCORE_RANGE[1]:
        raise InputError(listing, f"{name} has the score {value!r}", "Scores go from 0 to 4")
    return score


def _places(folder: Path) -> dict[str, list[Path]]:
    """Images below a folder by name without ending."""
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _ENDINGS and not path.name.startswith("."):
            places.setdefault(path.stem, []).append(path)
    return places


def _find(listing: Path, places: dict[str, list[Path]], group: str, name: str) -> Path:
    stem = Path(name).stem if Path(name).suffix.lower() in _ENDINGS else name
    found = places.get(stem, [])
    if len(found) > 1 and group:
        found = [path for path in found if group in path.parts]
    if len(found) != 1:
        cause = "is not there" if not found else f"is there {len(found)} times"
        raise InputError(listing, f"the image {name} that it names {cause}", "Unpack it again")
    return found[0]
