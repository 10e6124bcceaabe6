"""PET on the CT's grid agrees with ITK's resampling, slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from volumes import make_ct, make_pet, make_volume, rotation, to_itk

from MSIQALib.imaging.orientation import along_patient_axes, to_axial
from MSIQALib.imaging.resampling import SliceResampler

CASES = {
    "same grid": {},
    "other spacing and origin": {"spacing": (5.1, 4.7, 3.3), "origin": (-31.3, -17.2, -2.1)},
    "finer": {"spacing": (1.1, 0.9, 1.7), "origin": (6.03, 5.02, 4.01)},
    "flipped": {"direction": np.diag([-1, 1, -1]).ravel(), "origin": (39.7, 0.3, 14.2)},
    "coronal": {"direction": rotation(0, -90).ravel(), "origin": (1.2, 2.1, 21.3)},
    "in-plane rotation": {"direction": rotation(2, 20).ravel(), "spacing": (3, 3, 3.2)},
    "tilted": {"direction": rotation(0, 5).ravel(), "spacing": (3.1, 3.3, 2.9)},
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_itk(case: str) -> None:
    ct = to_axial(make_ct((7, 24, 30)))
    pet = make_pet((9, 15, 13), **CASES[case])
    image = sitk.Resample(to_itk(pet), to_itk(ct), sitk.Transform(), sitk.sitkLinear, 0.0)
    expected = sitk.GetArrayFromImage(image)
    assert expected.any()
    resampler = SliceResampler(along_patient_axes(pet), ct.geometry)
    covered = [k for k in range(7) if resampler.covers(k)]
    assert covered
    for k in covered:
        np.testing.assert_allclose(resampler(k), expected[k], atol=2e-5)


def test_landmark_lands_where_it_is() -> None:
    uptake = np.zeros((10, 20, 20))
    uptake[4, 7, 12] = 5.0
    pet = make_volume(uptake, spacing=(4, 4, 4), origin=(-20, -24, -10))
    at = (-20 + 12 * 4, -24 + 7 * 4, -10 + 4 * 4)  # LPS (28, 4, 6)
    sagittal = np.asarray([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float)
    ct = to_axial(
        make_ct((30, 20, 22), spacing=(2, 3, 2), origin=(60, -16, 30), direction=sagittal.ravel())
    )
    resampler = SliceResampler(pet, ct.geometry)
    slices = np.stack([resampler(k) for k in range(ct.geometry.size[2])])
    k, j, i = np.unravel_index(slices.argmax(), slices.shape)
    assert slices[k, j, i] == 5.0
    np.testing.assert_allclose(ct.geometry.ijk_to_lps @ (i, j, k, 1), (*at, 1))


def test_coverage_ends_at_the_voxel_faces() -> None:
    pet = make_pet((5, 8, 8), spacing=(4, 4, 4), origin=(0, 0, 0))  # faces at -2 and 18
    ct = make_ct((23, 8, 8), spacing=(2, 2, 1), origin=(0, 0, -3))
    resampler = SliceResampler(pet, ct.geometry)
    assert [k - 3 for k in range(23) if resampler.covers(k)] == list(range(-2, 19))
    np.testing.assert_allclose(resampler(1), resampler(3))  # constant up to the face
    assert list(resampler.neighbours(3)) == [0]
    assert list(resampler.neighbours(4)) == [0, 1]


def test_outside_of_the_pet_in_plane_is_no_uptake() -> None:
    pet = make_volume(np.full((4, 4, 4), 3.0), spacing=(4, 4, 4), origin=(8, 8, 0))
    ct = make_ct((3, 20, 20), spacing=(2, 2, 3))
    suv = SliceResampler(pet, ct.geometry)(1)
    inside = np.zeros((20, 20), bool)
    inside[3:12, 3:12] = True  # faces at 6 and 22 mm
    np.testing.assert_allclose(suv, np.where(inside, 3.0, 0.0))
