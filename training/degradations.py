"""Realistic losses of quality of a PET/CT, each with its strength in physical terms.

They act on volumes, before fusion, unlike the data set's distortions, which act on pictures: what
the data set calls Poisson noise is a rare, bright speckle and has nothing to do with counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, gaussian_filter, gaussian_filter1d

from MSIQALib.imaging.volume import Modality, Volume

FloatArray = npt.NDArray[np.float32]

SIGMA_OF_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))

PET_NOISE_AT_LIVER = 0.10
"""Relative noise of a clinical FDG PET in the liver (EANM asks for 10 to 15 % at most)."""

LIVER_SUV = 2.2
PET_NOISE_FWHM_MM = 6.0
"""Noise of a reconstructed PET is as smooth as its resolution."""

_LEAST_SUV = 1e-3

CT_NOISE_HU = 12.0
"""Noise of a CT of a PET/CT at full dose, in the middle of the body."""

CT_CUTOFF_PER_MM = 0.42
"""Where a soft-tissue kernel has fallen to 1/e."""

WATER_PER_MM = 0.019
"""Linear attenuation of water at about 70 keV."""

STREAK_SHARE = 0.6
"""Standard deviation of the streaks as a part of that of the noise which starvation adds."""

AIR_HU = -1024.0


def reduce_pet_counts(
    pet: Volume, fraction: float, *, seed: int, noise_fwhm_mm: float = PET_NOISE_FWHM_MM
) -> Volume:
    """Lower the number of detected counts (shorter bed position, less activity).

    The variance of a reconstructed PET grows with its local activity and with 1 / counts, so the
    noise that is added has variance v(a) * (1 / fraction - 1), with v fixed by 10 % noise at liver
    uptake in the original. It is correlated over 6 mm, unless another width is given, with the same
    variance whatever the width. Values are log-normal about the original,
    as those of iterative reconstructions are (Barrett, Wilson and Tsui, Phys Med Biol 39, 1994):
    they stay positive, and their mean is the original's, however few the counts.

    Args:
        pet: SUVbw.
        fraction: Counts kept, above 0 and at most 1.
        seed: Another seed, another noise.
        noise_fwhm_mm: Over how far the noise is correlated; 0 for voxels that know nothing of
            each other, as without a filter.

    Returns:
        The noisier PET.

    Raises:
        ValueError: The fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"the fraction of counts must be in 0..1, not {fraction}")
    variance_per_suv = (PET_NOISE_AT_LIVER * LIVER_SUV) ** 2 / LIVER_SUV
    activity = gaussian_filter(pet.array, _pixels(pet, PET_NOISE_FWHM_MM)).clip(_LEAST_SUV)
    spread = np.log1p(variance_per_suv * (1 / fraction - 1) / activity)
    noise = _unit_noise(pet, noise_fwhm_mm, np.random.default_rng([seed, 0x5054]))
    return _with(pet, pet.array * np.exp(np.sqrt(spread) * noise - spread / 2))


def blur_pet(pet: Volume, fwhm_mm: float) -> Volume:
    """Lower the PET's resolution by a Gaussian of the given full width at half maximum.

    Widths add in squares: 5 mm become 7.1 mm when blurred by 5 mm.

    Raises:
        ValueError: The width is negative.
    """
    if fwhm_mm < 0:
        raise ValueError(f"the width must not be negative, but is {fwhm_mm}")
    return _with(pet, gaussian_filter(pet.array, _pixels(pet, fwhm_mm), mode="nearest"))


