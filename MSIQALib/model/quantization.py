"""Weights in 8 bits: one signed byte a weight and one float scale a group.

Symmetric, round to nearest, dequantised at load, so that the network computes in floating point
and only the file is small.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

SCALE_SUFFIX = ".scale"
LARGEST = 127

MIN_QUANTISED = 4096
"""Smaller tensors stay as they are: they weigh nothing and some of them steer a whole map."""


def quantise(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Replace every large weight by int8 values and their scales.

    Args:
        state: A network's state dict in float32.

    Returns:
        For each quantised key K an int8 tensor K of the same shape and a float32 tensor
        ``K.scale`` with one scale for each output channel (first axis); the rest unchanged.
    """
    packed: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        if not (tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= MIN_QUANTISED):
            packed[key] = tensor
            continue
        rows = tensor.float().flatten(1)
        scale = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LARGEST
        packed[key] = (rows / scale[:, None]).round_().to(torch.int8).view(tensor.shape)
        packed[key + SCALE_SUFFIX] = scale
    return packed


def dequantise(packed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Undo :func:`quantise`; tensors without a scale pass through.

    Returns:
        A state dict in float32.
    """
    state: dict[str, torch.Tensor] = {}
    for key, tensor in packed.items():
        if key.endswith(SCALE_SUFFIX):
            continue
        scale = packed.get(key + SCALE_SUFFIX)
        if scale is None:
            state[key] = tensor
        else:
            state[key] = (tensor.flatten(1).float() * scale[:, None]).view(tensor.shape)
    return state
