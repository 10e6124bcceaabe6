"""Everything that is needed to repeat an assessment, and nothing that names a patient."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from MSIQALib.assessment.device import Device
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.weights_info import WeightsInfo
from MSIQALib.version import __version__

PACKAGES = ("torch", "timm", "numpy", "SimpleITK", "pydicom")


def software_versions() -> dict[str, str]:
    """Versions of this program, Python and the libraries that shape the result."""
    versions = {"msiqa": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def weights_record(info: WeightsInfo) -> dict[str, Any]:
    """What identifies the weights."""
    return {
        "file": info.name,
        "sha256": info.sha256,
        "config": info.config.to_dict(),
        "preprocessing": info.preprocessing.to_dict(),
        "quantised": info.quantised,
        "provenance": dict(info.provenance),
    }


def make_record(
    *,
    ct: Volume,
    pet: Volume | None,
    options: Mapping[str, Any],
    info: WeightsInfo,
    device: Device,
    batch_size: int,
) -> dict[str, Any]:
    """Assemble the record of one run.

    Paths are left out on purpose: folders are often named after patients. Series are identified
    by their UIDs.

    Args:
        ct: The CT as read.
        pet: The PET as read; None where the CT was assessed alone.
        options: Fusion and other options by name.
        info: The weights.
        device: Where the network ran.
        batch_size: Slices at once.

    Returns:
        Plain JSON values.
    """
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "inputs": {"CT": _input(ct), "PET": None if pet is None else _input(pet)},
        "options": dict(options),
        "weights": weights_record(info),
        "device": {
            "name": device.name,
            "description": device.reason,
            "precision": "float16 autocast" if device.autocast else "float32",
            "batch_size": batch_size,
        },
        "versions": software_versions(),
    }


def _input(volume: Volume) -> dict[str, Any]:
    return {
        "series_uid": volume.series_uid,
        "frame_of_reference": volume.frame_of_reference,
        "unit": volume.unit,
        "size": list(volume.geometry.size),
        "spacing_mm": list(volume.geometry.spacing),
    }
