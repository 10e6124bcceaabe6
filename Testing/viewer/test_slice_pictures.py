"""Pictures of slices: what lies where in the patient, and what the settings do to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MSIQALib.imaging.volume import Geometry, Volume

slicer = pytest.importorskip("slicer", reason="the extra viewer is not installed")

from MSIQALib.assessment.result import SliceResult  # noqa: E402
from MSIQALib.scene.grid import SliceGrid  # noqa: E402
from MSIQALib.scene.study import create_study_nodes, finish_study  # noqa: E402
from MSIQALib.viewer.page.display import Display  # noqa: E402
from MSIQALib.viewer.page.frame import Frame  # noqa: E402
from MSIQALib.viewer.page.jpeg import encode_jpeg  # noqa: E402
from MSIQALib.viewer.page.study_images import Images, add_images  # noqa: E402
from MSIQALib.viewer.page.views import Views  # noqa: E402
from MSIQALib.viewer.page.world import World  # noqa: E402

SIZE, MM = 20, 4.0
LPS = {
    "axial": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "head first": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1, 0, 1, 0),
}
SPOT = np.array([22.0, -18.0, 26.0])
"""LPS of a bright spot: to the patient's left, in front, near the head."""


def volume(direction, modality="CT", ground=-1000.0, bright=1000.0) -> Volume:
    matrix = np.reshape(direction, (3, 3)).astype(float)
    origin = -matrix @ np.full(3, (SIZE - 1) / 2 * MM)
    geometry = Geometry((SIZE,) * 3, (MM,) * 3, tuple(origin), tuple(map(float, direction)))
    array = np.full((SIZE,) * 3, ground, np.float32)
    i, j, k = np.rint((np.linalg.inv(geometry.ijk_to_lps) @ [*SPOT, 1.0])[:3]).astype(int)
    array[k, j, i] = bright
    unit = "HU" if modality == "CT" else "SUVbw"
    return Volume(array, geometry, modality, unit, Path("made"))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def views(world) -> Views:
    return Views(world)


def spot_in(picture) -> tuple[float, float]:
    """Column and row of the bright spot's middle, from the middle of the picture."""
    bright = picture.max(axis=2).astype(float)
    bright[bright < 60] = 0
    rows, columns = np.indices(bright.shape)
    middle = (np.array(bright.shape) - 1) / 2
    row, column = ((at * bright).sum() / bright.sum() for at in (rows, columns))
    return column - middle[1], row - middle[0]


@pytest.mark.parametrize("name", LPS)
@pytest.mark.parametrize(
    ("view", "across", "down"),
    [
        ("Axial", SPOT[0], SPOT[1]),  # the patient's left on the right, the front above
        ("Coronal", SPOT[0], -SPOT[2]),  # the head above
        ("Sagittal", SPOT[1], -SPOT[2]),  # the front on the left
    ],
)
def test_things_are_where_radiologists_expect_them(world, views, name, view, across, down):
    nodes = add_images(world.scene, Images(volume(LPS[name]), None), name)
    views.show_images(nodes)
    views.apply(Display(ct_centre=0, ct_width=2000), None)
    centre = {"Axial": (0, 0, SPOT[2]), "Coronal": (0, -SPOT[1], 0), "Sagittal": (-SPOT[0], 0, 0)}
    picture = views.picture(view, Frame(160, 160, centre[view], 0.5))
    column, row = spot_in(picture)
    assert column * 0.5 == pytest.approx(across, abs=1.0)
    assert row * 0.5 == pytest.approx(down, abs=1.0)
    views.show_images(None)
    nodes.remove()


