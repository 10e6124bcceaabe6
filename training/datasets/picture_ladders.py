"""Pictures that get more of one of the data set's distortions, step by step.

The labelled pictures have three strengths of each, mixed. Of a picture with one distortion alone,
or with less or more of it than they have, nobody gave a score; its order is known all the same.
"""

from __future__ import annotations

import numpy as np
import torch

from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import SOURCE_SIZE, Variety, compose
from training.datasets.distorted import INPUT_SIZE, shrink, to_tensor
from training.datasets.ladders import Ladder
from training.datasets.slice_ladders import SEVERAL
from training.distortions import distort
from training.picture_degradations import PICTURE_DEGRADATIONS


def picture_ladders(
    slices: tuple[CleanSlice, ...],
    count: int,
    variety: Variety,
    *,
    seed: int,
    size: int = INPUT_SIZE,
) -> list[Ladder]:
    """Draw whole pictures at every strength of one distortion, with the same noise for all rungs.

    Args:
        slices: Content.
        count: Ladders; the distortions take turns.
        variety: Of the content.
        seed: Another seed, other ladders.
        size: Height and width of the pictures.
    """
    ladders = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        how = PICTURE_DEGRADATIONS[number % len(PICTURE_DEGRADATIONS)]
        clean = compose(slices, SOURCE_SIZE, variety, rng)
        noise = int(rng.integers(2**31))
        rungs = [distort(clean, step, np.random.default_rng(noise)) for step in how.steps]
        pictures = torch.stack([to_tensor(shrink(rung, size)) for rung in rungs])
        ladders.append(Ladder(SEVERAL, how.name, pictures))
    return ladders
