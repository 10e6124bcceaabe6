"""How an assessment's time on the CPU divides between making the slices and scoring them.

    python -m training.benchmarks.assessment_share --ct PATH --pet PATH [--slices 48]

Both parts run alone, one after the other, on the same slices.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from training.batched_scores import score_in_batches
from training.command import run_command


def main() -> None:
    """Print the seconds of each part and the share of reading, resampling and fusing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ct", type=Path, required=True)
    parser.add_argument("--pet", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=48, help="at most so many are scored")
    arguments = parser.parse_args()
    device = choose_device("cpu")
    scorer = NetworkScorer(load_model(find_weights()), device)

    start = time.perf_counter()
    ct = read_volume(arguments.ct, modality="CT")
    study = fuse_study(ct, read_volume(arguments.pet, modality="PT"))
    reading = time.perf_counter() - start
    chosen = study.assessable
    chosen = chosen[:: max(1, len(chosen) // arguments.slices)][: arguments.slices]
    reading *= len(chosen) / len(study)

    start = time.perf_counter()
    pictures = [rgb for k in chosen if (rgb := study[k].rgb) is not None]
    fusing = time.perf_counter() - start

    start = time.perf_counter()
    score_in_batches(scorer, pictures, device.batch_size, heatmaps=True)
    scoring = time.perf_counter() - start

    share = (reading + fusing) / (reading + fusing + scoring)
    print(f"{len(chosen)} slices of {ct.array.shape[2]} x {ct.array.shape[1]}")  # noqa: T201
    print(f"reading {reading:6.2f} s (their share of the whole series)")  # noqa: T201
    print(f"fusing  {fusing:6.2f} s")  # noqa: T201
    print(f"scoring {scoring:6.2f} s")  # noqa: T201
    print(f"reading, resampling and fusing: {share:.1%} of the time")  # noqa: T201


if __name__ == "__main__":
    run_command(main)
