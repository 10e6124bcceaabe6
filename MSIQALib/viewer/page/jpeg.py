"""Pictures for the way to the browser."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

MOVING, STILL = 80, 93
"""JPEG qualities: while slices pass, and of the one that is looked at."""


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = STILL) -> bytes:
    """RGB (height, width, 3) as a JPEG file."""
    stream = io.BytesIO()
    # Colours at full resolution where a reader looks: thin hot structures lose their hue else.
    subsampling = 0 if quality >= STILL else 2
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return stream.getvalue()
