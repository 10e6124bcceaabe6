"""Which part of the patient a picture shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST, MOST = 16, 2048
"""Edges of a picture in pixels."""


@dataclass(frozen=True)
class Frame:
    """Which part of the patient a picture shows, and how large.

    Attributes:
        width: Pixels.
        height: Pixels.
        centre: RAS position of the middle of the picture (mm).
        mm_per_pixel: The same in both directions.
    """

    width: int
    height: int
    centre: tuple[float, float, float]
    mm_per_pixel: float

    def __post_init__(self) -> None:
        """Refuse what would take the server's memory.

        Raises:
            ValueError: An edge is out of range, or a number is not finite.
        """
        if not (LEAST <= self.width <= MOST and LEAST <= self.height <= MOST):
            raise ValueError(f"A picture of {self.width} x {self.height} pixels")
        if not (all(map(math.isfinite, self.centre)) and 1e-3 < self.mm_per_pixel < 1e3):
            raise ValueError("A picture of no place")
