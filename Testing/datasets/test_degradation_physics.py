"""The realistic degradations against the laws of physics that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import shift

from MSIQALib.imaging.volume import Geometry, Volume
from MSIQALib.phantom import make_phantom
from training.datasets.clean_slices import read_volumes
from training.degradations import (
    ALL_DEGRADATIONS,
    DEGRADATIONS,
    PET_NOISE_FWHM_MM,
    blur_pet,
    move,
    reduce_ct_dose,
    reduce_pet_counts,
    thicken,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
SIGMA_OF_FWHM = 0.42466


def volume(array: np.ndarray, spacing: tuple[float, float, float] = (2.0, 2.0, 3.0)) -> Volume:
    geometry = Geometry(array.shape[::-1], spacing, (0.0, 0.0, 0.0), AXIAL)
    return Volume(array.astype(np.float32), geometry, None, "unknown", Path("test"))


def width_mm(profile: np.ndarray, spacing: float) -> float:
    """Full width at half maximum of the Gaussian with a profile's second moment."""
    x = spacing * np.arange(len(profile))
    centre = (profile * x).sum() / profile.sum()
    return float(np.sqrt((profile * (x - centre) ** 2).sum() / profile.sum()) / SIGMA_OF_FWHM)


def test_added_variance_goes_with_the_inverse_of_the_counts() -> None:
    liver = volume(np.full((24, 64, 64), 2.2))
    half, tenth = (reduce_pet_counts(liver, f, seed=1).array.var() for f in (0.5, 0.1))
    assert tenth / half == pytest.approx((10 - 1) / (2 - 1), rel=0.03)


@pytest.mark.parametrize("suv", [0.5, 2.2, 10.0])
def test_mean_uptake_is_kept_however_few_the_counts(suv: float) -> None:
    uniform = volume(np.full((40, 80, 80), suv))
    noisy = reduce_pet_counts(uniform, 0.02, seed=0).array
    independent = noisy.size * 12 / (PET_NOISE_FWHM_MM * 1.06) ** 3  # voxels of 12 mm^3 a grain
    assert abs(noisy.mean() - suv) < 4 * noisy.std() / np.sqrt(independent)
    assert noisy.mean() == pytest.approx(suv, rel=0.03)
    assert noisy.min() > 0


def test_no_activity_stays_none_and_all_counts_change_nothing() -> None:
    half = np.zeros((12, 40, 40))
    half[..., 20:] = 3.0
    assert not reduce_pet_counts(volume(half), 0.1, seed=0).array[..., :20].any()
    same = reduce_pet_counts(volume(half), 1.0, seed=0).array
    assert np.array_equal(same, half.astype(np.float32))


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 3.0), (1.5, 3.0, 2.0)])
def test_widths_add_in_quadrature(spacing: tuple[float, float, float]) -> None:
    point = np.zeros((61, 61, 61))
    point[30, 30, 30] = 1.0
    twice = blur_pet(blur_pet(volume(point, spacing), 6.0), 8.0).array
    for axis in range(3):
        profile = twice.sum(axis=tuple({0, 1, 2} - {axis}))
        assert width_mm(profile, spacing[2 - axis]) == pytest.approx(10.0, rel=0.04)
    assert twice.sum() == pytest.approx(1.0, rel=1e-3)


