"""Degradations against what physics says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MSIQALib.imaging.volume import Geometry, Volume
from training.degradations import (
    CT_NOISE_HU,
    DEGRADATIONS,
    LIVER_SUV,
    PET_NOISE_AT_LIVER,
    add_ct_noise,
    blur_pet,
    move,
    reduce_ct_dose,
    reduce_pet_counts,
    thicken,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def volume(array: np.ndarray, spacing=(2.0, 2.0, 3.0)) -> Volume:
    size = array.shape[::-1]
    return Volume(
        array.astype(np.float32),
        Geometry(size, spacing, (0.0, 0.0, 0.0), AXIAL),
        None,
        "unknown",
        Path("test"),
    )


def test_noise_grows_with_the_inverse_root_of_the_counts():
    liver = volume(np.full((24, 64, 64), LIVER_SUV))
    for fraction in (0.5, 0.1):
        noisy = reduce_pet_counts(liver, fraction, seed=1).array
        expected = PET_NOISE_AT_LIVER * LIVER_SUV * np.sqrt(1 / fraction - 1)
        assert noisy.std() == pytest.approx(expected, rel=0.05)
        assert noisy.mean() == pytest.approx(LIVER_SUV, rel=0.02)


def test_pet_noise_follows_the_activity_and_is_smooth():
    cold_and_hot = np.full((24, 64, 64), 1.0)
    cold_and_hot[:, :, 32:] = 4.0
    noise = reduce_pet_counts(volume(cold_and_hot), 0.25, seed=0).array - cold_and_hot
    assert noise[..., 40:].std() / noise[..., :24].std() == pytest.approx(2.0, rel=0.12)
    left, right = noise[:, :, 40:59].ravel(), noise[:, :, 41:60].ravel()
    # One voxel of 2 mm apart: exp(-d^2 / (4 sigma^2)) with a sigma of 6 mm / 2.355.
    assert np.corrcoef(left, right)[0, 1] == pytest.approx(np.exp(-(4 / (4 * 6.5))), abs=0.03)


def test_blurring_widens_a_point_and_keeps_its_activity():
    point = np.zeros((41, 61, 61))
    point[20, 30, 30] = 100.0
    blurred = blur_pet(volume(point), 8.0).array
    assert blurred.sum() == pytest.approx(100.0, rel=1e-3)
    profile = blurred[20, 30]
    x = 2.0 * (np.arange(61) - 30)
    variance = (profile * x**2).sum() / profile.sum()
    assert np.sqrt(variance) * 2.3548 == pytest.approx(8.0, rel=0.03)


def test_ct_noise_grows_with_the_inverse_root_of_the_dose():
    """In 250 mm of water the noise is the stated one; its spectrum has no constant part."""
    water = volume(np.zeros((3, 128, 125)))
    noise = reduce_ct_dose(water, 0.25, seed=0).array
    assert noise[:, 20:-20, 20:-20].std() == pytest.approx(CT_NOISE_HU * np.sqrt(3), rel=0.1)
    assert abs(noise.mean()) < 0.5


def test_white_ct_noise_is_the_stated_one_in_every_voxel_on_its_own():
    water = volume(np.zeros((6, 64, 64)))
    noise = add_ct_noise(water, 20.0, seed=3).array
    assert noise.std() == pytest.approx(20.0, rel=0.03)
    assert abs(noise.mean()) < 0.5
    for axis in range(3):
        ahead, behind = (np.delete(noise, end, axis).ravel() for end in (0, -1))
        assert abs(np.corrcoef(ahead, behind)[0, 1]) < 0.03
    assert np.array_equal(noise, add_ct_noise(water, 20.0, seed=3).array)
    assert not np.array_equal(noise, add_ct_noise(water, 20.0, seed=4).array)
    air = add_ct_noise(volume(np.full((2, 8, 8), -1024.0)), 50.0, seed=0).array
    assert air.min() == -1024.0
    with pytest.raises(ValueError, match="negative"):
        add_ct_noise(water, -1.0, seed=0)


def test_unfiltered_counts_have_the_same_variance_and_no_correlation():
    liver = volume(np.full((24, 64, 64), LIVER_SUV))
    noisy = reduce_pet_counts(liver, 0.25, seed=1, noise_fwhm_mm=0).array
    expected = PET_NOISE_AT_LIVER * LIVER_SUV * np.sqrt(3)
    assert noisy.std() == pytest.approx(expected, rel=0.05)
    assert abs(np.corrcoef(noisy[:, :, :-1].ravel(), noisy[:, :, 1:].ravel())[0, 1]) < 0.02


def test_longer_paths_are_noisier_and_streaky():
    wide = np.full((1, 128, 256), -1000.0)
    wide[0, :64, 60:180] = 0.0  # 240 mm
    wide[0, 64:, 10:246] = 0.0  # 472 mm
    noise = reduce_ct_dose(volume(wide), 0.5, seed=0).array[0] - wide[0]
    narrow_rows, wide_rows = noise[10:54, 80:160], noise[74:118, 80:160]
    assert wide_rows.std() > 3 * narrow_rows.std()
    # Streaks run from left to right: neighbours in a row are more alike than in a column.
    along = np.corrcoef(wide_rows[:, :-8].ravel(), wide_rows[:, 8:].ravel())[0, 1]
    across = np.corrcoef(wide_rows[:-8].ravel(), wide_rows[8:].ravel())[0, 1]
    assert along > across + 0.05


def test_breathing_spreads_along_the_axis_alone():
    point = np.zeros((41, 9, 9))
    point[20, 4, 4] = 1.0
    moved = move(volume(point), 30.0).array
    assert moved.sum() == pytest.approx(1.0, rel=1e-4)
    assert moved[:, 4, 4].sum() == pytest.approx(1.0, rel=1e-4)
    reached = 3.0 * (np.flatnonzero(moved[:, 4, 4]) - 20)
    assert 13 <= reached.max() <= 18
    assert -18 <= reached.min() <= -13


def test_thick_slices_average_neighbours():
    ramp = np.zeros((12, 4, 4))
    ramp[6] = 9.0
    assert thicken(volume(ramp), 9.0).array[:, 0, 0].tolist() == [0] * 5 + [3] * 3 + [0] * 4
    assert thicken(volume(ramp), 3.0).array[6, 0, 0] == 9.0


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda one: one.name)
def test_the_first_strength_changes_nothing_and_the_rest_more_and_more(degradation):
    rng = np.random.default_rng(0)
    ct = volume(np.where(rng.random((8, 48, 48)) < 0.5, 40.0, -100.0))
    pet = volume(rng.random((8, 48, 48)) * 4)
    changes = []
    for strength in degradation.strengths:
        new_ct, new_pet = degradation.apply(ct, pet, strength, 0)
        changes.append(
            np.abs(new_ct.array - ct.array).mean() + np.abs(new_pet.array - pet.array).mean()
        )
    assert len(changes) == 6
    assert changes[0] == pytest.approx(0, abs=1e-6)
    assert changes == sorted(changes)
    assert len(set(changes)) == 6


def test_seeds_differ_and_repeat():
    pet = volume(np.full((8, 16, 16), 2.0))
    first = reduce_pet_counts(pet, 0.1, seed=1).array
    assert np.array_equal(first, reduce_pet_counts(pet, 0.1, seed=1).array)
    assert not np.array_equal(first, reduce_pet_counts(pet, 0.1, seed=2).array)


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5])
def test_impossible_strengths_are_refused(fraction):
    pet = volume(np.ones((4, 8, 8)))
    with pytest.raises(ValueError, match="fraction"):
        reduce_pet_counts(pet, fraction, seed=0)
    with pytest.raises(ValueError, match="fraction"):
        reduce_ct_dose(pet, fraction, seed=0)
