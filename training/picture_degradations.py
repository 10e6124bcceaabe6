"""The data set's distortions one at a time, in steps (for volumes: `training.degradations`)."""

from __future__ import annotations

from dataclasses import dataclass

from training.distortions import Distortion


@dataclass(frozen=True)
class PictureDegradation:
    """One of the data set's distortions, which act on the fused picture, in steps.

    Attributes:
        name: What it is.
        steps: From none to the worst.
        strength: Which field of the steps it is, "lam", "sigma" or "quality".
        unit: In words.
    """

    name: str
    steps: tuple[Distortion, ...]
    strength: str
    unit: str

    @property
    def strengths(self) -> tuple[float, ...]:
        """From none to the worst."""
        return tuple(float(getattr(step, self.strength)) for step in self.steps)


PICTURE_DEGRADATIONS = (
    PictureDegradation(
        "data set's specks",
        tuple(Distortion(lam, 0.0, 100) for lam in (0.0, 0.002, 0.005, 0.01, 0.02, 0.04)),
        "lam",
        "specks of a white value",
    ),
    PictureDegradation(
        "data set's noise",
        tuple(Distortion(0.0, sigma, 100) for sigma in (0.0, 3.0, 6.0, 9.0, 12.0, 15.0)),
        "sigma",
        "grey levels",
    ),
    PictureDegradation(
        "data set's JPEG",
        tuple(Distortion(0.0, 0.0, quality) for quality in (100, 85, 70, 55, 40, 25)),
        "quality",
        "JPEG quality",
    ),
)
