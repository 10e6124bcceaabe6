"""How one study's score goes while the study is made worse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Course:
    """A study's scores along one degradation.

    Attributes:
        patient: Which study.
        degradation: Its name.
        unit: Of the strengths.
        strengths: From none to the worst.
        scores: Mean over the scored slices at each strength, first seed.
        correlation: Spearman's between step and score; -1 where it falls at every step.
        seed_difference: Largest difference of the mean between two seeds.
    """

    patient: str
    degradation: str
    unit: str
    strengths: tuple[float, ...]
    scores: tuple[float, ...]
    correlation: float
    seed_difference: float
