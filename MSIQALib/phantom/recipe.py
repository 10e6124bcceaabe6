"""Where along the body the phantom's images are poorer, and in which way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Degradation:
    """A range along the patient axis that is imaged less well than the rest.

    Attributes:
        name: What happened, as a physicist would note it.
        start_mm: Lower end, LPS z in mm; a slice belongs to the range when its centre lies in it.
        stop_mm: Upper end.
        ct_noise: Factor on the standard deviation of the CT's noise.
        ct_streak_hu: Standard deviation in HU of left-right streaks from photon starvation, in the
            rows that attenuate most.
        pet_counts: Factor on the number of PET counts.
        motion_mm: Amplitude of breathing along the axis while both modalities were acquired.
    """

    name: str
    start_mm: float
    stop_mm: float
    ct_noise: float = 1.0
    ct_streak_hu: float = 0.0
    pet_counts: float = 1.0
    motion_mm: float = 0.0

    def holds(self, z: float) -> bool:
        """Whether the slice at z belongs to the range."""
        return self.start_mm <= z < self.stop_mm

    def to_dict(self) -> dict[str, Any]:
        """All attributes by name."""
        return asdict(self)


DEFAULT_RECIPE: tuple[Degradation, ...] = (
    Degradation("PET bed position with a fifth of the counts", 90.0, 230.0, pet_counts=0.2),
    Degradation("breathing at the diaphragm", 290.0, 350.0, motion_mm=11.0),
    Degradation(
        "low-dose CT with photon starvation at the shoulders",
        468.0,
        540.0,
        ct_noise=4.0,
        ct_streak_hu=40.0,
    ),
)
"""The default: one range for each modality and one for both, with good slices between them."""


def at(recipe: tuple[Degradation, ...], z: float) -> Degradation:
    """All that applies to the slice at z, combined into one."""
    found = [d for d in recipe if d.holds(z)]
    noise, counts = 1.0, 1.0
    for degradation in found:
        noise *= degradation.ct_noise
        counts *= degradation.pet_counts
    return Degradation(
        "; ".join(d.name for d in found),
        z,
        z,
        ct_noise=noise,
        ct_streak_hu=max((d.ct_streak_hu for d in found), default=0.0),
        pet_counts=counts,
        motion_mm=max((d.motion_mm for d in found), default=0.0),
    )
