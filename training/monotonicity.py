"""Does the score fall when a real study gets worse? Degrades volumes step by step and looks.

    python -m training.monotonicity [--slices 8] [--last 7] [--json FILE]

The volumes lose counts, resolution or dose, or are blurred by breathing (training.degradations);
the fused pictures get the data set's specks, noise and JPEG (training.distortions). For each
patient and degradation: the study's mean score at each strength, Spearman's correlation between
step and score (-1: falls at every step), and the largest difference between two noise seeds at the
same strength.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from training.datasets.labelled import data_root
from training.datasets.ladders import read_pairs
from training.degradations import DEGRADATIONS, Degradation
from training.distortions import Distortion, Picture, distort

logger = logging.getLogger(__name__)

SEEDS = (0, 1)


@dataclass(frozen=True)
class PictureDegradation:
    """One of the data set's distortions, which act on the fused picture, in steps.

    Attributes:
        name: What it is.
        steps: From none to the worst.
        strength: Which field of the steps it is, "lam", "sigma" or "quality".
    """

    name: str
    steps: tuple[Distortion, ...]
    strength: str

    @property
    def strengths(self) -> tuple[float, ...]:
        """From none to the worst."""
        return tuple(float(getattr(step, self.strength)) for step in self.steps)


PICTURE_DEGRADATIONS = (
    PictureDegradation(
        "data set's specks",
        tuple(Distortion(lam, 0.0, 100) for lam in (0.0, 0.002, 0.005, 0.01, 0.02, 0.04)),
        "lam",
    ),
    PictureDegradation(
        "data set's noise",
        tuple(Distortion(0.0, sigma, 100) for sigma in (0.0, 3.0, 6.0, 9.0, 12.0, 15.0)),
        "sigma",
    ),
    PictureDegradation(
        "data set's JPEG",
        tuple(Distortion(0.0, 0.0, quality) for quality in (100, 85, 70, 55, 40, 25)),
        "quality",
    ),
)


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


def study_pictures(ct: Volume, pet: Volume, wanted: Sequence[int]) -> list[Picture]:
    """Fused pictures of some slices of a study."""
    study = fuse_study(ct, pet, ignore_frame_of_reference=True)
    return [rgb for k in wanted if (rgb := study[k].rgb) is not None]


def mean_score(scorer: NetworkScorer, pictures: Sequence[Picture]) -> float:
    """Mean score of pictures."""
    size = scorer.device.batch_size
    scores: list[float] = []
    for first in range(0, len(pictures), size):
        batch = scorer.prepare(pictures[first : first + size])
        scores += [row.score for row in scorer.score(batch)]
    return float(np.mean(scores))


def degraded(
    pair: tuple[Volume, Volume],
    wanted: Sequence[int],
    how: Degradation | PictureDegradation,
    seed: int,
) -> Iterator[list[Picture]]:
    """Give the pictures of a study at each strength, from none to the worst."""
    if isinstance(how, Degradation):
        for strength in how.strengths:
            yield study_pictures(*how.apply(*pair, strength, seed), wanted)
        return
    clean = study_pictures(*pair, wanted)
    for step in how.steps:
        rng = np.random.default_rng(seed)
        yield [distort(picture, step, rng) for picture in clean]


def follow(
    scorer: NetworkScorer,
    name: str,
    pair: tuple[Volume, Volume],
    how: Degradation | PictureDegradation,
    slices: int,
) -> Course:
    """Degrade one study in all steps and score each."""
    wanted = np.linspace(0, pair[0].array.shape[0] - 1, slices + 2)[1:-1].astype(int).tolist()
    scores = [
        [mean_score(scorer, pictures) for pictures in degraded(pair, wanted, how, seed)]
        for seed in SEEDS
    ]
    flat = np.ptp(scores[0]) == 0
    steps = range(len(how.strengths))
    return Course(
        patient=name,
        degradation=how.name,
        strengths=how.strengths,
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
    parser.add_argument("--last", type=int, help="only the last so many studies, by name")
    parser.add_argument("--json", type=Path, help="also write all numbers here")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    scorer = NetworkScorer(load_model(find_weights(arguments.model)), choose_device())
    courses = []
    pairs = read_pairs(data_root() / "sts-nifti")
    for name, ct, pet in pairs[-(arguments.last or len(pairs)) :]:
        for how in (*DEGRADATIONS, *PICTURE_DEGRADATIONS):
            courses.append(follow(scorer, name, (ct, pet), how, arguments.slices))
            logger.info("%s", courses[-1])
    print(table(courses))  # noqa: T201
    if arguments.json:
        rows = [asdict(one) for one in courses]
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