def test_the_window_maps_hu_to_greys_and_outside_is_black(world, views):
    nodes = add_images(world.scene, Images(volume(LPS["axial"], ground=40.0), None), "flat")
    views.show_images(nodes)
    views.apply(Display(ct_centre=40, ct_width=400), None)
    frame = Frame(100, 100, (0.0, 0.0, 0.0), 2.0)  # 200 mm wide; the CT has 80
    picture = views.picture("Axial", frame)
    assert picture[50, 50].tolist() == pytest.approx([127, 127, 127], abs=2)
    assert picture[50, 5].tolist() == [0, 0, 0]
    views.apply(Display(ct_centre=140, ct_width=400), None)
    assert views.picture("Axial", frame)[50, 50, 0] == pytest.approx(64, abs=2)
    views.show_images(None)
    nodes.remove()


def test_the_pet_is_coloured_by_suv_and_fades(world, views):
    pet = volume(LPS["axial"], "PT", ground=5.0, bright=5.0)
    nodes = add_images(world.scene, Images(volume(LPS["axial"]), pet), "fused")
    views.show_images(nodes)
    frame = Frame(40, 40, (0.0, 0.0, 0.0), 1.0)

    def middle(**settings) -> np.ndarray:
        views.apply(Display(**settings), None)
        return views.picture("Axial", frame)[20, 20].astype(int)

    heat = middle(pet_opacity=1.0, pet_high=5.0, pet_colours="heat")
    assert heat.tolist() == pytest.approx([255, 255, 255], abs=3)
    assert middle(pet_opacity=1.0, pet_high=10.0, pet_colours="gray_r")[0] == pytest.approx(
        128, abs=3
    )
    assert middle(pet_opacity=0.5, pet_high=5.0, pet_colours="heat").tolist() == pytest.approx(
        [128, 128, 128], abs=3
    )
    assert middle(pet_opacity=0.0).tolist() == [0, 0, 0]
    views.show_images(None)
    nodes.remove()


def test_scores_tint_the_long_views_alone(world, views):
    ct = volume(LPS["axial"])
    nodes = add_images(world.scene, Images(ct, None), "tinted")
    views.show_images(nodes)
    study = create_study_nodes(world.scene, nodes.ct)
    grid = SliceGrid(ct.geometry)
    finish_study(
        study, [SliceResult(k, grid.position_mm(k), score=0.0, S=0.0, W=0.5) for k in range(SIZE)]
    )
    frame = Frame(40, 40, (0.0, 0.0, 0.0), 1.0)
    views.apply(Display(tint=True, tint_opacity=1.0), study)
    assert np.ptp(views.picture("Coronal", frame)[20, 20].astype(int)) > 100, "red for bad"
    assert np.ptp(views.picture("Axial", frame)[20, 20].astype(int)) == 0
    views.apply(Display(tint=False), study)
    assert np.ptp(views.picture("Coronal", frame)[20, 20].astype(int)) == 0
    views.show_images(None)
    nodes.remove()


def test_settings_stay_within_their_limits():
    assert Display().changed({"pet_opacity": 7}).pet_opacity == 1.0
    narrow = Display(pet_low=0.0, pet_high=5.0).changed({"pet_low": 9.0})
    assert narrow.pet_low < narrow.pet_high
    narrow = Display(pet_low=3.0, pet_high=5.0).changed({"pet_high": 1.0})
    assert narrow.pet_low < narrow.pet_high
    for wrong in ({"pet_low": float("nan")}, {"colour": 1}, {"heatmap": "F9"}, {"pet_colours": ""}):
        with pytest.raises(ValueError, match=r"\w"):
            Display().changed(wrong)


@pytest.mark.parametrize(
    ("width", "centre", "mm"),
    [(100_000, (0, 0, 0), 1.0), (100, (0, float("nan"), 0), 1.0), (100, (0, 0, 0), 0.0)],
)
def test_pictures_that_would_take_the_memory_are_refused(width, centre, mm):
    with pytest.raises(ValueError, match="picture"):
        Frame(width, 100, centre, mm)


def test_pictures_travel_as_jpeg():
    data = encode_jpeg(np.zeros((30, 40, 3), np.uint8))
    assert data[:3] == b"\xff\xd8\xff"
