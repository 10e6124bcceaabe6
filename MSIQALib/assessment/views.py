"""Scores averaged over four views of each picture: steadier scores for four times the work.

Resizing 512 pixels to 224 without antialiasing, as the paper's network reads them, weighs the rows
and columns unevenly; so does Swin-T's own resizing where ResNet-50 sees more. Moved by a pixel, a
picture looks the same to people, while the network reads other pixels of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import torch

from MSIQALib.assessment.scorer import Picture, PictureScore, Scorer

SHIFTS = ((0, 0), (1, 0), (0, 1), (1, 1))
"""Of the views, in pixels down and to the right; the first is the picture as it is."""


def shifted(picture: Picture, down: int, right: int) -> Picture:
    """Move a picture by whole pixels; what comes in at the edge repeats it.

    Args:
        picture: (H, W, 3) uint8.
        down: Pixels, at most H.
        right: Pixels, at most W.
    """
    height, width = picture.shape[:2]
    return np.pad(picture, ((down, 0), (right, 0), (0, 0)), mode="edge")[:height, :width]


class SeveralViews:
    """Scores each picture as the mean over its views.

    S and W are means, too, so that score is no longer exactly S x W. Heatmaps are of the picture as
    it is.

    Args:
        scorer: Scores one view.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def prepare(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """As :class:`Scorer`; all views of a picture follow each other."""
        views = [shifted(picture, *shift) for picture in pictures for shift in SHIFTS]
        return self._scorer.prepare(views)

    def score(self, batch: torch.Tensor, *, heatmaps: bool = False) -> list[PictureScore]:
        """As :class:`Scorer`, with one row for each picture. One view of all comes at a time."""
        count = len(SHIFTS)
        first = self._scorer.score(batch[::count], heatmaps=heatmaps)
        others = [self._scorer.score(batch[view::count]) for view in range(1, count)]
        return [
            replace(
                own[0],
                score=fmean(row.score for row in own),
                S=fmean(row.S for row in own),
                W=fmean(row.W for row in own),
            )
            for own in zip(first, *others, strict=True)
        ]


def several_if(wanted: bool, scorer: Scorer) -> Scorer:
    """Give a scorer of several views where they are wanted, else the scorer itself."""
    return SeveralViews(scorer) if wanted else scorer