def reduce_ct_dose(ct: Volume, fraction: float, *, seed: int) -> Volume:
    """Lower the CT's dose: correlated noise, and streaks along the longest paths.

    Noise variance goes with 1 / dose. The noise has the spectrum of filtered back-projection (a
    ramp under the kernel's apodisation). In each slice it grows with the attenuation of the widest
    rows as exp(path / 2), which also gives the left-right streaks at shoulders and hips.

    Args:
        ct: HU.
        fraction: Dose kept, above 0 and at most 1.
        seed: Another seed, another noise.

    Raises:
        ValueError: The fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"the fraction of dose must be in 0..1, not {fraction}")
    added = CT_NOISE_HU * math.sqrt(1 / fraction - 1)
    height, width = ct.array.shape[1:]
    spectrum = _ramp(height, width, ct.geometry.spacing)
    noisy = np.empty_like(ct.array)
    for k, plane in enumerate(ct.array):
        rng = np.random.default_rng([seed, 0x4354, k])
        white = np.fft.rfft2(rng.standard_normal((height, width)).astype(np.float32))
        grain = np.fft.irfft2(white * spectrum, (height, width))
        streaks = np.repeat(rng.standard_normal((height, 1)), width, 1)
        path = (plane.clip(-1000, 1000) + 1000).sum(1) * (
            WATER_PER_MM / 1000 * ct.geometry.spacing[0]
        )
        # Relative to 250 mm of water, an average abdomen's width: more loses photons.
        starved = np.exp(np.clip(path - 250 * WATER_PER_MM, -3, 3) / 2)[:, None]
        body = gaussian_filter((plane > -500).astype(np.float32), 4 / ct.geometry.spacing[0])
        grown = starved * grain + np.clip(starved - 1, 0, None) * STREAK_SHARE * streaks
        noisy[k] = plane + added * grown * (0.25 + 0.75 * body)
    return _with(ct, np.clip(noisy, AIR_HU, 3071))


def add_ct_noise(ct: Volume, deviation_hu: float, *, seed: int) -> Volume:
    """Add white noise to the CT: every voxel on its own, the same everywhere.

    It is what a sharp kernel comes near to, and what a phantom's noise is stated as, in HU;
    `reduce_ct_dose` is nearer to a patient.

    Args:
        ct: HU.
        deviation_hu: Standard deviation in HU.
        seed: Another seed, another noise.

    Raises:
        ValueError: The deviation is negative.
    """
    if deviation_hu < 0:
        raise ValueError(f"the deviation must not be negative, but is {deviation_hu}")
    noise = np.random.default_rng([seed, 0x4E]).standard_normal(ct.array.shape, dtype=np.float32)
    return _with(ct, np.clip(ct.array + np.float32(deviation_hu) * noise, AIR_HU, 3071))


def move(volume: Volume, amplitude_mm: float) -> Volume:
    """Blur by breathing: the mean over positions of a sinusoid along the patient axis.

    Args:
        volume: CT or PET, axial.
        amplitude_mm: From end to end.
    """
    reach = amplitude_mm / 2 / volume.geometry.spacing[2]
    offsets = reach * np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    lower = np.floor(offsets).astype(int)
    share = (offsets - lower) / len(offsets)
    # Linear interpolation at all positions at once: one pass along k instead of eight volumes.
    half = int(np.ceil(reach))
    weights = np.zeros(2 * half + 2)
    np.add.at(weights, lower + half, 1 / len(offsets) - share)
    np.add.at(weights, lower + half + 1, share)
    return _with(volume, correlate1d(volume.array, weights[:-1], axis=0, mode="nearest"))


def thicken(volume: Volume, thickness_mm: float) -> Volume:
    """Average over thicker slices, on the same grid: a box along the patient axis.

    Args:
        volume: CT or PET, axial.
        thickness_mm: Of the new slices; no change where it is not above the spacing. The outermost
            planes of the box count in part, so that any thickness is possible.

    Raises:
        ValueError: The thickness is negative.
    """
    if thickness_mm < 0:
        raise ValueError(f"the thickness must not be negative, but is {thickness_mm}")
    planes = thickness_mm / volume.geometry.spacing[2]
    if planes <= 1:
        return volume
    whole, part = divmod((planes - 1) / 2, 1)
    box = np.concatenate(([part], np.ones(2 * int(whole) + 1), [part])) / planes
    return _with(volume, correlate1d(volume.array, box, axis=0, mode="nearest"))


@dataclass(frozen=True)
class Degradation:
    """One way to lose quality, in steps from the original to the worst.

    Attributes:
        name: What it is.
        strengths: From none to the worst, in ``unit``.
        unit: Of the strengths.
        apply: (CT, PET, strength, seed) to the degraded pair.
        of: What alone it changes; None where both change.
    """

    name: str
    strengths: tuple[float, ...]
    unit: str
    apply: Callable[[Volume, Volume, float, int], tuple[Volume, Volume]]
    of: Modality | None = None


DEGRADATIONS: tuple[Degradation, ...] = (
    Degradation(
        "PET counts",
        (1.0, 0.5, 0.25, 0.1, 0.05, 0.02),
        "of the counts",
        lambda ct, pet, f, seed: (ct, reduce_pet_counts(pet, f, seed=seed)),
        "PT",
    ),
    Degradation(
        "PET counts, unfiltered",
        (1.0, 0.5, 0.25, 0.1, 0.05, 0.02),
        "of the counts",
        lambda ct, pet, f, seed: (ct, reduce_pet_counts(pet, f, seed=seed, noise_fwhm_mm=0)),
        "PT",
    ),
    Degradation(
        "PET resolution",
        (0.0, 4.0, 6.0, 8.0, 12.0, 16.0),
        "mm FWHM added",
        lambda ct, pet, mm, _: (ct, blur_pet(pet, mm)),
        "PT",
    ),
    Degradation(
        "CT dose",
        (1.0, 0.5, 0.25, 0.1, 0.05, 0.02),
        "of the dose",
        lambda ct, pet, f, seed: (reduce_ct_dose(ct, f, seed=seed), pet),
        "CT",
    ),
    Degradation(
        "CT noise",
        (0.0, 10.0, 20.0, 40.0, 80.0, 160.0),
        "HU",
        lambda ct, pet, hu, seed: (add_ct_noise(ct, hu, seed=seed), pet),
        "CT",
    ),
    Degradation(
        "breathing",
        (0.0, 5.0, 10.0, 15.0, 20.0, 30.0),
        "mm",
        lambda ct, pet, mm, _: (move(ct, mm), move(pet, mm)),
    ),
)
"""What the scores are trained and tested to fall with."""

ALL_DEGRADATIONS: tuple[Degradation, ...] = (
    *DEGRADATIONS,
    Degradation(
        "slice thickness",
        (0.0, 5.0, 7.5, 10.0, 15.0, 20.0),
        "mm",
        lambda ct, pet, mm, _: (thicken(ct, mm), thicken(pet, mm)),
    ),
)
"""With the thickness of slices, of which a single slice shows little but smoother noise."""


def _with(volume: Volume, array: npt.NDArray[np.floating]) -> Volume:
    return replace(volume, array=array.astype(np.float32))


def _pixels(volume: Volume, fwhm_mm: float) -> tuple[float, ...]:
    """Standard deviations in voxels along k, j, i."""
    return tuple(fwhm_mm * SIGMA_OF_FWHM / mm for mm in reversed(volume.geometry.spacing))


def _unit_noise(volume: Volume, fwhm_mm: float, rng: np.random.Generator) -> FloatArray:
    """Gaussian noise of variance 1, correlated over the given width; white where that is 0."""
    noise = rng.standard_normal(volume.array.shape).astype(np.float32)
    for axis, sigma in enumerate(_pixels(volume, fwhm_mm)):
        if sigma:
            noise = gaussian_filter1d(noise, sigma, axis=axis, mode="wrap")
    return noise / noise.std()


def _ramp(height: int, width: int, spacing: tuple[float, float, float]) -> FloatArray:
    """Amplitude spectrum of the noise, for unit variance after filtering white noise."""
    fy = np.fft.fftfreq(height, spacing[1])[:, None]
    fx = np.fft.rfftfreq(width, spacing[0])[None, :]
    f = np.hypot(fx, fy)
    spectrum = np.sqrt(f) * np.exp(-((f / CT_CUTOFF_PER_MM) ** 2))
    # Each column of the half spectrum but the first and the Nyquist one stands for two.
    twice = np.full(spectrum.shape[1], 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    variance = (spectrum**2 * twice).sum() / (height * width)
    return (spectrum / math.sqrt(variance)).astype(np.float32)
