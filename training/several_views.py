"""Scores averaged over several views of a picture: what a dearer assessment would gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from training.datasets.distorted import INPUT_SIZE, normalise, shrink, to_tensor
from training.datasets.labelled import LabelledImage
from training.distortions import Picture

BATCH = 16

View = Callable[[Picture], Picture]


def mirrored(picture: Picture) -> Picture:
    """Exchange left and right of (H, W, 3)."""
    return np.ascontiguousarray(picture[:, ::-1])


def shifted(down: int, right: int) -> View:
    """Move pictures by whole pixels; what comes in at the edge repeats it.

    Resizing 512 pixels to 224 without antialiasing reads some pixels hardly at all. After a shift
    these are others.
    """

    def shift(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        return np.pad(picture, ((down, 0), (right, 0), (0, 0)), mode="edge")[:height, :width]

    return shift


VIEWS: Mapping[str, tuple[View, ...]] = {
    "mirrored": (shifted(0, 0), mirrored),
    "shifted": (shifted(0, 0), shifted(1, 0), shifted(0, 1), shifted(1, 1)),
}
"""By name; each takes as many passes of the network as it has views."""


@torch.inference_mode()
def score_views(
    network: nn.Module, images: Sequence[LabelledImage], views: Sequence[View]
) -> Tensor:
    """Score each image as the mean over its views, in the network's own units.

    Args:
        network: In evaluation mode; gives something with a `score` (n,).
        images: As they are in the data set.
        views: What is shown of each.

    Returns:
        (N,) float32.
    """
    means = [torch.empty(0)]
    for first in range(0, len(images), BATCH):
        pictures = [image.read() for image in images[first : first + BATCH]]
        scores = [
            network(
                normalise(torch.stack([to_tensor(shrink(view(p), INPUT_SIZE)) for p in pictures]))
            ).score
            for view in views
        ]
        means.append(torch.stack(scores).mean(0))
    return torch.cat(means).clone()
