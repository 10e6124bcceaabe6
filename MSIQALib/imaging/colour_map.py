"""The colour map that paints PET uptake over the grey CT."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

LEVELS = 256
"""Steps of the look-up tables; the pictures have 8 bits a channel."""

# Position on 0..1 and red, green, blue on 0..255, measured from the clean pictures of
# PET-CT-IQA-DS. Grey drops out of R - B and G - B, and there all pictures fall on one curve: red
# up to 150, then green, then blue. How fast uptake runs along that curve follows from linear
# interpolation: between two PET voxels it must change at an even pace. The outcome is nearly
# linear in lightness (CIE L*), as heat maps made for reading values are.
_ANCHORS = (
    (0.000, 0, 0, 0),
    (0.094, 42, 0, 2),
    (0.175, 84, 0, 4),
    (0.252, 124, 0, 6),
    (0.300, 148, 1, 7),
    (0.324, 158, 9, 8),
    (0.362, 169, 24, 8),
    (0.402, 179, 41, 8),
    (0.460, 194, 67, 8),
    (0.516, 207, 94, 9),
    (0.572, 218, 122, 9),
    (0.654, 229, 161, 9),
    (0.770, 239, 210, 10),
    (0.830, 243, 228, 20),
    (0.936, 253, 253, 80),
    (1.000, 255, 255, 255),
)


@lru_cache(maxsize=1)
def heat_map() -> npt.NDArray[np.float32]:
    """The heat map: black, red, orange, yellow, white.

    Returns:
        float32, shape (256, 3), 0..255; every channel ascends, and red >= green >= blue except for
        a trace of blue in the reds.
    """
    anchors = np.asarray(_ANCHORS, dtype=np.float64)
    at = np.linspace(0.0, 1.0, LEVELS)
    channels = [np.interp(at, anchors[:, 0], anchors[:, channel]) for channel in (1, 2, 3)]
    table = np.stack(channels, axis=1).astype(np.float32)
    table.setflags(write=False)
    return table
