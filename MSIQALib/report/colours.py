"""Colours of the outputs: cividis for the scale, two inks for the curve.

cividis (Nunez et al., PLoS ONE 13, 2018) reads alike with and without a colour vision deficiency
and keeps its order in a grey print. Text takes the inks alone; all of them have at least the
contrast of 4.5 to 1 on white that WCAG 2.2 (1.4.3) asks for.
"""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.colors import to_hex

from MSIQALib.likert import SCORE_RANGE, WORDS

INK = "#16222e"
MUTED = "#526070"
CURVE = "#0b4f8a"
ALARM = "#b3440c"
"""Vermilion: slices under the threshold, and the worst."""

TINT_STRENGTH = 0.20


def likert_colours() -> tuple[str, ...]:
    """One colour (#rrggbb) for each of :data:`MSIQALib.likert.WORDS`, from dark to bright."""
    cividis = mpl.colormaps["cividis"]
    return tuple(to_hex(cividis(step / (len(WORDS) - 1))) for step in range(len(WORDS)))


def likert_tints() -> tuple[str, ...]:
    """The same, so light on white that a curve and its labels stay easy to read on them."""
    tints = []
    for colour in likert_colours():
        channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        mixed = (round(255 + (value - 255) * TINT_STRENGTH) for value in channels)
        tints.append("#" + "".join(f"{value:02x}" for value in mixed))
    return tuple(tints)


def likert_bands() -> tuple[tuple[str, float, float], ...]:
    """Word, lowest and highest score of each step: borders lie half-way, the ends at 0 and 4."""
    low, high = SCORE_RANGE
    return tuple(
        (word, max(low, low + step - 0.5), min(high, low + step + 0.5))
        for step, word in enumerate(WORDS)
    )
