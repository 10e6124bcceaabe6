"""Trains MS-IQA as a configuration says, from the last checkpoint where there is one.

    python -m training.train --config training/configs/scratch_cpu.yaml

The run's folder, `runs/<name>`, holds the configuration, a log for each part, the checkpoints,
`metrics.json` and the weights, `msiqa.safetensors`.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch

from MSIQALib.model.checkpoint import save_model
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import ScoreScale, WeightsInfo
from training.branch_features import load_features, read_slices
from training.config import TrainingConfig, read_config
from training.datasets.labelled import LabelledImage, data_root, read_labelled
from training.fit import centre_score
from training.pretrain import BRANCHES
from training.run_folder import RunFolder
from training.score_fit import ScoreFit, assemble, fresh_network, quality_loss, table
from training.whole import ScoredPictures, score_images, train_whole

logger = logging.getLogger(__name__)

WEIGHTS = "msiqa.safetensors"
LIKERT = ScoreScale(offset=0.0, factor=1.0)
"""The networks that are trained here give Likert units."""


def run_branches(config: Path, runs: Path) -> None:
    """Pre-train both backbones side by side, each in a process of its own, and store features.

    Two processes with half of the cores each are faster than one with all of them, since nothing
    has to wait for the slower core.

    Raises:
        RuntimeError: A process failed.
    """
    common = [sys.executable, "-m", "training.branch_features", "--config", str(config)]
    processes = {
        name: subprocess.Popen([*common, "--runs", str(runs), "--branch", name])
        for name in BRANCHES
    }
    failed = [name for name, process in processes.items() if process.wait() != 0]
    if failed:
        raise RuntimeError(f"Training of {', '.join(failed)} failed; its messages are above")


def train(config: TrainingConfig, config_path: Path, runs: Path) -> Path:
    """Run every part that the configuration names.

    Args:
        config: What to do.
        config_path: Its file, for the processes of the backbones.
        runs: Folder of run folders.

    Returns:
        The weights file.
    """
    start = time.monotonic()
    cv2.setNumThreads(1)
    torch.set_num_threads(len(BRANCHES) * config.threads)
    torch.set_flush_denormal(True)
    folder = RunFolder(runs / config.name)
    folder.save_config(config)
    images = read_labelled(data_root() / config.data.labelled)
    chosen = tuple(i for i in images if i.patient not in config.data.held_out)
    if config.fusion.pictures:
        run_branches(config_path, runs)
        labelled, fresh, backbones = load_features(config, folder)
        network = assemble(config, fresh, backbones, folder)
        ScoreFit(config, network, labelled, fresh).fit(chosen)
    else:
        network = fresh_network(config)
        centre_score(network)
    if config.whole.steps:
        slices = read_slices(config, folder) if config.whole.fresh else ()
        draw = ScoredPictures(chosen, slices, config.whole, seed=config.seed)
        train_whole(network, draw, config, quality_loss(config), folder)
    network.eval()
    metrics = measure(network, images, config)
    folder.save_metrics("metrics", metrics)
    minutes = round((time.monotonic() - start) / 60, 1)
    return export(network, config, folder, metrics | {"minutes_of_last_start": minutes})


def measure(
    network: MSIQA, images: tuple[LabelledImage, ...], config: TrainingConfig
) -> dict[str, Any]:
    """Agreement on the patients that were left out and, as a check only, on those trained on."""
    metrics: dict[str, Any] = {}
    for name, left_out in (("held_out", True), ("trained_on", False)):
        part = [i for i in images if (i.patient in config.data.held_out) == left_out]
        results = {}
        for patient in sorted({i.patient for i in part}):
            own = [i for i in part if i.patient == patient]
            results[patient] = score_images(network, own), torch.tensor([i.score for i in own])
        if results:
            metrics[name] = table(results)
    return metrics


def export(
    network: MSIQA, config: TrainingConfig, folder: RunFolder, metrics: dict[str, Any]
) -> Path:
    """Write the weights as float32 in this project's format."""
    path = folder.path / WEIGHTS
    provenance = {
        "data": "PET-CT-IQA-DS (labels); Soft-tissue-Sarcoma PET/CT and phantoms (content)",
        "commit": _commit(),
        "seed": config.seed,
        "config": config.name,
        "metrics": metrics,
    }
    info = WeightsInfo(
        config=replace(network.config, pretrained=False), scale=LIKERT, provenance=provenance
    )
    save_model(path, network, info)
    return path


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return found.stdout.strip() or "unknown"


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    weights = train(read_config(arguments.config), arguments.config, arguments.runs)
    logger.info("weights: %s", weights)


if __name__ == "__main__":
    main()
