"""What weights say of the data that they were trained on."""

from __future__ import annotations

from pathlib import Path

from training.config import TrainingConfig
from training.datasets.labelled import data_root

LABELLED = {"pet-ct-iqa-ds": "PET-CT-IQA-DS", "ldctiqac2023": "LDCTIQAC2023"}
"""Published sets by their usual folder; whatever lies in another one is called as that is."""

VOLUMES = {"sts-nifti": "Soft-tissue-Sarcoma PET/CT"}
"""Likewise."""


def name_data(config: TrainingConfig) -> str:
    """Name the labelled set and, where freshly distorted pictures take part, their content."""
    labels = f"{_named(LABELLED, config.data.labelled)} (labels)"
    if not (config.fusion.pictures or config.whole.fresh):
        return labels
    return f"{labels}; {_content(config)}"


def _content(config: TrainingConfig) -> str:
    """Say what the freshly distorted pictures show."""
    data = config.data
    shown = {
        _named(VOLUMES, data.volumes): bool(data.volumes),
        "CT of the chest": bool(data.chest_ct) and (data_root() / data.chest_ct).is_dir(),
        "phantoms": data.phantoms > 0,
    }
    return f"{', '.join(name for name, there in shown.items() if there)} (content)"


def _named(known: dict[str, str], folder: str) -> str:
    """The published name of a folder's data, else the folder's own name without its place."""
    return known.get(folder) or Path(folder).name
