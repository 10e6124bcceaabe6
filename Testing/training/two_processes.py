"""Trains a shallow MS-IQA on random pictures: what the tests start in one or more processes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from MSIQALib.model.network import MSIQA
from training import whole
from training.config import NetworkConfig, TrainingConfig, WholeConfig
from training.losses import QualityLoss
from training.run_folder import RunFolder

STEPS = 5
IMAGES = 8


def draw(index: int) -> tuple[Tensor, float]:
    """Noise whose strength is the score."""
    rng = np.random.default_rng(index)
    score = float(rng.uniform(0, 4))
    picture = rng.normal(128, 10 + 25 * score, (3, 224, 224)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(picture), score


def settings(workers: int = 0) -> TrainingConfig:
    """Everything that couples the pictures of a batch is in it: loss, statistics, both dropouts."""
    return TrainingConfig(
        checkpoint_minutes=0,
        network=NetworkConfig(stages=1),
        whole=WholeConfig(
            steps=STEPS, batch=4, learning_rate=1e-3, optimiser="adam", workers=workers
        ),
    )


def train(folder: Path, workers: int = 0) -> MSIQA:
    """Train in as many processes as there are; the first one writes."""
    config = settings(workers)
    accelerator = whole.make_accelerator(config)
    torch.manual_seed(0)
    network = MSIQA(config.model())
    run = RunFolder(folder, writes=accelerator.is_main_process)
    whole.train_whole(
        network, draw, config, QualityLoss(), run, images=IMAGES, accelerator=accelerator
    )
    return network


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    whole.LOG_EVERY = 1
    train(arguments.folder, arguments.workers)
