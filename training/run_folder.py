"""The folder of a run: configuration, log, checkpoints, metrics."""

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
from training.config import TrainingConfig

logger = logging.getLogger(__name__)


class RunFolder:
    """Reads and writes what belongs to a run.

    Args:
        path: The folder; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def save_config(self, config: TrainingConfig) -> None:
        """Record the configuration."""
        plain = json.loads(json.dumps(config.to_dict()))
        with atomic_path(self.path / "config.yaml") as part:
            part.write_text(yaml.safe_dump(plain, sort_keys=False))

    def checkpoint(self, name: str) -> Path:
        """Where the checkpoint of a part of the run lies."""
        return self.path / f"{name}.ckpt"

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, whole or not at all."""
        with atomic_path(self.checkpoint(name)) as part:
            torch.save(dict(state), part)

    def load(self, name: str) -> dict[str, Any] | None:
        """Read a checkpoint, or give None where there is none. Runs no code from the file."""
        path = self.checkpoint(name)
        if not path.is_file():
            return None
        return torch.load(path, map_location="cpu", weights_only=True)

    def log(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a row to `name`.csv."""
        path = self.path / f"{name}.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as out:
            writer = csv.DictWriter(out, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        logger.info("%s %s", name, " ".join(f"{k}={v}" for k, v in row.items()))

    def save_metrics(self, name: str, metrics: Mapping[str, Any]) -> None:
        """Write `name`.json."""
        with atomic_path(self.path / f"{name}.json") as part:
            part.write_text(json.dumps(metrics, indent=2) + "\n")


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
