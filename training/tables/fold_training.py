"""Trains a whole network on a fold's scores and measures it on the pictures left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from training.config import TrainingConfig
from training.datasets.labelled import Fold
from training.evaluation import SCALES, score_images
from training.run_folder import RunFolder
from training.run_sources import keep_labelled
from training.score_fit import quality_loss
from training.scored_pictures import ScoredPictures
from training.whole import train_whole


def train_on_fold(
    network: nn.Module, config: TrainingConfig, fold: Fold, runs: Path
) -> dict[str, float]:
    """Train from the fold's last checkpoint, where there is one, and score what is left out.

    Args:
        network: Takes (N, 3, 224, 224) and gives something with a `score` (N,), in the units
            that `config.whole.target` names.
        config: Its `whole` and `loss` hold; the fold's run folder is named after `name`.
        fold: No picture of its `held_out` is trained on.
        runs: Folder of run folders.

    Returns:
        Scores by file name.

    Raises:
        InputError: The fold's folder holds a run with another configuration or on other pictures,
            of another data set or a trial, which may have trained on what this fold leaves out.
    """
    own = replace(
        config,
        name=f"{config.name}-without-{fold.patient}",
        data=replace(config.data, held_out=(fold.patient,)),
    )
    folder = RunFolder(runs / own.name)
    folder.save_config(own)
    keep_labelled(folder, fold.training)
    draw = ScoredPictures(fold.training, (), own.whole, seed=own.seed)
    train_whole(network, draw, own, quality_loss(own), folder)
    scores = score_images(network.eval(), fold.held_out, SCALES[own.whole.target])
    return {i.path.name: float(s) for i, s in zip(fold.held_out, scores, strict=True)}
