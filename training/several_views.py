"""Scores averaged over several views of a picture: what a dearer assessment would gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from MSIQALib.assessment.views import SHIFTS, shifted
from training.datasets.distorted import INPUT_SIZE
from training.datasets.labelled import LabelledImage
from training.distortions import Picture
from training.evaluation import score_pictures
from training.scored_pictures import InputPictures

View = Callable[[Picture], Picture]


def mirrored(picture: Picture) -> Picture:
    """Exchange left and right of (H, W, 3)."""
    return np.ascontiguousarray(picture[:, ::-1])


def as_it_is(picture: Picture) -> Picture:
    """Give a picture unchanged."""
    return picture


VIEWS: Mapping[str, tuple[View, ...]] = {
    "mirrored": (as_it_is, mirrored),
    "shifted": tuple(partial(shifted, down=down, right=right) for down, right in SHIFTS),
}
"""By name; each takes as many passes of the network as it has views."""


@dataclass(frozen=True)
class _Viewed:
    """An image of which one view is read."""

    image: LabelledImage
    view: View

    def read(self) -> Picture:
        return self.view(self.image.read())


def score_views(
    network: nn.Module,
    images: Sequence[LabelledImage],
    views: Sequence[View],
    size: int = INPUT_SIZE,
) -> Tensor:
    """Score each image as the mean over its views, in the network's own units.

    Args:
        network: In evaluation mode; gives something with a `score` (n,).
        images: As they are in the data set.
        views: What is shown of each.
        size: Height and width of the network's input.

    Returns:
        (N,) float32.
    """
    scores = []
    for view in views:
        shown: Any = [_Viewed(image, view) for image in images]
        scores.append(score_pictures(network, InputPictures(shown, size), range(len(images))))
    return torch.stack(scores).mean(0)
