"""A small labelled set whose scores are its pictures' brightness."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training.distortions import COMBINATIONS

SIDE = 48
HEADER = "file,patient,slice,poisson_lambda,gaussian_sigma,jpeg_quality,score"


def write_set(folder: Path, patients: str = "ABC", pictures: int = 6, split: str = "") -> Path:
    """Write pictures of one slice a patient, the first pristine.

    `split` has a letter for each patient: r for train, e for test.
    """
    rng = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    lines = [HEADER + (",split" if split else "")]
    pristine = COMBINATIONS.index(next(c for c in COMBINATIONS if c.quality == 100))
    order = [pristine, *(i for i in range(len(COMBINATIONS)) if i != pristine)]
    for place, patient in enumerate(patients):
        for number in range(pictures):
            score = 4 * (number + 0.5 * place / len(patients)) / pictures
            level = 30 + 45 * score + rng.normal(0, 1, (SIDE, SIDE, 3))
            name = f"{patient}{number}.png"
            cv2.imwrite(str(folder / "images" / name), level.clip(0, 255).astype(np.uint8))
            one = COMBINATIONS[order[number]]
            line = f"{name},{patient},1,{one.lam},{one.sigma},{one.quality},{score:.3f}"
            lines.append(line + (f",{_part(split, place)}" if split else ""))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def _part(split: str, place: int) -> str:
    return {"r": "train", "e": "test"}.get(split[place], split[place])
