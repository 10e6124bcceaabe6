"""Where a run comes from: the source's commit, the environment, the device."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from typing import Any

import torch

from training.git import UNKNOWN, git
from training.versions import versions


def commit() -> str:
    """The commit of the source that runs, or "unknown" where it is no git checkout."""
    return git("rev-parse", "HEAD") or UNKNOWN


def is_dirty() -> bool:
    """Whether tracked files of the source differ from that commit."""
    return bool(git("status", "--porcelain", "--untracked-files=no"))


def environment() -> dict[str, Any]:
    """Everything but configuration and data that decides what a run gives; plain JSON values."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "dirty": is_dirty(),
        "versions": versions(),
        "platform": platform.platform(),
        "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
    }
