"""The authors' released checkpoint: its keys, and its way into this project's network."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from MSIQALib.errors import ModelFileError
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.state import check_state

WRAPPER = "module."
"""Prefix that DataParallel puts before every key."""

DUPLICATE = "resnet.resnet50."
"""The released ResNet registers its layers twice; this prefix marks the second names."""

UNUSED_SHAPES: dict[str, tuple[int, ...]] = {
    "resnet.fc.weight": (1000, 2048),
    "resnet.fc.bias": (1000,),
    "swin_transformer.model.norm.weight": (768,),
    "swin_transformer.model.norm.bias": (768,),
}
"""Tensors of the released file that take no part in its output."""

AGCA_LAST = 5
"""The released name of the AGCA block that makes F_S is AGCA_block5."""


def convert_released(source: Path) -> MSIQA:
    """Read the authors' checkpoint into the network that it belongs to.

    Args:
        source: A PyTorch file that holds a plain state dict, its keys with or without ``module.``.

    Returns:
        The network in the ``released`` configuration, in eval mode.

    Raises:
        ModelFileError: The file cannot be read as tensors alone (nothing in it is executed), or
            keys are missing, extra or misshapen; the message names them.
    """
    return network_from_released(source, _load_tensors(source))


def network_from_released(source: Path, tensors: dict[str, torch.Tensor]) -> MSIQA:
    """Build the network from a released state dict; see :func:`convert_released`."""
    found = {key.removeprefix(WRAPPER): tensor for key, tensor in tensors.items()}
    network = MSIQA(ModelConfig(score="released", pretrained=False))
    names = _released_names(network)
    expected = {key: tuple(network.state_dict()[name].shape) for key, name in names.items()}
    # AGCA's two scales are single numbers here and 1x1 Conv1d weights there.
    expected |= {key: (1, 1, 1) for key in expected if key.endswith(_CONV1D_SCALES)}
    expected |= UNUSED_SHAPES
    expected |= {
        DUPLICATE + key.removeprefix("resnet."): shape
        for key, shape in expected.items()
        if key.startswith("resnet.")
    }
    check_state(
        source, found, expected, remedy="Give the checkpoint MSIQA.pt of the MS-IQA authors"
    )
    _check_duplicates(source, found)
    network.load_state_dict(
        {name: found[key].reshape(network.state_dict()[name].shape) for key, name in names.items()}
    )
    return network.eval()


def _load_tensors(source: Path) -> dict[str, torch.Tensor]:
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelFileError(source, "there is no such file", "Check the path") from error
    except pickle.UnpicklingError as error:
        raise ModelFileError(
            source,
            "it holds more than tensors, and loading it could run code; nothing was run",
            "Ask its makers for a plain state dict",
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ModelFileError(
            source,
            f"it is not a PyTorch checkpoint, or it is damaged ({type(error).__name__})",
            "Download or copy it again",
        ) from error
    if not isinstance(loaded, dict) or not all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    ):
        raise ModelFileError(
            source,
            "it does not hold a plain state dict",
            "Save the network's state_dict() on its own",
        )
    return loaded


def _check_duplicates(source: Path, found: dict[str, torch.Tensor]) -> None:
    for key, tensor in found.items():
        if key.startswith(DUPLICATE):
            other = "resnet." + key.removeprefix(DUPLICATE)
            if not torch.equal(tensor, found[other]):
                raise ModelFileError(
                    source,
                    f"{key} and {other} should be one tensor under two names, but differ",
                    "Give the checkpoint as its authors saved it",
                )


def _released_names(network: MSIQA) -> dict[str, str]:
    """Released key for every key of this project's network."""
    return {_released_name(name): name for name in network.state_dict()}


def _released_name(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "resnet":
        return name
    if part == "swin":
        return f"swin_transformer.model.{rest}"
    if part == "regressor":
        branch, _, layer = rest.partition(".")
        return f"fc_{branch.removesuffix('_branch')}.{layer}"
    block, _, layer = rest.partition(".")
    if block == "reduce":
        index, _, leaf = layer.partition(".")
        # Stages 1 to 3 are Sequential(conv, pool); the fourth needs no pool.
        return f"conv{int(index) + 1}.{'' if index == '3' else '0.'}{leaf}"
    if block == "attend_last":
        return f"AGCA_block{AGCA_LAST}.{_AGCA_NAMES[layer]}"
    index, _, leaf = layer.partition(".")
    return f"AGCA_block{int(index) + 1}.{_AGCA_NAMES[leaf]}"


_AGCA_NAMES = {
    "to_vertices.weight": "conv1.weight",
    "self_scale": "conv2.weight",
    "graph_scale": "conv3.weight",
    "to_channels.weight": "conv4.weight",
    "adjacency": "A2",
}

_CONV1D_SCALES = tuple(
    f"AGCA_block{block}.{_AGCA_NAMES[scale]}"
    for block in range(1, AGCA_LAST + 1)
    for scale in ("self_scale", "graph_scale")
)
