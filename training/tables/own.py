"""This project's network in Table 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import SHIPPED
from training.batched_scores import score_in_batches
from training.branch_features import load_features
from training.config import read_config
from training.datasets.labelled import Fold, patients
from training.pretrain import BRANCHES
from training.run_folder import RunFolder
from training.score_fit import fit_without
from training.several_views import VIEWS, score_views
from training.tables.methods import CannotRun, Setting
from training.tables.records import ROOT


class FoldsOfRun:
    """MS-IQA on frozen backbones, its regressor fitted to each fold's training patients.

    It is what `training.crossvalidate` does, from the features that a training run has stored.

    Args:
        setting: Its options name the run's configuration and, where a score is to be the mean over
            several views of a picture, which (`training.several_views`).

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
        self._views = setting.options.get("views", "")

    def predict(self, fold: Fold) -> dict[str, float]:
        """Fit and score; see :class:`~training.tables.methods.Method`."""
        self._check(fold)
        fit = fit_without(self._config, self._stored, self._folder, fold)
        if self._views:
            size = self._config.input_size
            scores = score_views(fit.network, fold.held_out, VIEWS[self._views], size)
        else:
            scores, _ = fit.predict(fold.patient)
        own = [i.path.name for i in fold.held_out]
        return dict(zip(own, (float(s) for s in scores), strict=True))

    def _check(self, fold: Fold) -> None:
        """Refuse pictures that are not the run's: its stored features stand for its own alone.

        Raises:
            CannotRun: The fold leaves out more or less than a patient, or the list is another one.
        """
        if {image.patient for image in fold.held_out} != {fold.patient}:
            raise CannotRun(
                "the list's own split leaves out no single patient, and the run's features are "
                "of networks that each left out one"
            )
        everyone = (*fold.training, *fold.held_out)
        labelled, step = self._stored.labelled, self._config.fusion.labelled_views
        owners, scores = labelled.owner[::step], labelled.score[::step].tolist()
        for patient in {*owners, *patients(everyone)}:
            of_run = [s for owner, s in zip(owners, scores, strict=True) if owner == patient]
            given = [i.score for i in everyone if i.patient == patient]
            if len(of_run) != len(given) or not np.allclose(of_run, given, atol=1e-4):
                raise CannotRun(
                    f"{self._folder.path} holds features of the {len(scores)} pictures of "
                    f"{self._config.data.labelled}, patients {', '.join(sorted(set(owners)))}, "
                    f"and these {len(everyone)} are not the same; measure all of them, or train "
                    "on these"
                )


class FinishedWeights:
    """A weights file, as `msiqa score` uses it.

    Args:
        weights: The file; the shipped one by default.

    Raises:
        CannotRun: It is not there.
    """

    def __init__(self, weights: Path = SHIPPED) -> None:
        if not weights.is_file():
            raise CannotRun(f"{weights.name} is not there")
        self._scorer = NetworkScorer(load_model(weights), choose_device())

    def predict(self, fold: Fold) -> dict[str, float]:
        """Score; see :class:`~training.tables.methods.Method`."""
        pictures = (image.read() for image in fold.held_out)
        rows = score_in_batches(self._scorer, pictures, self._scorer.device.batch_size)
        return {i.path.name: row.score for i, row in zip(fold.held_out, rows, strict=True)}
