"""Keeps the narrow networks that a run has taught, so that another run can begin where they are.

    python -m training.kept_parts --config training/configs/points_cpu.yaml \\
        --output training/parts/points_cpu.safetensors

Only what the network is made of is kept: no readers, no state of an optimiser.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from training.command import run_command, run_parser
from training.config import read_config
from training.datasets.labelled import data_root, patients
from training.datasets.sources import read_images
from training.run_folder import RunFolder

logger = logging.getLogger(__name__)

STAGES = "stages."


def keep_parts(folder: RunFolder, parts: Sequence[str], path: Path) -> None:
    """Write the parts of a run into one file, whole or not at all.

    Args:
        folder: Of the run.
        parts: Names of the parts.
        path: A safetensors file; folders that are missing are made.

    Raises:
        InputError: The run lacks a part.
    """
    tensors: dict[str, Tensor] = {}
    for part in parts:
        stored = folder.load(part)
        if stored is None:
            raise InputError(folder.path, f"it lacks part {part}", "Let the run teach all parts")
        for key, value in stored["learner"].items():
            if key.startswith(STAGES):
                tensors[f"{part}.{key.removeprefix(STAGES)}"] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as whole:
        safetensors.torch.save_file(tensors, whole)


def read_parts(
    path: Path, parts: Sequence[str], like: dict[str, Tensor]
) -> list[dict[str, Tensor]]:
    """Read parts that `keep_parts` has written.

    Args:
        path: The file.
        parts: Names of the parts.
        like: State of a NarrowResNet; keys and shapes that each part must have.

    Raises:
        InputError: The file cannot be read, lacks a part or holds other networks.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(path, f"it cannot be read ({error})", "Name a file of parts") from error
    states = []
    for part in parts:
        state = {
            key.removeprefix(f"{part}."): value
            for key, value in tensors.items()
            if key.startswith(f"{part}.")
        }
        if not state:
            raise InputError(path, f"it has no part {part}", "Name a file of these patients' parts")
        shapes = [{k: v.shape for k, v in one.items()} for one in (state, like)]
        if shapes[0] != shapes[1]:
            raise InputError(
                path,
                f"part {part} is another network than the configuration names",
                "Give narrow.stem, narrow.widths and narrow.own_first as it was made with",
            )
        states.append(state)
    return states


def main() -> None:
    """Keep the parts of a run from the command line."""
    parser = run_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    names = patients(read_images(config.data, data_root()))
    folder = RunFolder(arguments.runs / config.name, writes=False)
    keep_parts(folder, names, arguments.output)
    logger.info("%s: parts %s", arguments.output, ", ".join(names))


if __name__ == "__main__":
    run_command(main)
