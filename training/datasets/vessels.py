"""Drawn vessels: small bright structure on dark ground that is no speck.

The clean volumes are mostly of limbs. What a network takes for specks most easily are cut vessels
in lungs, which these stand in for.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.distortions import Picture

FRACTION_BITS = 4
"""OpenCV draws at sixteenths of a pixel."""

GROUND = 0.6
"""Probability of a dark ellipse under the vessels."""

LARGEST_RADIUS = 5.0


def draw_vessels(canvas: Picture, rng: np.random.Generator) -> None:
    """Draw 10 to 120 dots and short lines of one tint into an ellipse, in place.

    Args:
        canvas: (S, S, 3) uint8.
        rng: Source of randomness.
    """
    size = canvas.shape[0]
    centre, radii = rng.uniform(0.1, 0.9, 2) * size, rng.uniform(0.08, 0.3, 2) * size
    brightness = rng.uniform(40, 200)
    tint = np.array((1.0, rng.uniform(0.3, 1.0), rng.uniform(0.3, 1.0)))
    if rng.random() < GROUND:
        axes = (int(1.1 * radii[0]), int(1.1 * radii[1]))
        ground = _colour(rng.uniform(0, 25) * tint)
        cv2.ellipse(canvas, _whole(centre), axes, 0, 0, 360, ground, -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(10, 120))):
        angle, distance = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        place = centre + radii * distance * np.array((np.cos(angle), np.sin(angle)))
        colour = _colour(brightness * np.exp(rng.normal(0, 0.4)) * tint)
        if rng.random() < 0.5:
            radius = min(LARGEST_RADIUS, rng.gamma(2, 0.6) + 0.4)
            sixteenths = int(radius * 2**FRACTION_BITS)
            at = _sixteenths(place)
            cv2.circle(canvas, at, sixteenths, colour, -1, cv2.LINE_AA, FRACTION_BITS)
        else:
            turn = rng.uniform(0, 2 * np.pi)
            end = place + rng.gamma(2, 6) * np.array((np.cos(turn), np.sin(turn)))
            ends, width = (_sixteenths(place), _sixteenths(end)), int(rng.integers(1, 4))
            cv2.line(canvas, *ends, colour, width, cv2.LINE_AA, FRACTION_BITS)
    if rng.random() < 0.5:
        canvas[:] = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 0.9))


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(v) for v in np.clip(values, 0, 255))
    return red, green, blue


def _whole(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _sixteenths(point: np.ndarray) -> tuple[int, int]:
    return _whole(point * 2**FRACTION_BITS)
