"""One CT slice and its PET slice become one RGB picture, as PET-CT-IQA-DS shows them.

The defaults were fitted to the clean pictures of that data set (lambda 0, sigma 0, quality 100):

- The table and bone without uptake are pure grey at 138 to 157 of 255, saturated bone with uptake
  reaches red 255: an even blend, ``0.5 * grey + 0.5 * heat map``, stretched so that the brightest
  channel of the slice is 255 (by 1.08 to 1.23).
- Water (stomach) is at 89, muscle at 130 to 140, liver at 143 to 150 of the 255 greys, and fat is
  black: a CT window of -85 to 165 HU (centre 40, width 250).
- With white at SUV 5, liver comes out at SUV 1.8 to 2.3, blood pool at 1.5 to 2.3 and muscle at
  0.6, as FDG has them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from MSIQALib.imaging.colour_map import LEVELS, heat_map

_WHITE = 255.0
_FIXED_POINT = 64.0  # of the integer tables: 64 * 255 * 2 still fits into 16 bits


@dataclass(frozen=True)
class FusionOptions:
    """How CT and PET become one picture. All of it is recorded with a result.

    Attributes:
        ct_centre: Centre of the CT window in HU.
        ct_width: Width of the CT window in HU.
        suv_low: Body-weight SUV shown black.
        suv_high: Body-weight SUV shown white.
        opacity: Share of the PET's colours in the blend, 0..1.
        max_stretch: Each slice is brightened until its brightest channel is 255, by this factor at
            most; 1 turns that off.
    """

    ct_centre: float = 40.0
    ct_width: float = 250.0
    suv_low: float = 0.0
    suv_high: float = 5.0
    opacity: float = 0.5
    max_stretch: float = 1.25

    def __post_init__(self) -> None:
        """Refuse values that make no picture.

        Raises:
            ValueError: An option is not finite or out of its range.
        """
        for name, value in asdict(self).items():
            if not math.isfinite(value):
                raise ValueError(f"The fusion option {name} must be a finite number, not {value}")
        if self.ct_width < 1.0:
            raise ValueError(f"The CT window must be at least 1 HU wide, not {self.ct_width}")
        if self.suv_high <= self.suv_low:
            raise ValueError(
                f"The PET range must ascend, not run from SUV {self.suv_low} to {self.suv_high}"
            )
        if not 0.0 <= self.opacity <= 1.0:
            raise ValueError(f"The opacity must lie between 0 and 1, not {self.opacity}")
        if self.max_stretch < 1.0:
            raise ValueError(f"The stretch must be at least 1, not {self.max_stretch}")

    @property
    def ct_range(self) -> tuple[float, float]:
        """The HU shown black and white."""
        return self.ct_centre - self.ct_width / 2, self.ct_centre + self.ct_width / 2

    def to_dict(self) -> dict[str, float]:
        """The options by name, for JSON."""
        return asdict(self)


def fuse_rgb(
    ct_hu: npt.NDArray[np.float32],
    pet_suv: npt.NDArray[np.float32] | None,
    options: FusionOptions,
) -> npt.NDArray[np.uint8]:
    """Blend a CT slice with the PET on the same grid.

    Args:
        ct_hu: HU, shape (H, W), finite.
        pet_suv: Body-weight SUV, shape (H, W), finite; None where there is no PET, which looks like
            tissue without uptake.
        options: Window, PET range, opacity and stretch.

    Returns:
        uint8, shape (H, W, 3).

    Raises:
        ValueError: The shapes differ.
    """
    if pet_suv is not None and pet_suv.shape != ct_hu.shape:
        raise ValueError(f"CT {ct_hu.shape} and PET {pet_suv.shape} must have the same shape")
    grey = _levels(ct_hu, *options.ct_range)
    ramp = np.arange(LEVELS, dtype=np.float32) * (_WHITE / (LEVELS - 1)) * (1.0 - options.opacity)
    if pet_suv is None:
        stretch = _stretch(float(ramp[grey.max()]), options.max_stretch)
        channel = np.take(np.rint(ramp * stretch).astype(np.uint8), grey)
        return np.repeat(channel[..., np.newaxis], 3, axis=2)

    uptake = _levels(pet_suv, options.suv_low, options.suv_high)
    heat = heat_map() * np.float32(options.opacity)
    # Red is the brightest channel of every colour of the map, so it alone decides the stretch.
    brightest = float((np.take(ramp, grey) + np.take(heat[:, 0], uptake)).max())
    scale = _FIXED_POINT * _stretch(brightest, options.max_stretch)
    grey_part = np.take(np.rint(ramp * scale + _FIXED_POINT / 2).astype(np.uint16), grey)
    heat_table = np.rint(heat * scale).astype(np.uint16)
    rgb = np.empty((*grey.shape, 3), dtype=np.uint8)
    for channel_index in range(3):
        total = np.take(heat_table[:, channel_index], uptake)
        total += grey_part
        total >>= int(math.log2(_FIXED_POINT))
        # Rounding of the two tables can add up to one level above white.
        np.minimum(total, 255, out=total)
        rgb[..., channel_index] = total
    return rgb


def _levels(values: npt.NDArray[np.float32], black: float, white: float) -> npt.NDArray[np.uint8]:
    """Map values linearly to 0..255 between black and white, clipped."""
    scaled = np.subtract(values, np.float32(black), dtype=np.float32)
    scaled *= np.float32((LEVELS - 1) / (white - black))
    scaled += np.float32(0.5)
    np.clip(scaled, 0.0, LEVELS - 1, out=scaled)
    return scaled.astype(np.uint8)


def _stretch(brightest: float, most: float) -> float:
    """The factor that brings the brightest channel to white, within 1 and ``most``."""
    return min(most, _WHITE / brightest) if brightest > 0.0 else 1.0
