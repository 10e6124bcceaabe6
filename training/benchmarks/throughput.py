"""Images a second on this machine: this engine against the released implementation's way.

    python -m training.benchmarks.throughput [--images 16] [--rounds 7]

Both get the same weights and the same prepared batch, in turn, so that a machine whose speed
drifts slows both; the ratio of each pair counts, and the median of the ratios is the figure.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from MSIQALib.assessment.device import Device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.model.checkpoint import LoadedModel, load_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.shipped import SHIPPED
from MSIQALib.model.weights_info import WeightsInfo
from training.benchmarks.released_baseline import ReleasedBaseline
from training.command import run_command

CPU = Device("cpu", "benchmark", batch_size=16)


@dataclass(frozen=True)
class Throughput:
    """Figures of one run.

    Attributes:
        engine: Images a second of this engine, median over the rounds.
        baseline: The same of the released implementation's way.
        ratio: Median of the rounds' ratios engine / baseline.
        largest_difference: Largest difference between their S and W, in network units.
    """

    engine: float
    baseline: float
    ratio: float
    largest_difference: float


def measure(model: LoadedModel, *, images: int, rounds: int) -> Throughput:
    """Time both ways in turn on one batch.

    Args:
        model: The weights that both use.
        images: Batch size.
        rounds: Timed pairs, after one that is not counted.
    """
    size = model.info.preprocessing.size
    batch = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8)
    scorer = NetworkScorer(model, CPU)
    baseline = ReleasedBaseline(model.network).eval()
    prepared = model.info.preprocessing.normalise(batch).contiguous()

    def run_engine() -> list[float]:
        scale = model.info.scale
        rows = scorer.score(batch)
        return [*((row.S - scale.offset) / scale.factor for row in rows), *(row.W for row in rows)]

    @torch.inference_mode()
    def run_baseline() -> list[float]:
        return torch.cat(baseline(prepared)).tolist()

    difference = max(abs(a - b) for a, b in zip(run_engine(), run_baseline(), strict=True))
    pairs = [(_seconds(run_engine), _seconds(run_baseline)) for _ in range(rounds)]
    return Throughput(
        engine=images / statistics.median(engine for engine, _ in pairs),
        baseline=images / statistics.median(released for _, released in pairs),
        ratio=statistics.median(released / engine for engine, released in pairs),
        largest_difference=difference,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if SHIPPED.is_file():
        model = load_model(SHIPPED)
    else:
        config = ModelConfig(pretrained=False)
        model = LoadedModel(MSIQA(config).eval(), WeightsInfo(config))
    figures = measure(model, images=arguments.images, rounds=arguments.rounds)
    print(f"engine   {figures.engine:7.2f} images/s")  # noqa: T201
    print(f"released {figures.baseline:7.2f} images/s")  # noqa: T201
    print(f"ratio    {figures.ratio:7.2f}")  # noqa: T201
    print(f"largest difference of S and W {figures.largest_difference:.1e}")  # noqa: T201


if __name__ == "__main__":
    run_command(main)
