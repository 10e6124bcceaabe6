"""Measures the methods of Table 1 on the same split, and records what was found.

    python -m training.tables.table1 [--data FOLDER] [--runs FOLDER] [--only NAMES]

A method that cannot run here keeps its row, with the reason; a record that holds measured figures
is never replaced by one. `python -m training.tables.results` makes RESULTS.md of the records.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError, MSIQAError
from training.command import run_command
from training.config import read_config
from training.datasets.labelled import data_root
from training.tables.bootstrap import DRAWS
from training.tables.fold_folders import work_folder
from training.tables.logistic import Parameters
from training.tables.measuring import measure
from training.tables.methods import METHODS, CannotRun, Setting
from training.tables.quoted import quoted
from training.tables.records import (
    RECORDS,
    ROOT,
    Record,
    code_version,
    command_line,
    write_record,
)
from training.tables.registry import Competitor, read_registry
from training.tables.rows import TRIAL_REMEDY, blank_row, line, reason_of
from training.tables.splits import Split, read_split
from training.versions import versions

logger = logging.getLogger(__name__)

TABLE = "table1"
MODULE = "training.tables.table1"


@dataclass(frozen=True)
class Plan:
    """What holds for all rows of a run.

    Attributes:
        split: The pictures.
        runs: Folder of run folders.
        command: As typed.
        seed: Of everything random.
        download: Whether methods may fetch weights.
        again: Whether to train and score anew what an earlier run kept.
        draws: Of the bootstrap.
        parameters: Of the logistic curve.
        commit: The code, as it was when this process loaded it.
        trial: Whether it is a trial on few pictures, whose folders are its own.
    """

    split: Split
    runs: Path
    command: str
    seed: int = 1
    download: bool = False
    again: bool = False
    draws: int = DRAWS
    parameters: Parameters = 4
    commit: str = ""
    trial: bool = False


@dataclass(frozen=True)
class Scores:
    """What a method says, and what made it say so.

    Attributes:
        by_file: Score by file name.
        commit: The code that scored.
        seconds: What it took.
    """

    by_file: Mapping[str, float]
    commit: str
    seconds: float


def run_row(competitor: Competitor, plan: Plan) -> Record:
    """Measure one method.

    Returns:
        A record with figures, or with the reason why there are none.
    """
    blank = blank_row(
        TABLE,
        competitor.name,
        plan.split,
        command=plan.command,
        seed=plan.seed,
        commit=plan.commit,
        note=competitor.note,
    )
    try:
        scores = score(competitor, plan)
    except CannotRun as reason:
        if competitor.method == "folds-of-run" and not competitor.options.get("views"):
            run = read_config(ROOT / competitor.options["config"]).name
            return quoted(blank, plan.split, run, str(reason))
        return replace(blank, reason=str(reason))
    except InputError as error:
        return replace(blank, reason=reason_of(error))
    try:
        results = measure(
            plan.split,
            scores.by_file,
            parameters=plan.parameters,
            draws=plan.draws,
            seed=plan.seed,
        )
    except ValueError as error:
        return replace(blank, reason=f"its scores cannot be measured: {error}")
    return replace(
        blank,
        results=results,
        seconds=scores.seconds,
        commit=scores.commit,
        versions=versions(),
    )


def score(competitor: Competitor, plan: Plan) -> Scores:
    """Score every picture in the fold that leaves it out, or load the scores kept from before.

    Raises:
        CannotRun: The method has to be left out.
        InputError: A fold's folder holds another run, or data or weights are missing.
    """
    if competitor.download and not plan.download:
        raise CannotRun(f"needs a download: {competitor.download}; --download allows it")
    key = {
        "data": plan.split.data.digest,
        "split": plan.split.name,
        "seed": plan.seed,
        "method": competitor.method,
        "options": json.loads(json.dumps(dict(competitor.options))),
    }
    kept = work_folder(plan.runs, trial=plan.trial) / TABLE / f"{competitor.name}.json"
    if kept.is_file() and not plan.again:
        stored = json.loads(kept.read_text(encoding="utf-8"))
        if stored["key"] == key:
            logger.info("%s: scores of an earlier run (--again computes anew)", competitor.name)
            return Scores(stored["scores"], stored["commit"], stored["seconds"])
    start = time.monotonic()
    options = {**competitor.options, "row": competitor.name}
    method = METHODS[competitor.method](
        Setting(plan.runs, plan.download, plan.seed, options, again=plan.again, trial=plan.trial)
    )
    scores: dict[str, float] = {}
    for fold in plan.split.folds:
        logger.info("%s: %d pictures of %s", competitor.name, len(fold.held_out), fold.patient)
        scores |= method.predict(fold)
    found = Scores(scores, plan.commit, round(time.monotonic() - start, 1))
    made = {"key": key, "commit": found.commit, "seconds": found.seconds, "scores": scores}
    with atomic_path(kept) as part:
        part.write_text(json.dumps(made, indent=0), encoding="utf-8")
    return found


def chosen(names: Sequence[str]) -> tuple[Competitor, ...]:
    """The rows of these names, or all.

    Raises:
        MSIQAError: A name is unknown.
    """
    rows = read_registry().petct
    unknown = sorted(set(names) - {row.name for row in rows})
    if unknown:
        known = ", ".join(row.name for row in rows)
        raise MSIQAError(f"Table 1 has no row {', '.join(unknown)}. It has {known}.")
    return tuple(row for row in rows if not names or row.name in names)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run rows from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of PET-CT-IQA-DS; else $MSIQA_DATA's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows to run")
    parser.add_argument("--download", action="store_true", help="let methods fetch their weights")
    parser.add_argument("--again", action="store_true", help="train and score anew")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the bootstrap")
    parser.add_argument("--logistic", type=int, choices=(4, 5), default=4, help="its parameters")
    parser.add_argument("--images", type=int, default=0, help="of each patient, for a trial")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    given = parser.parse_args(arguments)
    if given.images and given.records == RECORDS:
        parser.error(TRIAL_REMEDY)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _run(given, command_line(MODULE, arguments))


def _run(given: argparse.Namespace, command: str) -> None:
    """Measure and record the rows that were asked for."""
    rows = chosen(given.only)
    plan = Plan(
        split=read_split(given.data or data_root() / "pet-ct-iqa-ds", at_most=given.images),
        runs=given.runs,
        command=command,
        seed=given.seed,
        download=given.download,
        again=given.again,
        draws=given.draws,
        parameters=given.logistic,
        commit=code_version(),
        trial=bool(given.images),
    )
    for competitor in rows:
        record = run_row(competitor, plan)
        write_record(record, given.records)
        logger.info("%s", line(record))


if __name__ == "__main__":
    run_command(main)
