"""The phantom in memory: organs, landmarks, noise, motion, the same for the same seed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Volume
from MSIQALib.phantom import DEFAULT_RECIPE, Degradation, build_phantom
from MSIQALib.phantom.acquisition import CTProtocol, CTScanner, axial_geometry
from MSIQALib.phantom.anatomy import Torso, table


def near(volume: Volume, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Voxels of an axial volume within a sphere."""
    geometry = volume.geometry
    k, j, i = np.indices(volume.array.shape, sparse=True)
    squared = sum(
        (origin + step * index - c) ** 2
        for origin, step, index, c in zip(
            geometry.origin, geometry.spacing, (i, j, k), centre, strict=True
        )
    )
    return volume.array[squared <= radius**2]


def centroid(
    volume: Volume, centre: tuple[float, float, float], radius: float, floor: float
) -> np.ndarray:
    """LPS centre of mass of what rises above ``floor``, within a sphere."""
    geometry = volume.geometry
    k, j, i = np.indices(volume.array.shape)
    places = np.stack([i, j, k], axis=-1) * geometry.spacing + np.asarray(geometry.origin)
    weight = np.clip(volume.array - floor, 0.0, None) ** 2
    weight[np.linalg.norm(places - np.asarray(centre), axis=-1) > radius] = 0.0
    return (places * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()


def graininess(plane: np.ndarray, mask: np.ndarray) -> float:
    """Robust deviation of what a 3 x 3 mean does not explain."""
    rest = plane - ndimage.uniform_filter(plane, 3)
    return float(np.median(np.abs(rest[mask])))


@pytest.fixture(scope="module")
def torso() -> Torso:
    return Torso(0)


@pytest.fixture(scope="module")
def upper_abdomen():
    return build_phantom(slices=8, extent_mm=(245.0, 285.0), recipe=())


@pytest.fixture(scope="module")
def chest():
    return build_phantom(slices=20, extent_mm=(360.0, 460.0), recipe=())


@pytest.mark.parametrize(
    ("where", "hu", "suv"),
    [
        ((-75.0, 35.0, 265.0), 60.0, 2.2),  # liver
        ((-18.0, 14.0, 265.0), 40.0, 1.6),  # vena cava
        ((36.0, 74.0, 265.0), 55.0, 0.6),  # erector spinae
    ],
)
def test_abdominal_organs_have_their_hu_and_suv(upper_abdomen, where, hu, suv):
    assert np.median(near(upper_abdomen.ct, where, 6.0)) == pytest.approx(hu, abs=8.0)
    assert np.median(near(upper_abdomen.pet, where, 8.0)) == pytest.approx(suv, rel=0.25)


def test_chest_holds_lung_blood_and_an_avid_left_ventricle(chest):
    lung = (-100.0, -45.0, 385.0)
    assert np.percentile(near(chest.ct, lung, 12.0), 30) == pytest.approx(-845.0, abs=35.0)
    assert np.median(near(chest.pet, lung, 12.0)) == pytest.approx(0.45, abs=0.15)
    aorta = (27.0, 41.0, 410.0)
    assert np.median(near(chest.ct, aorta, 6.0)) == pytest.approx(40.0, abs=8.0)
    assert np.median(near(chest.pet, aorta, 6.0)) == pytest.approx(1.6, rel=0.2)
    heart = near(chest.pet, (46.0, -30.0, 364.0), 45.0)
    # A wall of 11 mm under a blur of 6 mm keeps most of its SUV of 5.
    assert 3.5 < np.percentile(heart, 95) < 6.5


def test_bone_air_and_table_are_told_apart_by_hu(upper_abdomen):
    ct = upper_abdomen.ct
    assert near(ct, (0.0, 40.0, 265.0), 22.0).max() > 450.0
    assert np.median(near(ct, (-235.0, -150.0, 265.0), 10.0)) == pytest.approx(-1000.0, abs=10.0)
    # The table lies under the patient, curved upwards towards its edges.
    x = np.linspace(-200, 200, 401)
    hu = table(x, np.linspace(60, 170, 111), 1.0)
    first = np.argmax(hu > 0, axis=0)
    assert first[200] > first[50]
    assert np.array_equal(first, first[::-1])


def test_a_lesion_is_at_the_same_place_in_ct_and_pet(chest):
    nodule = next(lesion for lesion in chest.lesions if "lobe" in lesion.name)
    pet = centroid(chest.pet, nodule.centre_mm, 20.0, 0.0)
    ct = centroid(chest.ct, tuple(pet), 15.0, -850.0)
    voxel = np.asarray(chest.pet.geometry.spacing)
    assert np.all(np.abs(ct - pet) < voxel / 2)
    assert np.all(np.abs(pet - nodule.centre_mm) < voxel / 2)
    assert np.all(np.abs(ct - nodule.centre_mm) < voxel / 2)


def test_lesions_stand_out_in_the_pet(chest, upper_abdomen):
    for images, word in ((chest, "lobe"), (chest, "carina"), (upper_abdomen, "liver")):
        lesion = [one for one in images.lesions if word in one.name][-1 if word == "liver" else 0]
        assert near(images.pet, lesion.centre_mm, 6.0).max() > 0.6 * lesion.suv
        assert near(images.pet, lesion.centre_mm, 6.0).max() < 1.5 * lesion.suv


def test_ct_noise_has_the_protocols_deviation_and_that_of_the_recipe(torso):
    geometry = axial_geometry(512, 500.0, (0.0, 0.0), 270.0, 5.0, 1)

    def noise(recipe: tuple[Degradation, ...]) -> np.ndarray:
        scans = [CTScanner(torso, geometry, CTProtocol(), recipe, seed).scan(0) for seed in (1, 2)]
        return (scans[0] - scans[1])[230:280, 150:250] / np.sqrt(2.0)

    assert noise(()).std() == pytest.approx(12.0, rel=0.12)
    fourfold = (Degradation("low dose", 250.0, 300.0, ct_noise=4.0),)
    assert noise(fourfold).std() == pytest.approx(48.0, rel=0.12)
    # Streaks run from left to right: neighbours in a row are alike, neighbours in a column not.
    streaks = noise((Degradation("streaks", 250.0, 300.0, ct_streak_hu=200.0),))
    along = np.corrcoef(streaks[:, 4:].ravel(), streaks[:, :-4].ravel())[0, 1]
    across = np.corrcoef(streaks[4:].ravel(), streaks[:-4].ravel())[0, 1]
    assert along > 0.7
    assert across < 0.3


def test_a_fifth_of_the_counts_makes_pet_noise_root_five_stronger():
    extent = {"slices": 2, "extent_mm": (255.0, 275.0)}
    low = (Degradation("few counts", 0.0, 540.0, pet_counts=0.2),)
    clean = (Degradation("no noise", 0.0, 540.0, pet_counts=1e5),)
    full, fifth, exact = (
        build_phantom(recipe=recipe, **extent).pet.array for recipe in ((), low, clean)
    )
    liver = (exact > 1.9) & (exact < 2.5)
    assert liver.sum() > 400
    ratio = (fifth - exact)[liver].std() / (full - exact)[liver].std()
    assert ratio == pytest.approx(np.sqrt(5.0), rel=0.1)
    # Noise of clinical size, without a shift of the mean.
    assert 0.05 < (full - exact)[liver].std() / 2.2 < 0.15
    assert fifth[liver].mean() == pytest.approx(exact[liver].mean(), rel=0.02)


@pytest.mark.slow
def test_breathing_blurs_the_diaphragm_in_both_images():
    """The edge between liver and lung above it gets softer along the axis."""
    steepest = []
    for motion in (0.0, 11.0):
        recipe = (Degradation("breathing", 0.0, 540.0, motion_mm=motion, pet_counts=1e5),)
        images = build_phantom(recipe=recipe, slices=8, extent_mm=(312.0, 352.0))
        for volume in (images.ct, images.pet):
            (x0, y0, _), (dx, dy, _) = volume.geometry.origin, volume.geometry.spacing
            i, j = round((-65.0 - x0) / dx), round((-5.0 - y0) / dy)
            half = round(8.0 / dx)
            column = volume.array[:, j - half : j + half, i - half : i + half].mean(axis=(1, 2))
            steepest.append(np.abs(np.diff(column)).max())
    ct_still, pet_still, ct_moved, pet_moved = steepest
    assert ct_moved < 0.6 * ct_still
    assert pet_moved < 0.85 * pet_still


@pytest.mark.slow
def test_default_recipe_degrades_its_ranges_and_no_others():
    images = build_phantom(slices=48, seed=0)
    ct_z = images.ct.geometry.origin[2] + images.ct.geometry.spacing[2] * np.arange(48)
    low_dose = images.degradations[2]
    soft = [
        graininess(p, ndimage.binary_erosion(np.abs(ndimage.gaussian_filter(p, 3) - 50) < 40))
        for p in images.ct.array
    ]
    inside = np.array([low_dose.holds(z) for z in ct_z])
    assert 4 <= inside.sum() <= 10
    assert np.min(np.asarray(soft)[inside]) > 1.8 * np.max(np.asarray(soft)[~inside])


def test_same_seed_same_voxels_and_another_seed_another_patient():
    extent = {"slices": 2, "extent_mm": (240.0, 260.0)}
    first, again, other = (build_phantom(seed=seed, **extent) for seed in (3, 3, 4))
    assert np.array_equal(first.ct.array, again.ct.array)
    assert np.array_equal(first.pet.array, again.pet.array)
    assert first.lesions == again.lesions
    assert first.ct.series_uid == again.ct.series_uid
    assert first.lesions != other.lesions
    assert first.ct.series_uid != other.ct.series_uid
    assert np.abs(first.ct.array - other.ct.array).mean() > 20.0


def test_volumes_are_ready_for_the_pipeline(upper_abdomen):
    ct, pet = upper_abdomen.ct, upper_abdomen.pet
    assert (ct.modality, ct.unit) == ("CT", "HU")
    assert (pet.modality, pet.unit) == ("PT", "SUVbw")
    assert ct.frame_of_reference == pet.frame_of_reference
    assert ct.series_uid != pet.series_uid
    for volume in (ct, pet):
        assert volume.array.dtype == np.float32
        assert volume.array.shape == volume.geometry.size[::-1]
        assert np.isfinite(volume.array).all()
    assert ct.geometry.size == (512, 512, 8)
    assert pet.geometry.size[:2] == (128, 128)
    assert pet.array.min() >= 0.0
    # The PET reaches beyond the CT's first and last slice, on planes of its own.
    low, step, n = pet.geometry.origin[2], pet.geometry.spacing[2], pet.geometry.size[2]
    assert low < ct.geometry.origin[2]
    assert low + step * (n - 1) >= ct.geometry.origin[2] + ct.geometry.spacing[2] * 7
    assert (ct.geometry.origin[2] - low) / step % 1.0 > 0.1


def test_progress_counts_every_slice_once():
    calls: list[tuple[int, int]] = []
    build_phantom(
        slices=2, extent_mm=(0.0, 20.0), progress=lambda done, total: calls.append((done, total))
    )
    assert [done for done, _ in calls] == list(range(1, calls[0][1] + 1))
    assert {total for _, total in calls} == {len(calls)}


@pytest.mark.parametrize(
    "wrong",
    [{"slices": 1}, {"slices": 10**6}, {"seed": -1}, {"extent_mm": (100.0, 100.0)},
     {"extent_mm": (-50.0, 100.0)}],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(InputError, match=r"slices|range|seed"):
        build_phantom(**wrong)


def test_ranges_of_the_recipe_lie_apart():
    ends = [end for d in DEFAULT_RECIPE for end in (d.start_mm, d.stop_mm)]
    assert ends == sorted(ends)
    assert len(set(ends)) == len(ends)


def test_import_brings_neither_torch_nor_qt():
    code = (
        "import sys, MSIQALib.phantom;"
        "assert not {'torch', 'qt', 'PySide6', 'PyQt5', 'vtk'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
