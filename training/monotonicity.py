"""Does the score fall when a real study gets worse? Degrades volumes step by step and looks.

    python -m training.monotonicity [--slices 8] [--patients 23] [--json FILE]

For each patient and degradation: the study's mean score at each strength, Spearman's correlation
between strength and score (-1: falls at every step), and the largest difference between two noise
seeds at the same strength.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from training.datasets.labelled import data_root
from training.degradations import DEGRADATIONS, Degradation

logger = logging.getLogger(__name__)

SEEDS = (0, 1)


@dataclass(frozen=True)
class Course:
    """How a study's score goes with one degradation.

    Attributes:
        patient: Which study.
        degradation: Its name.
        strengths: From none to the worst.
        scores: Mean over the scored slices at each strength, first seed.
        correlation: Spearman's between step and score; -1 where it falls at every step.
        seed_difference: Largest difference of the mean between two seeds.
    """

    patient: str
    degradation: str
    strengths: tuple[float, ...]
    scores: tuple[float, ...]
    correlation: float
    seed_difference: float


def study_score(scorer: NetworkScorer, ct: Volume, pet: Volume, wanted: Sequence[int]) -> float:
    """Mean score of some slices of a study."""
    study = fuse_study(ct, pet, ignore_frame_of_reference=True)
    pictures = [rgb for k in wanted if (rgb := study[k].rgb) is not None]
    size = scorer.device.batch_size
    scores: list[float] = []
    for first in range(0, len(pictures), size):
        batch = scorer.prepare(pictures[first : first + size])
        scores += [row.score for row in scorer.score(batch)]
    return float(np.mean(scores))


def follow(
    scorer: NetworkScorer,
    name: str,
    pair: tuple[Volume, Volume],
    degradation: Degradation,
    slices: int,
) -> Course:
    """Degrade one study in all steps and score each."""
    ct, pet = pair
    wanted = np.linspace(0, ct.array.shape[0] - 1, slices + 2)[1:-1].astype(int).tolist()
    scores: list[list[float]] = []
    for seed in SEEDS:
        row = [
            study_score(scorer, *degradation.apply(ct, pet, strength, seed), wanted)
            for strength in degradation.strengths
        ]
        scores.append(row)
    steps = range(len(degradation.strengths))
    flat = np.ptp(scores[0]) == 0
    return Course(
        patient=name,
        degradation=degradation.name,
        strengths=degradation.strengths,
        scores=tuple(scores[0]),
        correlation=0.0 if flat else float(spearmanr(steps, scores[0]).statistic),
        seed_difference=float(np.abs(np.subtract(*scores)).max()),
    )


def table(courses: Sequence[Course]) -> str:
    """All courses as Markdown, then a line for each degradation."""
    lines = ["| patient | degradation | scores, none to worst | Spearman | seeds differ by |"]
    lines.append("|---|---|---|---|---|")
    for one in courses:
        scores = " ".join(f"{score:.2f}" for score in one.scores)
        lines.append(
            f"| {one.patient} | {one.degradation} | {scores} | {one.correlation:+.2f} "
            f"| {one.seed_difference:.2f} |"
        )
    lines.append("")
    for name in dict.fromkeys(one.degradation for one in courses):
        own = [one for one in courses if one.degradation == name]
        correlations = np.array([one.correlation for one in own])
        lines.append(
            f"- {name}: median Spearman {np.median(correlations):+.2f}, "
            f"{int((correlations <= -0.9).sum())} of {len(own)} studies at -0.9 or below; seeds "
            f"differ by up to {max(one.seed_difference for one in own):.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--slices", type=int, default=8, help="scored in each study")
    parser.add_argument("--patients", type=int, default=1000, help="at most so many")
    parser.add_argument("--json", type=Path, help="also write all numbers here")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    scorer = NetworkScorer(load_model(find_weights(arguments.model)), choose_device())
    courses = []
    folders = sorted((data_root() / "sts-nifti").glob("*"))[: arguments.patients]
    for folder in folders:
        ct = read_volume(folder / "CT.nii.gz", modality="CT")
        pet = read_volume(folder / "PET.nii.gz", modality="PT")
        pair = (replace(ct, modality="CT"), replace(pet, modality="PT"))
        for degradation in DEGRADATIONS:
            courses.append(follow(scorer, folder.name, pair, degradation, arguments.slices))
            logger.info("%s", courses[-1])
    print(table(courses))  # noqa: T201
    if arguments.json:
        rows = [asdict(one) for one in courses]
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
