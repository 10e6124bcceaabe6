"""What every method of Table 1 does: learn from a fold where it learns, and score what is left out.

A method that cannot run here says why instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from training.datasets.labelled import Fold, mean_scores
from training.tables.fold_folders import work_folder


class CannotRun(Exception):  # noqa: N818 - it is no error of the program
    """Why a method has no figures here, in words for the table."""


@dataclass(frozen=True)
class Setting:
    """What a method may use.

    Attributes:
        runs: Folder of run folders.
        download: Whether it may fetch weights from the internet.
        seed: Of everything random.
        options: From the registry.
        again: Whether to train anew what an earlier run has trained.
        trial: Whether this is a trial on few pictures, which always trains anew.
    """

    runs: Path
    download: bool
    seed: int
    options: Mapping[str, Any]
    again: bool = False
    trial: bool = False

    @property
    def work(self) -> Path:
        """Folder of the run folders that the method itself makes."""
        return work_folder(self.runs, trial=self.trial)


class Method(Protocol):
    """Scores pictures; larger means better."""

    def predict(self, fold: Fold) -> dict[str, float]:
        """Score the pictures of `fold.held_out` by file name.

        Raises:
            CannotRun: It has to be left out, and why.
        """


class CombinationMean:
    """Knows exactly what was done to a picture, and nothing of the picture.

    The mean score of the picture's combination of distortions over the training pictures: the
    yardstick for reading the distortion alone.
    """

    def predict(self, fold: Fold) -> dict[str, float]:
        """See :class:`Method`."""
        means = mean_scores(fold.training)
        unseen = fmean(i.score for i in fold.training)
        return {i.path.name: means.get(i.distortion, unseen) for i in fold.held_out}


def _combination_mean(_: Setting) -> Method:
    return CombinationMean()


def _nothing(setting: Setting) -> Method:
    raise CannotRun(str(setting.options["reason"]))


def _niqe(_: Setting) -> Method:
    from training.tables.handcrafted import Niqe

    return Niqe()


def _brisque(setting: Setting) -> Method:
    from training.tables.handcrafted import Brisque, RefittedBrisque

    return RefittedBrisque() if setting.options.get("refitted") else Brisque()


def _network(setting: Setting) -> Method:
    from training.tables.networks import TrainedNetwork

    return TrainedNetwork(setting)


def _metric(setting: Setting) -> Method:
    from training.tables.networks import PublishedMetric

    return PublishedMetric(setting)


def _folds_of_run(setting: Setting) -> Method:
    from training.tables.own import FoldsOfRun

    return FoldsOfRun(setting)


def _shipped(_: Setting) -> Method:
    from training.tables.own import FinishedWeights

    return FinishedWeights()


METHODS: Mapping[str, Callable[[Setting], Method]] = {
    "none": _nothing,
    "combination-mean": _combination_mean,
    "niqe": _niqe,
    "brisque": _brisque,
    "network": _network,
    "metric": _metric,
    "folds-of-run": _folds_of_run,
    "shipped": _shipped,
}
"""The methods that the registry may name."""
