"""The labelled images that a configuration names, of whichever data set."""

from __future__ import annotations

from pathlib import Path

from training.config import DataConfig
from training.datasets.labelled import LabelledImage, read_labelled
from training.datasets.ldct import read_ldct
from training.datasets.published import read_published

_READERS = {
    "pet-ct-iqa-ds": read_labelled,
    "published": read_published,
    "ldctiqac2023": read_ldct,
}


def read_images(data: DataConfig, root: Path) -> tuple[LabelledImage, ...]:
    """Read the labelled images of a run.

    Args:
        data: `kind` says how they are stored, `labelled` where.
        root: The data root.

    Raises:
        InputError: They are not there, or not of this kind.
    """
    return tuple(_READERS[data.kind](root / data.labelled))
