"""What a training run's folder tells of how it was trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from MSIQALib.errors import InputError
from training.git import ROOT
from training.run_folder import CONFIG, ENVIRONMENT, SOURCES
from training.run_sources import LABELLED
from training.tables.records import Origin

_SHORT, _SHORT_DIGEST = 9, 12
"""Digits of a commit and of a list's digest, as the records have them."""


def origin_of(run: Path) -> Origin:
    """Read command, commits, seed and data of a run.

    Args:
        run: Its folder. What it lacks of `config.yaml`, `environment.json` and `sources.json` stays
            unknown.

    Raises:
        InputError: One of them is damaged.
    """
    config = _read(run / CONFIG, yaml.safe_load, {})
    starts = _read(run / ENVIRONMENT, json.loads, [])
    labelled = _read(run / SOURCES, json.loads, {}).get(LABELLED, "")
    # As plain values: a later version of the program may not know all options of an older run.
    return Origin(
        command=f"python -m training.train --config {_configuration(run, config)}",
        commits=_commits(starts),
        seed=config.get("seed"),
        data=_data(config.get("data") or {}, labelled),
    )


def _read(path: Path, parse: Any, default: Any) -> Any:
    """Parse a file; it must hold what `default` is, which stands for a missing one."""
    if not path.is_file():
        return default
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(path, f"it cannot be read ({error})", "Name a run's folder") from error
    if not isinstance(values, type(default)):
        raise InputError(path, "it is not what a run writes", "Name a run's folder")
    return values


def _configuration(run: Path, config: Mapping[str, Any]) -> str:
    """The file that the run was begun with, or else its copy in the run's folder."""
    own = Path("training", "configs", f"{config.get('name')}.yaml")
    return str(own if (ROOT / own).is_file() else run / CONFIG)


def _commits(starts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    found = [
        str(start.get("commit", ""))[:_SHORT] + ("+changes" if start.get("dirty") else "")
        for start in starts
    ]
    return tuple(dict.fromkeys(commit for commit in found if commit))


def _data(data: Mapping[str, Any], labelled: str) -> str:
    known = f", pictures and scores {labelled[:_SHORT_DIGEST]}" if labelled else ""
    parts = [f"{data['labelled']} (scores{known})"] if data.get("labelled") else []
    parts += [str(data[key]) for key in ("volumes", "chest_ct") if data.get(key)]
    parts += [f"{data['phantoms']} phantoms"] if data.get("phantoms") else []
    held_out = data.get("held_out") or ()
    parts += [f"without {' and '.join(held_out)}"] if held_out else []
    return ", ".join(parts)
