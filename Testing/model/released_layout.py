"""The keys and shapes of the authors' checkpoint, written out from its description.

ResNet from torchvision under two names, Swin from timm without its head, and the rest by hand.
"""

from __future__ import annotations

import timm
import torch
import torchvision

REDUCED = (176, 352, 704, 1408)


def released_shapes() -> dict[str, tuple[int, ...]]:
    """Shape by key, all 852 of them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for key, tensor in torchvision.models.resnet50(weights=None).state_dict().items():
        shapes[f"resnet.{key}"] = shapes[f"resnet.resnet50.{key}"] = tuple(tensor.shape)
    swin = timm.create_model("swin_tiny_patch4_window7_224", pretrained=False)
    for key, tensor in swin.state_dict().items():
        if not key.startswith("head."):
            shapes[f"swin_transformer.model.{key}"] = tuple(tensor.shape)
    for number, channels in enumerate(REDUCED, start=1):
        prefix = f"conv{number}." if number == 4 else f"conv{number}.0."
        shapes[prefix + "weight"] = (channels, 2 * channels, 1, 1)
        shapes[prefix + "bias"] = (channels,)
    for number, channels in enumerate((*REDUCED, 768), start=1):
        block = f"AGCA_block{number}."
        shapes[block + "conv1.weight"] = (channels // 4, channels, 1, 1)
        shapes[block + "conv2.weight"] = shapes[block + "conv3.weight"] = (1, 1, 1)
        shapes[block + "conv4.weight"] = (channels, channels // 4, 1, 1)
        shapes[block + "A2"] = (channels // 4, channels // 4)
    for branch in ("fc_score", "fc_weight"):
        shapes |= {f"{branch}.0.weight": (384, 768), f"{branch}.0.bias": (384,)}
        shapes |= {f"{branch}.3.weight": (1, 384), f"{branch}.3.bias": (1,)}
    return shapes


def released_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of that layout; the two names of each ResNet tensor share it."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for key, shape in released_shapes().items():
        twin = key.replace("resnet.resnet50.", "resnet.")
        if twin != key and twin in state:
            state[key] = state[twin]
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
        else:
            state[key] = 0.01 * torch.rand(shape, generator=generator)
    return state
