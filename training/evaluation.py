"""Scores labelled images with a network, as they are, and says how well it agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from MSIQALib.likert import SCORE_RANGE
from MSIQALib.model.weights_info import ScoreScale
from training.config import Target
from training.datasets.distorted import INPUT_SIZE, normalise
from training.datasets.labelled import LabelledImage
from training.global_batch import process_count, process_number
from training.metrics import Agreement, agreement
from training.scored_pictures import InputPictures

BATCH = 16

SCALES: dict[Target, ScoreScale] = {
    "likert": ScoreScale(offset=SCORE_RANGE[0], factor=1.0),
    "unit": ScoreScale(offset=SCORE_RANGE[0], factor=SCORE_RANGE[1] - SCORE_RANGE[0]),
}
"""How what a network has learnt to say becomes Likert units."""


@torch.inference_mode()
def score_pictures(
    network: nn.Module, pictures: InputPictures, numbers: Sequence[int], batch: int = BATCH
) -> Tensor:
    """Score some of the pictures, on the network's device and in its own units.

    Args:
        network: In evaluation mode; gives something with a `score` (n,).
        pictures: Where they are.
        numbers: Which.
        batch: Pictures at once.

    Returns:
        (n,) float32 on the CPU.
    """
    device = next(network.parameters()).device
    scores = [torch.empty(0)]
    for first in range(0, len(numbers), batch):
        some = pictures.batch(numbers[first : first + batch]).to(device)
        scores.append(network(normalise(some)).score.float().cpu())
    return torch.cat(scores).clone()


def score_images(
    network: nn.Module,
    images: Sequence[LabelledImage],
    scale: ScoreScale = SCALES["likert"],
    batch: int = BATCH,
    size: int = INPUT_SIZE,
) -> Tensor:
    """Score labelled images as they are, in Likert units.

    Args:
        network: In evaluation mode.
        images: Which.
        scale: From the network's units to Likert.
        batch: Images at once.
        size: Height and width of the network's input.
    """
    scores = score_pictures(network, InputPictures(images, size), range(len(images)), batch)
    return scale.offset + scale.factor * scores


@dataclass(frozen=True)
class Evaluation:
    """Measures a network on images that it is not trained on, shared out to all processes.

    Attributes:
        pictures: The images.
        scale: From the network's units to Likert.
    """

    pictures: InputPictures
    scale: ScoreScale

    def __call__(self, network: nn.Module) -> Agreement:
        """Measure the agreement over all images together; the same in every process.

        Args:
            network: In evaluation mode.
        """
        given = [image.score for image in self.pictures.images]
        own = range(process_number(), len(given), process_count())
        scores = self.scale.offset + self.scale.factor * score_pictures(network, self.pictures, own)
        parts: list[list[float]] = [scores.tolist()]
        if process_count() > 1:
            parts = [[]] * process_count()
            dist.all_gather_object(parts, scores.tolist())
        predicted = [0.0] * len(given)
        for number, part in enumerate(parts):
            predicted[number :: len(parts)] = part
        return agreement(predicted, given)
