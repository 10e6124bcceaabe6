"""Makes the weights that are shipped: 8 bits, and proof that they score as the originals do.

    python -m training.ship runs/tolled_cpu/msiqa.safetensors

Writes Resources/Models/msiqa-petct.safetensors (or `--target`) and, beside it, the float32
originals' scores of the labelled pictures and of a phantom, which the tests compare with.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer, Picture
from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.picture import read_picture
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.model.checkpoint import load_model, save_model
from MSIQALib.model.network import MSIQA
from MSIQALib.model.quantization import dequantise, quantise
from MSIQALib.model.shipped import SHIPPED
from MSIQALib.phantom import build_phantom
from training.batched_scores import score_in_batches
from training.command import run_command
from training.datasets.labelled import data_root

logger = logging.getLogger(__name__)

LARGEST_SHIFT = 0.02
"""Likert units by which no picture's score may move."""

PHANTOM_SLICES = 8
CALIBRATION_STRIDE = 13
ORIGINAL_SCORES = ".float32-scores.json"
"""Suffix of the originals' scores, beside the weights that are shipped."""


def phantom_pictures(slices: int = PHANTOM_SLICES) -> dict[str, Picture]:
    """Fused slices of a phantom, the same everywhere, by name."""
    images = build_phantom(slices=slices)
    study = fuse_study(images.ct, images.pet)
    return {f"phantom {item.index} of {slices}": item.rgb for item in study if item.rgb is not None}


def labelled_pictures() -> dict[str, Picture]:
    """The labelled pictures by file name."""
    folder = data_root() / "pet-ct-iqa-ds" / "images"
    paths = sorted(folder.glob("*.jpg"))
    return {path.name: read_picture(path) for path in paths}


def score_all(weights: Path, pictures: Mapping[str, Picture]) -> dict[str, float]:
    """Score pictures with a weights file, as users do."""
    scorer = NetworkScorer(load_model(weights), choose_device())
    rows = score_in_batches(scorer, pictures.values(), scorer.device.batch_size)
    return {name: row.score for name, row in zip(pictures, rows, strict=True)}


@torch.inference_mode()
def rounded_for_shipping(network: MSIQA, pictures: torch.Tensor) -> MSIQA:
    """Round a network's weights as the file stores them, and make up for it in the biases.

    The fusion's convolutions take channels whose mean is far larger than their deviation, so that
    rounding shifts their outputs by a constant. The biases take that constant back.

    Args:
        network: The originals; not changed.
        pictures: Prepared pictures whose mean features serve, (N, 3, S, S).

    Returns:
        A network that :func:`save_model` stores without a further loss.
    """
    small = copy.deepcopy(network)
    small.load_state_dict(dequantise(quantise(network.state_dict())))
    means = _means_read(network, pictures)
    for reduce, rounded, mean in zip(
        network.fusion.reduce, small.fusion.reduce, means, strict=True
    ):
        rounded.bias += (reduce.weight - rounded.weight).flatten(1) @ mean
    return small.eval()


def _means_read(network: MSIQA, pictures: torch.Tensor) -> list[torch.Tensor]:
    """Mean (C,) of what each of the fusion's convolutions reads: of the pooled stages.

    The maps that a network shows are not enough: a branch's may be enlarged there, and pooling from
    a grid that is no multiple of seven weighs cells unevenly.
    """
    read: list[list[torch.Tensor]] = [[] for _ in network.fusion.reduce]
    hooks = [
        reduce.register_forward_pre_hook(
            lambda _, given, kept=kept: kept.append(given[0].mean((2, 3)))
        )
        for reduce, kept in zip(network.fusion.reduce, read, strict=True)
    ]
    try:
        for batch in pictures.split(8):
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [torch.cat(kept).mean(0) for kept in read]


def ship(source: Path, target: Path, scores_file: Path, more: Mapping[str, Any]) -> float:
    """Write the 8-bit weights and the originals' scores.

    Args:
        source: The float32 weights.
        target: The weights to ship.
        scores_file: JSON of the originals' scores by picture.
        more: Added to the weights' provenance.

    Returns:
        The largest shift of a score, in Likert units.

    Raises:
        InputError: A score moves too far; nothing is written then.
    """
    model = load_model(source)
    pictures = labelled_pictures() | phantom_pictures()
    original = score_all(source, pictures)
    trial = target.with_name("trial-" + target.name)
    info = replace(model.info, quantised=True, provenance={**model.info.provenance, **more})
    some = [pictures[name] for name in list(pictures)[::CALIBRATION_STRIDE]]
    network = rounded_for_shipping(model.network, info.preprocessing(some))
    try:
        save_model(trial, network, info)
        small = score_all(trial, pictures)
        shift = float(np.max([abs(small[name] - original[name]) for name in pictures]))
        if shift > LARGEST_SHIFT:
            raise InputError(
                source,
                f"in 8 bits a score moves by {shift:.3f} Likert, more than {LARGEST_SHIFT}",
                "Use this file as it is; nothing was shipped",
            )
        trial.replace(target)
    finally:
        trial.unlink(missing_ok=True)
    with atomic_path(scores_file) as part:
        rounded = {name: round(score, 4) for name, score in original.items()}
        part.write_text(json.dumps(rounded, indent=0) + "\n", encoding="utf-8")
    return shift


def main() -> None:
    """Ship from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--target", type=Path, default=SHIPPED)
    parser.add_argument("--metrics", type=Path, help="JSON of the cross-validation's agreement")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    more = {}
    if arguments.metrics:
        more["cross_validation"] = json.loads(arguments.metrics.read_text(encoding="utf-8"))
    scores = arguments.target.with_suffix(ORIGINAL_SCORES)
    shift = ship(arguments.source, arguments.target, scores, more)
    size = arguments.target.stat().st_size / 2**20
    logger.info("%s: %.1f MiB, largest shift %.4f Likert", arguments.target, size, shift)


if __name__ == "__main__":
    run_command(main)
