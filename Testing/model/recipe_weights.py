"""Weights made by the recipe that the golden outputs of the released network were made with."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def recipe_tensor(key: str, shape: tuple[int, ...], phase: int = 0) -> torch.Tensor:
    """The floating-point tensor that the recipe gives a key of the released checkpoint."""
    canonical = key.replace("resnet.resnet50.", "resnet.")
    numel = int(np.prod(shape))
    generator = np.random.Generator(np.random.PCG64([zlib.crc32(canonical.encode()), phase]))
    z = generator.standard_normal(numel).reshape(shape)
    if key.endswith("running_var"):
        values = 1 + 0.1 * np.abs(z)
    elif key.endswith("running_mean"):
        values = 0.1 * z
    elif key.endswith("relative_position_bias_table"):
        values = 0.5 * z
    elif key.endswith("bn3.weight"):
        values = 0.2 + 0.02 * z
    elif len(shape) == 1 and key.endswith("weight"):
        values = 1 + 0.1 * z
    elif len(shape) <= 1:
        values = 0.1 * z
    elif key.endswith("A2"):
        values = 0.01 * z
    elif key == "fc_weight.3.weight":
        values = 0.02 * z
    else:
        values = z * np.sqrt(2 / (numel / shape[0]))
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def recipe_state(layout: dict[str, dict], phase: int = 0) -> dict[str, torch.Tensor]:
    """A whole released state dict; integer tensors are what a fresh network has."""
    return {
        key: recipe_tensor(key, tuple(entry["shape"]), phase)
        if "float" in entry["dtype"]
        else torch.zeros(entry["shape"], dtype=torch.int64)
        for key, entry in layout.items()
    }
