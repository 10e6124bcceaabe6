"""The folder of a run: configuration, environment, logs, checkpoints, metrics."""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from training.config import TrainingConfig, read_config
from training.provenance import environment

logger = logging.getLogger(__name__)

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
SOURCES = "sources.json"
TENSORBOARD = "tensorboard"
HOW = frozenset(
    {"threads", "checkpoint_minutes", "whole.workers", "whole.evaluate_epochs", "data.cache"}
)
"""Options that say how a run is carried out, not what comes out of it; they may change."""

LONGEST = 80
"""Characters of an option and its values in a message."""


class RunFolder:
    """Reads and writes what belongs to a run.

    Args:
        path: The folder; made where it is missing.
        writes: False in processes that leave the writing to another one: they only read.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self._writes = writes
        self._board: Any = None
        path.mkdir(parents=True, exist_ok=True)

    def save_config(self, config: TrainingConfig) -> None:
        """Record the configuration.

        Raises:
            InputError: The folder holds a run with another one; the message names the options.
        """
        path = self.path / CONFIG
        plain = json.loads(json.dumps(config.to_dict()))
        if path.is_file():
            changed = _differences(read_config(path), config)
            if changed:
                raise InputError(
                    path,
                    f"this run was begun with another configuration ({'; '.join(changed)})",
                    "Give the new run another name, or remove this folder to begin anew",
                )
        if self._writes:
            with atomic_path(path) as part:
                part.write_text(yaml.safe_dump(plain, sort_keys=False))

    def sources(self) -> dict[str, str]:
        """Digests of what the run was begun with, by name; what is not known is not in it."""
        path = self.path / SOURCES
        return json.loads(path.read_text()) if path.is_file() else {}

    def begun_with(self, name: str, digest: str) -> bool:
        """Say whether the run was begun with this; note it where the folder knows of none yet.

        Args:
            name: Of the kind of thing.
            digest: Of the thing itself.
        """
        known = self.sources()
        if name not in known and self._writes:
            with atomic_path(self.path / SOURCES) as part:
                part.write_text(json.dumps(known | {name: digest}, indent=2) + "\n")
        return known.get(name, digest) == digest

    def record_start(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Add commit, versions and devices of this start to `environment.json`.

        Args:
            more: What else to record.

        Returns:
            What was recorded of this start.
        """
        path = self.path / ENVIRONMENT
        starts = json.loads(path.read_text()) if path.is_file() else []
        start = environment() | dict(more)
        if self._writes:
            with atomic_path(path) as part:
                part.write_text(json.dumps([*starts, start], indent=2) + "\n")
        return start

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint of a part of the run lies."""
        return self.path / f"{name}.ckpt"

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, whole or not at all."""
        if self._writes:
            with atomic_path(self.checkpoint(name)) as part:
                torch.save(dict(state), part)

    def load(self, name: str, *, mapped: bool = False) -> dict[str, Any] | None:
        """Read a checkpoint, or give None where there is none. Runs no code from the file.

        Args:
            name: Of the part of the run.
            mapped: Leave the tensors in the file until they are used, so that what is gigabytes
                large takes no memory beside what is made of it.
        """
        path = self.checkpoint(name)
        if not path.is_file():
            return None
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)

    def log(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a row to `name`.csv, and show its figures in TensorBoard where it has a step."""
        if not self._writes:
            return
        path = self.path / f"{name}.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as out:
            writer = csv.DictWriter(out, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        if self._board is not None and "step" in row:
            for key in row.keys() - {"step"}:
                self._board.add_scalar(f"{name}/{key}", row[key], row["step"])
        logger.info("%s %s", name, " ".join(f"{k}={v}" for k, v in row.items()))

    def rewind(self, name: str, step: int, phase: int | None = None) -> None:
        """Drop what `name`.csv says of the steps after `step`, which are about to be repeated.

        A process that was killed may have logged more than its last checkpoint holds, and half a
        last line. Of steps that are there more than once, the last attempt counts.

        Args:
            name: Of the log.
            step: The last one that is kept.
            phase: Where each phase counts its steps anew: the one that `step` is of, as in the
                log's column `phase`; earlier phases are kept, later ones dropped.
        """
        path = self.path / f"{name}.csv"
        if not self._writes or not path.is_file():
            return
        with path.open(newline="") as lines:
            reader = csv.DictReader(lines)
            columns = list(reader.fieldnames or ())
            placed = [(_place(row, phase is not None), row) for row in reader]
        kept = {place: row for place, row in placed if place and place <= (phase or 0, step)}
        with atomic_path(path) as part, part.open("w", newline="") as out:
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(kept[place] for place in sorted(kept))

    def open_board(self, step: int) -> None:
        """Also log to TensorBoard, which forgets what it has of the steps after `step`."""
        if self._writes and self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            _outwait(self.path / TENSORBOARD)
            self._board = SummaryWriter(self.path / TENSORBOARD, purge_step=step + 1)

    def close_board(self) -> None:
        """Write what TensorBoard has not written yet."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def save_metrics(self, name: str, metrics: Mapping[str, Any]) -> None:
        """Write `name`.json."""
        if self._writes:
            with atomic_path(self.path / f"{name}.json") as part:
                part.write_text(json.dumps(metrics, indent=2) + "\n")


def _place(row: Mapping[Any, Any], has_phase: bool) -> tuple[int, int] | None:
    """Phase and step of a log's row; None for half a line, or one that runs into the next."""
    if None in row or None in row.values():
        return None
    try:
        return (int(row["phase"]) if has_phase else 0), int(row["step"])
    except ValueError:
        return None


def _outwait(board: Path) -> None:
    """Wait until the second is over in which the newest file of a TensorBoard folder was begun.

    TensorBoard reads files in the order of their names, which give that second and then process and
    count as text, where 10 comes before 9: what is to be forgotten could be read last.
    """
    begun = [int(file.name.split(".")[3]) for file in board.glob("events.out.tfevents.*")]
    while int(time.time()) in begun:
        time.sleep(0.05)


def _differences(old: TrainingConfig, new: TrainingConfig) -> list[str]:
    """Name the options that decide what comes out and differ, with both values if these are short.

    An option that the older file lacks counts as what it is by default.
    """
    before, after = _flat(old.to_dict()), _flat(new.to_dict())
    changed = []
    for key in after:
        if key not in HOW and before[key] != after[key]:
            values = f"{key}: {before[key]!r} then, {after[key]!r} now"
            changed.append(values if len(values) < LONGEST else key)
    return changed


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


class Timer:
    """Says when it is time for the next checkpoint.

    Args:
        minutes: Between two.
    """

    def __init__(self, minutes: float) -> None:
        self._seconds = minutes * 60
        self._start = self._last = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def due(self) -> bool:
        """Whether the time has come; starts the next wait if so."""
        if time.monotonic() - self._last < self._seconds:
            return False
        self._last = time.monotonic()
        return True
