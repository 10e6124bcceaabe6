"""Does the score fall when a real study gets worse? Degrades volumes step by step and looks.

    python -m training.monotonicity --last 7 [--slices 8] [--records training/results]
    python -m training.monotonicity --last 7 --slices 30 --only "PET resolution" "CT noise"

The volumes lose counts, resolution or dose, or are blurred by breathing (training.degradations);
the fused pictures get the data set's specks, noise and JPEG (training.distortions). For each
patient and degradation: the study's mean score at each strength, Spearman's correlation between
step and score (-1: falls at every step), and the largest difference between two noise seeds at the
same strength. With `--records training/results`, `python -m training.tables.results` then shows
them in RESULTS.md. With `--last 7` they are the studies of which this project's configurations
draw no ladders (`fusion.ladder_held_out`); training still saw single slices of them
(training/tables/course_record.py).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from training.batched_scores import score_in_batches
from training.command import run_command
from training.course import Course
from training.datasets.labelled import data_root
from training.datasets.volume_pairs import find_pairs
from training.degradations import DEGRADATIONS, Degradation
from training.distortions import Picture, distort
from training.picture_degradations import PICTURE_DEGRADATIONS, PictureDegradation
from training.tables.course_record import course_record, course_section
from training.tables.records import code_version, command_line, write_record
from training.tables.sources import Sources

logger = logging.getLogger(__name__)

MODULE = "training.monotonicity"
SEEDS = (0, 1)


def study_pictures(ct: Volume, pet: Volume, wanted: Sequence[int]) -> list[Picture]:
    """Fused pictures of some slices of a study."""
    study = fuse_study(ct, pet, ignore_frame_of_reference=True)
    return [rgb for k in wanted if (rgb := study[k].rgb) is not None]


class RememberedScores:
    """Scores pictures; those that come again, as the clean ones do, are looked up.

    Args:
        scorer: What scores.
    """

    def __init__(self, scorer: NetworkScorer) -> None:
        self._scorer = scorer
        self._known: dict[bytes, float] = {}

    def mean(self, pictures: Sequence[Picture]) -> float:
        """Mean score of (H, W, 3) uint8 pictures."""
        keys = [_key(picture) for picture in pictures]
        new = {
            key: picture
            for key, picture in zip(keys, pictures, strict=True)
            if key not in self._known
        }
        rows = score_in_batches(self._scorer, new.values(), self._scorer.device.batch_size)
        self._known |= {key: row.score for key, row in zip(new, rows, strict=True)}
        return float(np.mean([self._known[key] for key in keys]))


def _key(picture: Picture) -> bytes:
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def slices_to_score(pair: tuple[Volume, Volume], count: int) -> list[int]:
    """Choose about `count` slices at equal distances among those that the PET covers."""
    covered = fuse_study(*pair, ignore_frame_of_reference=True).assessable
    places = np.linspace(0, len(covered) - 1, count + 2)[1:-1].astype(int)
    return [covered[place] for place in dict.fromkeys(places.tolist())]


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
    scores_of: RememberedScores,
    name: str,
    pair: tuple[Volume, Volume],
    how: Degradation | PictureDegradation,
    wanted: Sequence[int],
) -> Course:
    """Degrade one study in all steps and score some of its slices at each.

    Args:
        scores_of: What scores.
        name: The study's.
        pair: Its CT and PET.
        how: What is done to it.
        wanted: Slices of the axial grid.
    """
    scores = [
        [scores_of.mean(pictures) for pictures in degraded(pair, wanted, how, seed)]
        for seed in SEEDS
    ]
    flat = np.ptp(scores[0]) == 0
    steps = range(len(how.strengths))
    return Course(
        patient=name,
        degradation=how.name,
        unit=how.unit,
        strengths=how.strengths,
        scores=tuple(scores[0]),
        correlation=0.0 if flat else float(spearmanr(steps, scores[0]).statistic),
        seed_difference=float(np.abs(np.subtract(*scores)).max()),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and record where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="weights, else the shipped ones")
    parser.add_argument("--slices", type=int, default=8, help="scored in each study")
    parser.add_argument("--last", type=int, help="only the last so many studies, by name")
    named = {how.name: how for how in (*DEGRADATIONS, *PICTURE_DEGRADATIONS)}
    parser.add_argument(
        "--only", nargs="+", choices=named, metavar="NAME", help="only these degradations"
    )
    parser.add_argument("--records", type=Path, help="folder in which a record is written")
    given = parser.parse_args(arguments)
    if given.only and given.records:
        parser.error("a record is of all degradations: leave out --only or --records")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start, commit = time.monotonic(), code_version()
    weights = find_weights(given.model)
    scorer = NetworkScorer(load_model(weights), choose_device())
    found = find_pairs(data_root() / "sts-nifti")
    chosen = found[-(given.last or len(found)) :]
    courses = []
    for paths in chosen:
        pair, scores_of = paths.read(), RememberedScores(scorer)
        wanted = slices_to_score(pair, given.slices)
        for name in given.only or named:
            courses.append(follow(scores_of, paths.name, pair, named[name], wanted))
            one = courses[-1]
            logger.info(
                "%s, %s: %s; Spearman %+.2f, seeds differ by %.2f",
                one.patient,
                one.degradation,
                " ".join(f"{score:.2f}" for score in one.scores),
                one.correlation,
                one.seed_difference,
            )
    record = course_record(
        courses,
        weights,
        command=command_line(MODULE, arguments),
        studies=f"the last {len(chosen)} of {len(found)} studies by name, {given.slices} slices "
        "of each",
        commit=commit,
        seconds=round(time.monotonic() - start, 1),
    )
    print("\n".join(course_section([record], Sources())))  # noqa: T201
    if given.records:
        logger.info("wrote %s", write_record(record, given.records))


if __name__ == "__main__":
    run_command(main)
