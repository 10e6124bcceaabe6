"""A labelled set of small pictures in all 27 distortions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.datasets.labelled import LabelledImage, write_labelled
from training.distortions import COMBINATIONS

SIDE = 16


def write_set(folder: Path, patients: str = "AB", *, better: float = 0.0) -> Path:
    """Write one slice of each patient; the first one's first score is raised by `better`."""
    (folder / "images").mkdir(parents=True)
    rng, images = np.random.default_rng(0), []
    for patient in patients:
        for number, done in enumerate(COMBINATIONS):
            path = folder / "images" / f"{patient}{number}.png"
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)).save(path)
            score = 3.0 - number / 10 + (0.0 if images else better)
            images.append(LabelledImage(path, patient, "1", done, score))
    write_labelled(folder / "labels.csv", images)
    return folder
