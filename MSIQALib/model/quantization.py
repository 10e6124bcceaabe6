"""Small weights files: 8 bits for backbones and attention, 16 for what follows them.

Backbones and AGCA: symmetric, round to nearest, one signed byte a weight and one float scale an
output channel. The fusion's convolutions and the regressor, a tenth of the weights, are stored as
float16: their rows mix channels of very different size, which one scale would not fit. All is
turned back into float32 at load, so that the network computes in floating point and only the file
is small.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

SCALE_SUFFIX = ".scale"
LARGEST = 127

EIGHT_BITS = ("resnet.", "swin.", "fusion.attend", "conv1.", "layer", "patch_embed.")
"""How the keys of backbones and attention begin, in a whole network or a backbone on its own."""

MIN_QUANTISED = 4096
"""Smaller tensors stay as they are: they weigh nothing and some of them steer a whole map."""


def quantise(
    state: Mapping[str, torch.Tensor], *, least: int = MIN_QUANTISED
) -> dict[str, torch.Tensor]:
    """Replace every large weight by int8 values and their scales, or by float16.

    Args:
        state: A network's state dict in float32.
        least: Values from which on a weight is large.

    Returns:
        For each large weight K of the former an int8 tensor K of the same shape and a float32
        tensor ``K.scale`` with one scale for each output channel (first axis); other large weights
        in float16; the rest unchanged.
    """
    packed: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        if not (tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= least):
            packed[key] = tensor
            continue
        if not key.startswith(EIGHT_BITS):
            packed[key] = tensor.half()
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
            state[key] = tensor.float() if tensor.dtype == torch.float16 else tensor
        else:
            state[key] = (tensor.flatten(1).float() * scale[:, None]).view(tensor.shape)
    return state
