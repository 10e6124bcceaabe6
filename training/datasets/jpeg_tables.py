"""The quality that a JPEG file was coded with, from its quantisation tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from MSIQALib.errors import InputError

# Annex K.1 of ITU-T T.81, luminance.
_LUMINANCE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ]
)


def jpeg_quality(path: Path) -> int:
    """Read the quality, 1..100, off a JPEG file's luminance table.

    Raises:
        InputError: The file is no JPEG, or its tables are not scaled from the standard ones.
    """
    try:
        with Image.open(path) as image:
            table = np.array(getattr(image, "quantization", {}).get(0, ()))
    except OSError as error:
        raise InputError(path, "it cannot be read as a picture", "Copy it again") from error
    for quality in range(100, 0, -1):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        if np.array_equal(table, ((_LUMINANCE * scale + 50) // 100).clip(1, 255)):
            return quality
    raise InputError(
        path,
        "it is no JPEG with the standard quantisation tables",
        "Give the files as they were published; coding them again loses the quality",
    )
