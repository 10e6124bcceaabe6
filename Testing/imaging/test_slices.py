"""PET and CT become a study, slices without PET are marked, and pairs that do not fit refused."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_factory import pet_header, ramp, write_series
from volumes import make_ct, make_pet, make_volume, rotation

from MSIQALib.errors import InputError
from MSIQALib.imaging.fusion import FusionOptions, fuse_rgb
from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import CT_ALONE, MISSING_CT, MISSING_PET, OUTSIDE_PET, fuse_study


def test_slices_come_from_feet_to_head_one_at_a_time() -> None:
    options = FusionOptions(suv_high=6.0)
    direction = np.diag([1, 1, -1]).ravel()
    ct = make_ct(direction=direction, origin=(0, 0, 50))
    pet = make_pet(direction=direction, origin=(0, 0, 50))
    study = fuse_study(ct, pet, options)
    slices = list(study)
    assert len(study) == len(slices) == 6
    assert [one.index for one in slices] == list(range(6))
    assert [one.position_mm for one in slices] == pytest.approx([35, 38, 41, 44, 47, 50])
    for one in slices:
        k = 5 - one.index
        np.testing.assert_array_equal(one.rgb, fuse_rgb(ct.array[k], pet.array[k], options))
        assert one.not_assessed is None
    np.testing.assert_array_equal(study[-1].rgb, slices[5].rgb)
    assert study.options == options
    with pytest.raises(IndexError):
        study[6]


def test_position_of_a_tilted_slice_is_that_of_its_centre() -> None:
    tilt = rotation(0, 6) @ rotation(1, 8)
    ct = make_ct((6, 17, 21), direction=tilt.ravel())
    study = fuse_study(ct, None)
    centre = tilt @ (10 * 2, 8 * 2, 2 * 3)
    assert study[2].position_mm == pytest.approx(centre[2])
    assert "10.0 degrees" in study.warnings[0]


def test_ct_alone_is_grey_and_flagged() -> None:
    study = fuse_study(make_ct(), None)
    assert study.warnings == (CT_ALONE,)
    rgb = study[0].rgb
    assert rgb is not None
    assert (rgb == rgb[..., :1]).all()


def test_slices_outside_the_pet_are_marked() -> None:
    pet = make_pet((3, 16, 20), origin=(0, 0, 6))  # 4.5 to 13.5 mm
    study = fuse_study(make_ct(), pet)
    assert [one.not_assessed for one in study] == [OUTSIDE_PET] * 2 + [None] * 3 + [OUTSIDE_PET]
    assert [one.rgb is None for one in study] == [True] * 2 + [False] * 3 + [True]
    assert "3 of 6 CT slices lie outside the PET." in study.warnings


def test_missing_slices_are_marked_with_the_series_that_lacks_them(tmp_path) -> None:
    write_series(tmp_path / "ct", ramp((12, 8, 10)), skip=(2,))
    header = pet_header(Units="GML")
    # Every CT slice but those at 0, 6, 12... mm lies half-way between two PET slices.
    write_series(tmp_path / "pet", ramp((8, 8, 10), low=0) / 100, modality="PT", skip=(4,),
                 header=header, spacing=(2, 2, 6), slopes=[0.01] * 8)  # fmt: skip
    ct = read_volume(tmp_path, modality="CT", accept_gaps=True)
    pet = read_volume(tmp_path, modality="PT", accept_gaps=True)
    study = fuse_study(ct, pet)
    reasons = {k: reason for k, reason in enumerate(study.not_assessed) if reason}
    assert reasons == {2: MISSING_CT, 7: MISSING_PET, 8: MISSING_PET, 9: MISSING_PET}
    assert len(study.warnings) == 2


def test_swapped_by_modality_and_by_values() -> None:
    ct, pet = make_ct(), make_pet()
    with pytest.raises(InputError, match="each other's place"):
        fuse_study(pet, ct)
    with pytest.raises(InputError, match="each other's place"):
        fuse_study(make_pet(modality="PT"), make_ct(modality="CT"))
    with pytest.raises(InputError, match="a PET, given as CT"):
        fuse_study(make_pet(modality="PT"), pet)
    with pytest.raises(InputError, match="a CT, given as PET"):
        fuse_study(ct, make_ct(modality="CT"))
    with pytest.raises(InputError, match="no PET in SUV"):
        fuse_study(ct, ct)
    with pytest.raises(InputError, match="Hounsfield"):
        fuse_study(make_volume(make_ct().array + 1024), pet)


def test_patients_and_frames_must_agree() -> None:
    with pytest.raises(InputError, match="different patients"):
        fuse_study(make_ct(patient="a"), make_pet(patient="b"), ignore_frame_of_reference=True)
    ct, pet = make_ct(frame_of_reference="1.2"), make_pet(frame_of_reference="1.3")
    with pytest.raises(InputError, match="--ignore-frame-of-reference"):
        fuse_study(ct, pet)
    study = fuse_study(ct, pet, ignore_frame_of_reference=True)
    assert "taken as registered" in study.warnings[0]
    assert fuse_study(ct, make_pet(frame_of_reference="1.2")).warnings == ()
    assert fuse_study(ct, make_pet()).warnings == ()


@pytest.mark.parametrize("origin", [(0, 0, 40), (0, 0, -40), (100, 0, 0), (0, -90, 0)])
def test_pet_elsewhere_is_refused(origin: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="do not overlap"):
        fuse_study(make_ct(), make_pet(origin=origin))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted(value: float) -> None:
    for name, make in (("CT", make_ct), ("PET", make_pet)):
        array = make().array.copy()
        array[2, 3, 4] = array[5, 0, 0] = value
        pair = {"CT": make_ct(), "PET": make_pet(), name: make_volume(array)}
        with pytest.raises(InputError, match=f"2 voxels of the {name} are not finite"):
            fuse_study(pair["CT"], pair["PET"])


def test_volumes_without_contents() -> None:
    with pytest.raises(InputError, match="the CT has only one slice"):
        fuse_study(make_ct((1, 16, 20)), None)
    with pytest.raises(InputError, match="the PET is empty: all its voxels are 0"):
        fuse_study(make_ct(), make_volume(np.zeros((6, 16, 20))))
    with pytest.raises(InputError, match="the CT is empty"):
        fuse_study(make_volume(np.full((6, 16, 20), -1000)), make_pet())


def test_nothing_left_to_assess() -> None:
    pet = make_pet((3, 16, 20), origin=(0, 0, 6))
    array = make_ct().array.copy()
    array[2:5] = np.nan
    with pytest.raises(InputError, match="no slice is left"):
        fuse_study(make_volume(array, missing_slices=(2, 3, 4)), pet)
