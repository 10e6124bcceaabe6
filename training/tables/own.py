"""This project's network in Table 1."""

from __future__ import annotations

from pathlib import Path

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import SHIPPED
from training.batched_scores import score_in_batches
from training.branch_features import load_features
from training.config import read_config
from training.datasets.labelled import Fold
from training.pretrain import BRANCHES
from training.run_folder import RunFolder
from training.score_fit import fit_without
from training.tables.methods import CannotRun, Setting
from training.tables.records import ROOT


class FoldsOfRun:
    """MS-IQA on frozen backbones, its regressor fitted to each fold's training patients.

    It is what `training.crossvalidate` does, from the features that a training run has stored.

    Args:
        setting: Its options name the run's configuration.

    Raises:
        CannotRun: The run's folder lacks what it needs.
    """

    def __init__(self, setting: Setting) -> None:
        config = read_config(ROOT / setting.options["config"])
        folder = RunFolder(setting.runs / config.name)
        needed = [f"{name}-features" for name in BRANCHES]
        lacking = [name for name in needed if not folder.checkpoint(name).is_file()]
        if lacking:
            raise CannotRun(
                f"{folder.path} has no stored {', '.join(lacking)}: run python -m training.train "
                f"--config {setting.options['config']} first"
            )
        self._config, self._folder = config, folder
        self._stored = load_features(config, folder)

    def predict(self, fold: Fold) -> dict[str, float]:
        """Fit and score; see :class:`~training.tables.methods.Method`."""
        fit = fit_without(self._config, self._stored, self._folder, fold)
        scores, _ = fit.predict(fold.patient)
        own = [i.path.name for i in fold.held_out]
        return dict(zip(own, (float(s) for s in scores), strict=True))


class ShippedWeights:
    """The shipped weights, as `msiqa score` uses them."""

    def __init__(self, weights: Path = SHIPPED) -> None:
        if not weights.is_file():
            raise CannotRun(f"{weights.name} is not there")
        self._scorer = NetworkScorer(load_model(weights), choose_device())

    def predict(self, fold: Fold) -> dict[str, float]:
        """Score; see :class:`~training.tables.methods.Method`."""
        pictures = (image.read() for image in fold.held_out)
        rows = score_in_batches(self._scorer, pictures, self._scorer.device.batch_size)
        return {i.path.name: row.score for i, row in zip(fold.held_out, rows, strict=True)}
