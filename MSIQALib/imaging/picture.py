"""Ready-made 2-D pictures, as the published data set holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from MSIQALib.errors import InputError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_REMEDY = "Give an 8-bit RGB picture of a fused slice: JPEG, PNG, TIFF, BMP or WebP"


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """Read a fused slice that is already a picture.

    Args:
        path: JPEG, PNG, TIFF, BMP or WebP. Grey is expanded to RGB, transparency is laid on black.

    Returns:
        uint8, shape (H, W, 3), RGB.

    Raises:
        InputError: It cannot be read, holds several pages, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            pages = getattr(picture, "n_frames", 1)
            if pages > 1:
                raise InputError(path, f"the file holds {pages} pictures", _REMEDY)
            if picture.mode.startswith("I") or picture.mode == "F":
                raise InputError(path, "the picture has more than 8 bits a channel", _REMEDY)
            if "A" in picture.getbands() or "transparency" in picture.info:
                over = picture.convert("RGBA")
                black = Image.new("RGBA", over.size, (0, 0, 0, 255))
                return np.asarray(Image.alpha_composite(black, over).convert("RGB"))
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise InputError(path, "there is no such file", "Check the path") from error
    except UnidentifiedImageError as error:
        raise InputError(path, "this is no picture that can be read", _REMEDY) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(path, "the picture is truncated or damaged", "Write it again") from error
