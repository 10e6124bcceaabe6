"""How images and heatmaps are shown: what a reader can set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from MSIQALib.process.settings import MAPS
from MSIQALib.viewer.page.pet_colours import PET_COLOURS

CT_WINDOWS = {
    "As assessed": (40.0, 250.0),
    "Soft tissue": (40.0, 400.0),
    "Lung": (-600.0, 1500.0),
    "Bone": (400.0, 1800.0),
    "Brain": (40.0, 80.0),
    "Liver": (60.0, 160.0),
}
"""Centre and width in HU."""

_LIMITS = {
    "ct_centre": (-1024.0, 3071.0),
    "ct_width": (1.0, 4096.0),
    "pet_low": (0.0, 100.0),
    "pet_high": (0.1, 100.0),
    "pet_opacity": (0.0, 1.0),
    "heatmap_opacity": (0.0, 1.0),
    "tint_opacity": (0.0, 1.0),
}
_LEAST_PET_RANGE = 0.1


@dataclass(frozen=True)
class Display:
    """The settings. They change what is seen, never what is assessed.

    Attributes:
        ct_centre: Centre of the CT window (HU).
        ct_width: Its width (HU).
        pet_low: SUV that takes the PET map's first colour.
        pet_high: SUV that takes its last.
        pet_opacity: 0 shows the CT alone, 1 the PET alone.
        pet_colours: A key of :data:`~MSIQALib.viewer.page.pet_colours.PET_COLOURS`.
        heatmap: The heatmap that is chosen; empty for none.
        heatmap_shown: Whether it is seen at the moment.
        heatmap_opacity: 0..1.
        heatmap_over_pet: Whether the PET stays under a heatmap; else it lies on the CT alone, so
            that two scales of colours do not mix.
        tint: Whether sagittal and coronal views are tinted by the slices' scores.
        tint_opacity: 0..1.
    """

    ct_centre: float = 40.0
    ct_width: float = 400.0
    pet_low: float = 0.0
    pet_high: float = 7.0
    pet_opacity: float = 0.45
    pet_colours: str = "inferno"
    heatmap: str = ""
    heatmap_shown: bool = False
    heatmap_opacity: float = 0.5
    heatmap_over_pet: bool = False
    tint: bool = False
    tint_opacity: float = 0.35

    def changed(self, values: Mapping[str, Any]) -> Display:
        """The settings with some of them changed, numbers brought into their limits.

        Raises:
            ValueError: A name is unknown, or a value is of the wrong kind.
        """
        known = asdict(self)
        clean: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no setting {name}")
            clean[name] = _checked(name, value, type(known[name]))
        settings = replace(self, **clean)
        if settings.pet_high < settings.pet_low + _LEAST_PET_RANGE:
            if "pet_low" in clean:
                low = min(settings.pet_low, _LIMITS["pet_high"][1] - _LEAST_PET_RANGE)
                return replace(settings, pet_low=low, pet_high=low + _LEAST_PET_RANGE)
            return replace(settings, pet_low=settings.pet_high - _LEAST_PET_RANGE)
        return settings

    def to_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)


def _checked(name: str, value: Any, kind: type) -> Any:
    if kind is float:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{name} must be a finite number")
        low, high = _LIMITS[name]
        return min(max(number, low), high)
    if kind is bool:
        return bool(value)
    if name == "pet_colours" and value not in PET_COLOURS:
        raise ValueError(f"There is no PET map {value}")
    if name == "heatmap" and value and value not in MAPS:
        raise ValueError(f"There is no heatmap {value}")
    return value
