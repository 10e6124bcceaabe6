"""Versions of what a run's numbers depend on."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = (
    "torch",
    "timm",
    "accelerate",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "safetensors",
    "pyiqa",
    "scikit-learn",
)


def versions() -> dict[str, str]:
    """Python's and the packages' versions, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
