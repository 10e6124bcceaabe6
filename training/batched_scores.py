"""Scores pictures as the assessment does, batch after batch."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from MSIQALib.assessment.scorer import Picture, PictureScore, Scorer


def score_in_batches(
    scorer: Scorer, pictures: Iterable[Picture], size: int, *, heatmaps: bool = False
) -> list[PictureScore]:
    """Score any number of pictures.

    Training measures a network that it still changes, in its own units, with
    :func:`training.evaluation.score_pictures`; this is for weights that are finished.

    Args:
        scorer: What scores.
        pictures: (H, W, 3) uint8 each; taken a batch at a time, so that reading may be lazy.
        size: Pictures at once.
        heatmaps: Whether the rows hold them.

    Returns:
        A row for each picture, in their order.
    """
    waiting = iter(pictures)
    rows: list[PictureScore] = []
    while batch := list(islice(waiting, size)):
        rows += scorer.score(scorer.prepare(batch), heatmaps=heatmaps)
    return rows
