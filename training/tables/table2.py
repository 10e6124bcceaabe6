"""Trains the ablations of Table 2, one network a row and fold, and records what was found.

    python -m training.tables.table2 [--data FOLDER] [--runs FOLDER] [--only NAMES]

Each row is a file of training/configs/ablations: what differs from the full network. Training is
what training/configs/paper.yaml says (or --config). A killed run goes on from its checkpoints.
In full this takes a GPU; `--steps 2 --images 4 --random --records FOLDER` shows on a CPU that every
row runs; such a trial trains in a folder of its own, always anew.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from training.command import run_command
from training.config import TrainingConfig, read_config
from training.datasets.labelled import data_root
from training.plan import Plan
from training.score_fit import fresh_network
from training.tables.bootstrap import DRAWS
from training.tables.fold_folders import forget_fold, work_folder
from training.tables.fold_training import train_on_fold
from training.tables.measuring import measure
from training.tables.records import (
    RECORDS,
    Record,
    code_version,
    command_line,
    write_record,
)
from training.tables.registry import Published
from training.tables.rows import TRIAL_REMEDY, blank_row, line, reason_of
from training.tables.splits import Split, read_split
from training.versions import versions

logger = logging.getLogger(__name__)

TABLE = "table2"
MODULE = "training.tables.table2"
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
ABLATIONS = CONFIGS / "ablations"
FULL = "modules-1-full"
"""The row that both halves of the table begin with."""


@dataclass(frozen=True)
class Ablation:
    """A row.

    Attributes:
        name: Of its file.
        title: In the table.
        paper: The paper's figures.
        model: What differs from the full network.
    """

    name: str
    title: str
    paper: Published
    model: Mapping[str, Any]

    def network(self, config: TrainingConfig) -> MSIQA:
        """A fresh network of this row.

        Raises:
            InputError: ImageNet weights are wanted and cannot be fetched.
        """
        return fresh_network(replace(config, network=replace(config.network, **self.model)))


def read_ablations(folder: Path = ABLATIONS) -> tuple[Ablation, ...]:
    """Read the rows by file name.

    Raises:
        InputError: A file is no row, or an option is none of the network's.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.yaml")))


def _read(path: Path) -> Ablation:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        ModelConfig.from_dict(values["model"])
        return Ablation(
            path.stem, values["title"], Published(**values["paper"]), dict(values["model"])
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"it is no row of Table 2 ({error})", "Correct it") from error


def run_row(
    ablation: Ablation,
    split: Split,
    config: TrainingConfig,
    runs: Path,
    *,
    command: str,
    draws: int = DRAWS,
    again: bool = False,
) -> Record:
    """Train and measure one row on every fold.

    Args:
        ablation: The row.
        split: The pictures.
        config: How each fold is trained.
        runs: Folder of the folds' run folders.
        command: As typed.
        draws: Of the bootstrap.
        again: Whether to train folds anew that an earlier run has begun.

    Returns:
        A record with figures, or with the reason why there are none.
    """
    start = time.monotonic()
    blank = blank_row(
        TABLE, ablation.name, split, command=command, seed=config.seed, commit=code_version()
    )
    own = replace(config, name=f"{TABLE}-{config.name}-{ablation.name}")
    scores: dict[str, float] = {}
    try:
        for fold in split.folds:
            if again:
                forget_fold(runs, own.name, fold)
            scores |= train_on_fold(ablation.network(own), own, fold, runs)
    except InputError as error:
        return replace(blank, reason=reason_of(error))
    try:
        results = measure(split, scores, draws=draws, seed=config.seed)
    except ValueError as error:
        return replace(blank, reason=f"its scores cannot be measured: {error}")
    whole = config.whole
    steps = Plan(whole, len(split.folds[0].training)).steps
    return replace(
        blank,
        results=results,
        seconds=round(time.monotonic() - start, 1),
        versions=versions(),
        note=(
            f"{steps} steps of {whole.batch} for a fold, {whole.optimiser} at "
            f"{whole.learning_rate:g}, {'ImageNet' if config.pretrained else 'random'} weights "
            "at the start."
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run rows from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of PET-CT-IQA-DS; else $MSIQA_DATA's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    parser.add_argument("--config", type=Path, default=CONFIGS / "paper.yaml")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows to run")
    parser.add_argument("--again", action="store_true", help="train anew what was begun")
    parser.add_argument("--random", action="store_true", help="no ImageNet weights")
    parser.add_argument("--steps", type=int, default=0, help="fewer steps, for a trial")
    parser.add_argument("--images", type=int, default=0, help="of each patient, for a trial")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the bootstrap")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    given = parser.parse_args(arguments)
    if (given.images or given.steps) and given.records == RECORDS:
        parser.error(TRIAL_REMEDY)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _run(given, command_line(MODULE, arguments))


def _run(given: argparse.Namespace, command: str) -> None:
    """Train and record the rows that were asked for."""
    config = read_config(given.config)
    config = replace(config, pretrained=config.pretrained and not given.random)
    if given.steps:
        batch = min(config.whole.batch, given.images or config.whole.batch)
        config = replace(
            config, whole=replace(config.whole, steps=given.steps, batch=batch, workers=0)
        )
    rows = read_ablations()
    unknown = sorted(set(given.only) - {row.name for row in rows})
    if unknown:
        known = ", ".join(row.name for row in rows)
        raise MSIQAError(f"Table 2 has no row {', '.join(unknown)}. It has {known}.")
    split = read_split(given.data or data_root() / "pet-ct-iqa-ds", at_most=given.images)
    trial = bool(given.images or given.steps)
    for row in rows:
        if not given.only or row.name in given.only:
            record = run_row(
                row,
                split,
                config,
                work_folder(given.runs, trial=trial),
                command=command,
                draws=given.draws,
                again=given.again or trial,
            )
            write_record(record, given.records)
            logger.info("%s", line(record))


if __name__ == "__main__":
    run_command(main)
