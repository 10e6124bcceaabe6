"""Measures a run's weights on the test part of LDCTIQAC2023, for the second half of Table 1.

    python -m training.tables.ldct --run runs/ldctiqac2023 [--data FOLDER]

The run is one of training/configs/ldctiqac2023.yaml; its last weights score, not those that agreed
best with the test part. `python -m training.tables.results` shows the record beside the paper's.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.model.weights_info import WeightsInfo, read_info
from training.command import run_command
from training.datasets.labelled import Fold, data_root
from training.datasets.ldct import TEST, read_ldct
from training.tables.bootstrap import DRAWS
from training.tables.measuring import measure
from training.tables.origin import origin_of
from training.tables.own import FinishedWeights
from training.tables.records import (
    RECORDS,
    Data,
    Record,
    code_version,
    command_line,
    digest,
    write_record,
)
from training.tables.rows import blank_row, line
from training.tables.splits import Split
from training.train import WEIGHTS
from training.versions import versions

logger = logging.getLogger(__name__)

TABLE, ROW = "table1", "ms-iqa-ldct"
MODULE = "training.tables.ldct"
FOLDER = "ldctiqac2023"
"""Of the set, in the data root."""


def read_test_part(folder: Path) -> Split:
    """Read the set as its authors split it.

    Args:
        folder: Holds the unpacked archives; the training part may be missing.

    Raises:
        InputError: There is no test part, or the set is damaged.
    """
    images = read_ldct(folder)
    test = tuple(i for i in images if i.patient == TEST)
    training = tuple(i for i in images if i.patient != TEST)
    if not test:
        raise InputError(folder, "it has no test part", "Unpack the test part's archive here")
    names = {i.path.name for i in test}
    if len(names) < len(test):
        raise InputError(
            folder, "slices of its test part share a name", "Give each slice a name of its own"
        )
    return Split(
        name=f"the set's own test part, {len(test)} slices",
        images=test,
        folds=(Fold(TEST, training, test),),
        data=Data(
            name=f"{folder.name}, test part",
            images=len(test),
            digest=digest(f"{i.path.name},{i.score}" for i in test),
        ),
    )


def ldct_record(run: Path, split: Split, *, command: str, commit: str, draws: int) -> Record:
    """Score the test part with a run's last weights.

    Args:
        run: Its folder.
        split: From `read_test_part`.
        command: As typed.
        commit: The code that measures.
        draws: Of the bootstrap.

    Raises:
        InputError: There are no weights, or they do not say that the test part was left out.
    """
    start = time.monotonic()
    weights = run / WEIGHTS
    if not weights.is_file():
        raise InputError(
            weights,
            "the run has no weights yet",
            "Run python -m training.train --config training/configs/ldctiqac2023.yaml first",
        )
    info = read_info(weights)
    _check(info, weights)
    origin = origin_of(run)
    blank = blank_row(
        TABLE,
        ROW,
        split,
        command=command,
        seed=0 if origin.seed is None else origin.seed,
        commit=commit,
        note=f"Weights {weights.name}, SHA-256 {info.sha256[:12]}.",
    )
    scores = FinishedWeights(weights).predict(split.folds[0])
    return replace(
        blank,
        results=measure(split, scores, draws=draws, seed=blank.seed or 0),
        seconds=round(time.monotonic() - start, 1),
        versions=versions(),
        origin=origin,
    )


def _check(info: WeightsInfo, weights: Path) -> None:
    """Refuse weights that may have learnt the test part's scores."""
    if TEST not in info.provenance.get("held_out", ()):
        raise InputError(
            weights,
            "it does not say that the test part of LDCTIQAC2023 was left out when it was trained",
            "Train with training/configs/ldctiqac2023.yaml",
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and record from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs", FOLDER), help="the run's folder")
    parser.add_argument("--data", type=Path, help="folder of LDCTIQAC2023; else $MSIQA_DATA's")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the bootstrap")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    record = ldct_record(
        given.run,
        read_test_part(given.data or data_root() / FOLDER),
        command=command_line(MODULE, arguments),
        commit=code_version(),
        draws=given.draws,
    )
    write_record(record, given.records)
    logger.info("%s", line(record))


if __name__ == "__main__":
    run_command(main)
