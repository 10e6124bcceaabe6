"""Voxels keep their place in the patient when the axes are permuted and flipped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from volumes import make_ct, rotation

from MSIQALib.errors import InputError
from MSIQALib.imaging.orientation import to_axial

SIGNED_PERMUTATIONS = [
    np.eye(3)[:, list(order)] * signs
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


@pytest.mark.parametrize("direction", SIGNED_PERMUTATIONS)
def test_every_voxel_stays_where_it_is(direction: np.ndarray) -> None:
    tilt = rotation(0, 8) @ rotation(2, 5)
    volume = make_ct(
        (4, 5, 6), spacing=(1, 2, 3), origin=(7, -8, 9), direction=(tilt @ direction).ravel()
    )
    axial = to_axial(volume)
    back = np.linalg.inv(axial.geometry.ijk_to_lps) @ volume.geometry.ijk_to_lps
    for k, j, i in np.ndindex(volume.array.shape):
        at = back @ (i, j, k, 1)
        ii, jj, kk = np.rint(at[:3]).astype(int)
        np.testing.assert_allclose(at[:3], (ii, jj, kk), atol=1e-9)
        assert axial.array[kk, jj, ii] == volume.array[k, j, i]
    assert axial.geometry.size == axial.array.shape[::-1]
    assert (np.diag(np.reshape(axial.geometry.direction, (3, 3))) > 0.9).all()


def test_axial_volumes_are_handed_on_without_a_copy() -> None:
    volume = make_ct()
    assert to_axial(volume) is volume
    flipped = to_axial(make_ct(direction=np.diag([1, 1, -1]).ravel()))
    assert flipped.array.base is not None


def test_missing_slices_move_with_a_flip() -> None:
    volume = make_ct((6, 4, 4), direction=np.diag([1, -1, -1]).ravel(), missing_slices=(1, 2))
    assert to_axial(volume).missing_slices == (3, 4)


def test_missing_coronal_slices_cannot_be_assessed() -> None:
    coronal = rotation(0, 90)
    with pytest.raises(InputError, match="coronal"):
        to_axial(make_ct(direction=coronal.ravel(), missing_slices=(2,)))


@pytest.mark.parametrize("axis", [0, 1])
def test_oblique_slices_are_named_and_refused_beyond_thirty_degrees(axis: int) -> None:
    assert to_axial(make_ct(direction=rotation(axis, 0.9).ravel())).warnings == ()
    (warning,) = to_axial(make_ct(direction=rotation(axis, 12.5).ravel())).warnings
    assert "12.5 degrees" in warning
    with pytest.raises(InputError, match="31 degrees"):
        to_axial(make_ct(direction=rotation(axis, 31).ravel()))
