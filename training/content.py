"""The clean slices that a configuration names."""

from __future__ import annotations

from pathlib import Path

from training.config import TrainingConfig
from training.datasets.clean_slices import CleanSlice, phantom_slices, read_volumes
from training.datasets.labelled import data_root
from training.run_folder import RunFolder


def read_slices(config: TrainingConfig, folder: RunFolder) -> tuple[CleanSlice, ...]:
    """Read the clean volumes, through the cache where the configuration names one.

    Phantoms are repeated until they are drawn about as often as the volumes.
    """
    cache = cache_folder(config, folder)
    volumes = read_volumes(data_root() / config.data.volumes, cache)
    phantoms = phantom_slices(config.data.phantoms, cache)
    return volumes + phantoms * (round(len(volumes) / len(phantoms)) if phantoms else 0)


def cache_folder(config: TrainingConfig, folder: RunFolder) -> Path | None:
    """Where arrays are kept that load faster than images; None for nowhere."""
    return folder.path.parent / config.data.cache if config.data.cache else None