def radial_spectrum(noise: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise power by spatial frequency (1/mm), mean over planes and directions."""
    n = noise.shape[-1]
    power = np.square(np.abs(np.fft.fft2(noise - noise.mean(axis=(1, 2), keepdims=True)))).mean(0)
    f = np.fft.fftfreq(n, spacing)
    radius = np.hypot(f[:, None], f)
    edges = np.linspace(0, 0.5 / spacing, 13)
    rings = np.digitize(radius.ravel(), edges)
    means = np.array([power.ravel()[rings == i].mean() for i in range(1, 13)])
    return (edges[1:] + edges[:-1]) / 2, means


def test_ct_noise_has_the_spectrum_of_filtered_back_projection() -> None:
    """None at zero frequency, a ramp, and the kernel's fall: |f| exp(-2 (f / 0.42)^2)."""
    # 250 mm of water, whose starvation is the reference's: grain without streaks.
    water = volume(np.zeros((10, 250, 250)), (1.0, 1.0, 3.0))
    noise = reduce_ct_dose(water, 0.25, seed=0).array
    f, power = radial_spectrum(noise, 1.0)
    peak = f[power.argmax()]
    assert 0.15 < peak < 0.27  # the maximum of the formula is at 0.21 / mm
    assert power[0] < 0.35 * power.max()
    assert power[-1] < 0.8 * power.max()
    expected = f * np.exp(-2 * (f / 0.42) ** 2)
    # The middle of the first ring is not its mean frequency.
    shape = expected[1:] / expected[1:].sum()
    assert power[1:] / power[1:].sum() == pytest.approx(shape, rel=0.15)


@pytest.mark.parametrize("hu", [-100.0, 0.0, 60.0])
def test_mean_hu_is_kept_and_variance_goes_with_the_inverse_of_the_dose(hu: float) -> None:
    tissue = volume(np.full((8, 128, 125), hu))
    noise = {f: reduce_ct_dose(tissue, f, seed=2).array - hu for f in (0.5, 0.1)}
    for field in noise.values():
        assert abs(field.mean()) < 0.02 * field.std()
    assert noise[0.1].var() / noise[0.5].var() == pytest.approx(9.0, rel=0.01)


def test_ct_planes_have_noise_of_their_own() -> None:
    noise = reduce_ct_dose(volume(np.zeros((2, 128, 125))), 0.25, seed=0).array
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_breathing_has_the_variance_of_a_sinusoid() -> None:
    """End to end A: variance A^2 / 8 about the middle, on top of the interpolation's."""
    point = np.zeros((81, 5, 5))
    point[40, 2, 2] = 1.0
    profile = move(volume(point, (2.0, 2.0, 1.0)), 20.0).array[:, 2, 2]
    x = np.arange(81) - 40.0
    assert (profile * x).sum() == pytest.approx(0, abs=1e-3)
    assert (profile * x**2).sum() == pytest.approx(20**2 / 8, rel=0.02)
    assert profile.sum() == pytest.approx(1.0, rel=1e-5)
    assert profile[31] > profile[40]  # longest at the turning points


@pytest.mark.parametrize("thickness", [4.5, 6.0, 9.0, 10.0])
def test_thick_slices_are_boxes(thickness: float) -> None:
    """A box of T mm on planes s apart: variance (T^2 - s^2) / 12 for odd T / s, about it else."""
    point = np.zeros((41, 3, 3))
    point[20, 1, 1] = 1.0
    profile = thicken(volume(point), thickness).array[:, 1, 1]
    assert profile.sum() == pytest.approx(1.0, rel=1e-5)
    assert profile == pytest.approx(profile[::-1])
    assert profile.max() == pytest.approx(3.0 / thickness)
    if thickness == 9.0:
        x = 3.0 * (np.arange(41) - 20)
        assert (profile * x**2).sum() == pytest.approx((9**2 - 3**2) / 12)


def test_thick_slices_have_less_noise() -> None:
    noise = np.random.default_rng(0).standard_normal((60, 40, 40))
    assert thicken(volume(noise), 15.0).array.var() == pytest.approx(1 / 5, rel=0.1)
    with pytest.raises(ValueError, match="negative"):
        thicken(volume(noise), -1.0)


def test_every_kind_that_is_spoken_of_is_there_with_its_unit() -> None:
    units = {one.name: one.unit for one in ALL_DEGRADATIONS}
    assert units == {
        "PET counts": "of the counts",
        "PET counts, unfiltered": "of the counts",
        "PET resolution": "mm FWHM added",
        "CT dose": "of the dose",
        "CT noise": "HU",
        "breathing": "mm",
        "slice thickness": "mm",
    }
    assert ALL_DEGRADATIONS[: len(DEGRADATIONS)] == DEGRADATIONS


@pytest.mark.parametrize("amplitude", [0.0, 5.0, 13.0, 30.0])
def test_breathing_is_the_mean_over_the_positions_of_a_sinusoid(amplitude: float) -> None:
    still = volume(np.random.default_rng(0).random((24, 16, 16)))
    places = amplitude / 2 * np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    step = still.geometry.spacing[2]
    moved = [shift(still.array, (mm / step, 0, 0), order=1, mode="nearest") for mm in places]
    assert np.abs(move(still, amplitude).array - np.mean(moved, axis=0)).max() < 1e-6


def test_thickness_changes_more_and_more() -> None:
    rng = np.random.default_rng(0)
    ct, pet = volume(rng.random((24, 16, 16))), volume(rng.random((24, 16, 16)))
    thick = ALL_DEGRADATIONS[-1]
    pairs = [thick.apply(ct, pet, strength, 0) for strength in thick.strengths]
    for number, original in enumerate((ct, pet)):
        changes = [np.abs(pair[number].array - original.array).mean() for pair in pairs]
        assert changes[0] == 0
        assert changes == sorted(set(changes))


@pytest.mark.slow
def test_clean_slices_of_dicom_are_those_of_the_volumes(tmp_path: Path) -> None:
    make_phantom(tmp_path / "in" / "a", slices=8, seed=0, recipe=())
    first = read_volumes(tmp_path / "in", tmp_path / "cache")
    again = read_volumes(tmp_path / "in", tmp_path / "cache")
    assert 4 <= len(first) <= 8
    middle = first[len(first) // 2]
    assert middle.ct.shape == middle.pet.shape == (512, 512)
    assert middle.ct.min() <= -990
    assert 1 < middle.pet.max() < 60
    assert all(np.array_equal(a.pet, b.pet) for a, b in zip(first, again, strict=True))
