"""Scores of ready-made 2-D pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer, PictureScore
from MSIQALib.assessment.views import several_if
from MSIQALib.imaging.picture import read_picture
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights


def score_pictures(
    paths: Sequence[Path],
    *,
    weights: Path | None = None,
    device_name: str = "auto",
    batch_size: int | None = None,
    several_views: bool = False,
) -> Iterator[tuple[Path, PictureScore]]:
    """Score picture files in batches.

    Args:
        paths: 8-bit pictures; grey ones are taken as RGB.
        weights: Weights file; None for the shipped one.
        device_name: "auto", "cuda", "mps" or "cpu".
        batch_size: Pictures at once; None for what suits the device.
        several_views: Score each as the mean of four views, which takes four times as long.

    Yields:
        Path and score, in the given order.

    Raises:
        MSIQAError: A picture, the weights or the device cannot be used.
    """
    device = choose_device(device_name)
    model = load_model(find_weights(weights))
    scorer = several_if(several_views, NetworkScorer(model, device))
    remaining = iter(paths)
    while batch := list(islice(remaining, batch_size or device.batch_size)):
        prepared = scorer.prepare([read_picture(path) for path in batch])
        yield from zip(batch, scorer.score(prepared), strict=True)
