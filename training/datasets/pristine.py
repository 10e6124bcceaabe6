"""Pieces of pristine fused pictures: content where there is no volume, only its picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from training.datasets.composition import orient, resize
from training.distortions import Picture

ZOOM = (0.65, 1.5)
CHANGED = 0.6
"""Probability of another brightness or colour, and of another size."""

BODY = 12
"""Grey level above which something is there."""

MAP = 32
"""Rows and columns of the map that tells where the body is."""

MAX_SHIFT = 48


def pristine_piece(pictures: Sequence[Picture], size: int, rng: np.random.Generator) -> Picture:
    """Turn, recolour, resize and cut one of several pictures.

    Args:
        pictures: (S, S, 3) uint8, undistorted.
        size: Height and width of the piece; pieces smaller than the picture show some body.
        rng: Source of randomness.

    Returns:
        (size, size, 3) uint8, black outside the picture.
    """
    picture = orient(pictures[int(rng.integers(len(pictures)))], rng)
    if rng.random() < CHANGED:
        picture = _recolour(picture, rng)
    if rng.random() < CHANGED:
        picture = resize(picture, float(np.exp(rng.uniform(*np.log(ZOOM)))), rng)
    height, width = picture.shape[:2]
    body = np.argwhere(cv2.resize(picture.max(2), (MAP, MAP), interpolation=cv2.INTER_AREA) > BODY)
    if size < height and len(body):
        row, column = (body[int(rng.integers(len(body)))] + 0.5) / MAP
        top = int(row * height - size * rng.uniform(0.2, 0.8))
        left = int(column * width - size * rng.uniform(0.2, 0.8))
    else:
        down, right = (int(v) for v in rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, 2))
        top, left = down + (height - size) // 2, right + (width - size) // 2
    piece = np.zeros((size, size, 3), np.uint8)
    rows = slice(max(0, -top), max(0, min(size, height - top)))
    columns = slice(max(0, -left), max(0, min(size, width - left)))
    if rows.stop > rows.start and columns.stop > columns.start:
        piece[rows, columns] = picture[
            rows.start + top : rows.stop + top, columns.start + left : columns.stop + left
        ]
    return piece


def _recolour(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change gamma and gain, the saturation, seldom the order of the channels."""
    values = picture.astype(np.float32) / 255
    if rng.random() < 0.5:
        gamma, gain = np.exp(rng.normal(0, 0.15)), np.exp(rng.normal(0, 0.1))
        values = values ** np.float32(gamma) * np.float32(gain)
    if rng.random() < 0.4:
        grey = values.mean(2, keepdims=True)
        values = grey + (values - grey) * np.float32(rng.uniform(0, 1.4))
    if rng.random() < 0.05:
        values = values[..., rng.permutation(3)]
    return np.clip(values * 255, 0, 255).astype(np.uint8)
