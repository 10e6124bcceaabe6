"""The score's scale: five steps from 0 to 4 and their words."""

from __future__ import annotations

import math

SCORE_RANGE = (0.0, 4.0)
"""Lowest and highest score (Li et al., MS-IQA, section 3.1: a 5-point Likert scale, 0 to 4)."""

WORDS = ("bad", "poor", "fair", "good", "excellent")
"""The words of the five steps, as LDCTIQAC2023 names them (Lee et al., Med Image Anal 99, 2025)."""


def word_of(score: float) -> str:
    """Name the Likert step nearest to a score.

    Args:
        score: A score in Likert units; values outside 0..4 take the word of the nearer end.

    Returns:
        One of :data:`WORDS`; halves go up (0.5 is "poor").

    Raises:
        ValueError: The score is not a finite number.
    """
    if not math.isfinite(score):
        raise ValueError(f"A score must be finite, not {score}")
    low, high = SCORE_RANGE
    step = int(min(max(score, low), high) - low + 0.5)
    return WORDS[step]
