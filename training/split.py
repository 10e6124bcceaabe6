"""Which patients are left out of training."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from training.config import DataConfig
from training.datasets.labelled import LabelledImage, patients

TEST = "test"
_SPLIT = 3


def marked_patients(folder: Path) -> tuple[str, ...]:
    """The patients whose images `labels.csv` marks as "test" in its column `split`, if it has one.

    Args:
        folder: The labelled data set.
    """
    listing = folder / "labels.csv"
    if not listing.is_file():
        return ()
    with listing.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    return tuple(sorted({row["patient"] for row in rows if row.get("split") == TEST}))


def held_out_patients(
    config: DataConfig,
    images: Iterable[LabelledImage],
    seed: int,
    marked: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Name the patients that are measured and not trained on.

    Args:
        config: Names them, or gives their share.
        images: All labelled images.
        seed: Of the draw.
        marked: The data set's own test patients, who go before a draw.

    Raises:
        ValueError: One of them is not in the data, or nobody is left to train on.
    """
    everybody = patients(images)
    chosen = config.held_out
    if not chosen and config.held_out_share:
        chosen = marked
    if not chosen and config.held_out_share:
        count = max(1, round(config.held_out_share * len(everybody)))
        order = np.random.default_rng([seed, _SPLIT]).permutation(len(everybody))
        chosen = tuple(sorted(everybody[i] for i in order[:count]))
    unknown = sorted(set(chosen) - set(everybody))
    if unknown:
        raise ValueError(f"there is no patient {', '.join(unknown)} in the data")
    if set(chosen) == set(everybody):
        raise ValueError("no patient is left to train on")
    return chosen
