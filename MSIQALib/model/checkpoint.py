"""This project's weights files: safetensors that say what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import ModelFileError
from MSIQALib.model.network import MSIQA
from MSIQALib.model.quantization import dequantise, quantise
from MSIQALib.model.state import check_state
from MSIQALib.model.weights_info import REMEDY, WeightsInfo, read_info


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode and what its file says of it."""

    network: MSIQA
    info: WeightsInfo


def save_model(path: Path, network: MSIQA, info: WeightsInfo) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: Where to, with the suffix .safetensors.
        network: The network; its configuration must be the one that ``info`` names.
        info: What to say of the weights. ``info.quantised`` decides between float32 and 8 bits.

    Raises:
        OutputError: The file cannot be written.
        ValueError: Network and description do not belong together.
    """
    if replace(network.config, pretrained=False) != replace(info.config, pretrained=False):
        raise ValueError("The network was built from another configuration than info.config")
    state = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
    if info.quantised:
        state = quantise(state)
    with atomic_path(path) as part:
        save_file(
            {key: tensor.contiguous() for key, tensor in state.items()},
            part,
            metadata=info.to_metadata(),
        )


def load_model(path: Path) -> LoadedModel:
    """Read a weights file.

    Args:
        path: A safetensors file of this project, float32 or 8 bits.

    Returns:
        The network in eval mode, float32 on the CPU, with its description.

    Raises:
        ModelFileError: The file cannot be read or does not match its own configuration.
    """
    info = read_info(path)
    network = MSIQA(replace(info.config, pretrained=False))
    state = dequantise(load_file(path))
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    check_state(path, state, expected, remedy=REMEDY)
    network.load_state_dict(state)
    try:
        network.set_input_size(info.preprocessing.size)
    except ValueError as error:
        raise ModelFileError(path, str(error), REMEDY) from error
    return LoadedModel(network.eval(), info)
