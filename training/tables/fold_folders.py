"""Where Tables 1 and 2 train their folds, and how a fold is begun anew."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from MSIQALib.errors import OutputError
from training.datasets.labelled import Fold
from training.run_folder import CONFIG

logger = logging.getLogger(__name__)

TRIAL = "trial"


def work_folder(runs: Path, *, trial: bool) -> Path:
    """The folder of the tables' own run folders.

    A trial has one to itself: what it leaves there neither stops nor enters the full command.
    """
    return runs / TRIAL if trial else runs


def forget_fold(runs: Path, name: str, fold: Fold) -> None:
    """Remove the run folder of a fold, so that `train_on_fold` begins anew.

    Args:
        runs: Folder of run folders.
        name: Of the configuration that is trained.
        fold: Whose folder `train_on_fold` names after it.

    Raises:
        OutputError: It cannot be removed.
    """
    folder = runs / f"{name}-without-{fold.patient}"
    if not (folder / CONFIG).is_file():  # no run's folder; nothing of ours to remove
        return
    logger.info("removing %s to train it anew", folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(folder, f"it cannot be removed ({error})", "Remove it by hand") from error
