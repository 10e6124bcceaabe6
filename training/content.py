"""The clean slices that a configuration names."""

from __future__ import annotations

from pathlib import Path

from training.config import TrainingConfig
from training.datasets.chest_ct import read_chest_ct
from training.datasets.clean_slices import CleanSlice, phantom_slices, read_volumes
from training.datasets.labelled import data_root
from training.datasets.volume_pairs import find_pairs
from training.run_folder import RunFolder


def read_slices(config: TrainingConfig, folder: RunFolder) -> tuple[CleanSlice, ...]:
    """Read the clean volumes, through the cache where the configuration names one.

    Phantoms are repeated until they are drawn about as often as the volumes, CT of the chest until
    it has its share.
    """
    cache = cache_folder(config, folder)
    volumes = read_volumes(data_root() / config.data.volumes, cache)
    phantoms = phantom_slices(config.data.phantoms, cache)
    usual = volumes + phantoms * (round(len(volumes) / len(phantoms)) if phantoms else 0)
    share = config.data.chest_ct_share
    if not config.data.chest_ct or not 0 < share < 1:
        return usual
    chest = read_chest_ct(data_root() / config.data.chest_ct, cache)
    wanted = share / (1 - share) * len(usual)
    return usual + chest * (max(1, round(wanted / len(chest))) if chest else 0)


def ladder_slices(config: TrainingConfig, slices: tuple[CleanSlice, ...]) -> tuple[CleanSlice, ...]:
    """Leave out the studies on which the order of ladders is measured.

    Args:
        config: `fusion.ladder_held_out` says how many of the last studies these are.
        slices: From `read_slices`.
    """
    count = config.fusion.ladder_held_out
    if not count:
        return slices
    studies = find_pairs(data_root() / config.data.volumes)
    left_out = {pair.name for pair in studies[-count:]}
    return tuple(clean for clean in slices if clean.source not in left_out)


def cache_folder(config: TrainingConfig, folder: RunFolder) -> Path | None:
    """Where arrays are kept that load faster than images; None for nowhere."""
    return folder.path.parent / config.data.cache if config.data.cache else None
