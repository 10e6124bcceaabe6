"""The quality volume puts each slice's colour where the slice lies, in any view."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import scenes
from matplotlib.colors import to_rgb

from MSIQALib.likert import WORDS, word_of
from MSIQALib.scene import colours
from MSIQALib.scene.legend import legend_of
from MSIQALib.scene.overlay import hide_overlay, show_overlay
from MSIQALib.scene.quality import NOT_ASSESSED, colour_quality
from MSIQALib.scene.study import create_study_nodes, finish_study

STEPS = ("#d7191c", "#fdae61", "#ffffbf", "#abd9e9", "#2c7bb6")
"""ColorBrewer's RdYlBu in five classes, from bad to excellent."""

SCORES = (0.3, 1.2, None, 2.6, 3.9, 0.5, 1.5, 2.0)

EYES = {
    "all cones": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
"""How linear RGB is seen (Machado et al., IEEE TVCG 15, 2009, severity 1)."""

every_orientation = pytest.mark.parametrize("name", scenes.ORIENTATIONS)


def finished(world, directions=scenes.AXIAL, scores=None, size=(6, 5, 8)):
    ct = scenes.add_ct(world.scene, directions, size=size)
    study = create_study_nodes(world.scene, ct)
    scores = scores or [k % 9 / 2 for k in range(study.grid.count)]
    rows = scenes.scored(study, scores)
    finish_study(study, rows)
    return study, rows


@every_orientation
def test_every_place_in_the_ct_has_its_slices_score(world, name):
    study, rows = finished(world, scenes.ORIENTATIONS[name])
    size = study.ct.GetImageData().GetDimensions()
    for ijk in np.ndindex(*size):
        ras = scenes.to_ras(study.ct, ijk)
        score = rows[study.grid.index_at(tuple(ras))].score
        assert scenes.voxel_at(study.quality, ras) == pytest.approx(score)


@every_orientation
def test_the_volume_fills_the_cts_box_along_the_cts_axes(world, name):
    study, _ = finished(world, scenes.ORIENTATIONS[name])
    boxes = []
    for node in (study.ct, study.quality):
        far = np.array(node.GetImageData().GetDimensions()) - 0.5
        corners = [(-0.5, -0.5, -0.5), (far[0], -0.5, -0.5), (-0.5, far[1], -0.5), tuple(far)]
        boxes.append([scenes.to_ras(node, corner) for corner in corners])
    assert np.allclose(*boxes)
    assert (
        np.broadcast_shapes(scenes.voxels(study.quality).shape, scenes.voxels(study.ct).shape)
        == scenes.voxels(study.ct).shape
    )


def test_the_volume_is_small_whatever_the_ct(world):
    study, _ = finished(world, size=(512, 512, 4), scores=[1.0] * 4)
    assert study.quality.GetImageData().GetNumberOfPoints() == 4


def test_under_a_transform_it_lies_where_the_ct_was_assessed(world):
    ct = scenes.add_ct(world.scene)
    transform = world.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(scenes.matrix(np.eye(3), (1, 1, 1), (0, 0, 500)))
    ct.SetAndObserveTransformNodeID(transform.GetID())
    study = create_study_nodes(world.scene, ct)
    finish_study(study, scenes.scored(study, SCORES))
    for k, score in enumerate(SCORES):
        value = scenes.voxel_at(study.quality, scenes.to_ras(ct, (1, 1, k)))
        assert value == pytest.approx(NOT_ASSESSED if score is None else score)


def test_finishing_again_brings_the_same_volume_up_to_date(world):
    study, rows = finished(world, scores=SCORES)
    volume, count = study.quality, len(world.nodes())
    finish_study(study, rows[:2])
    assert study.quality is volume
    assert scenes.voxels(volume).ravel().tolist() == pytest.approx([0.3, 1.2] + [NOT_ASSESSED] * 6)
    assert len(world.nodes()) == count


@pytest.mark.parametrize("view", ["Sagittal", "Coronal", "Axial"])
@pytest.mark.parametrize("name", ["axial", "head first", "coronal", "sagittal"])
def test_a_slice_view_draws_the_colour_of_the_word(world, name, view):
    study, rows = finished(world, scenes.ORIENTATIONS[name])
    slice_view = scenes.SliceView(world, view)
    slice_view.composite.SetBackgroundVolumeID(study.quality.GetID())
    words = dict(zip(WORDS, STEPS, strict=True))
    for row in rows:
        place = study.grid.centre(row.index)
        slice_view.show(place)
        expected = [round(255 * part) for part in to_rgb(words[word_of(row.score)])]
        assert slice_view.pixel(place)[:3] == pytest.approx(expected, abs=1), row


def test_over_the_ct_slices_without_score_leave_it_as_it_is(world):
    study, _ = finished(world, scores=SCORES)
    view = scenes.SliceView(world, "Sagittal")
    view.composite.SetBackgroundVolumeID(study.ct.GetID())
    scored, unscored = study.grid.centre(1), study.grid.centre(2)
    view.show(study.grid.centre(1))
    alone = view.pixel(scored), view.pixel(unscored)
    show_overlay(study.quality, [view.composite], opacity=1.0)
    assert view.pixel(unscored) == alone[1]
    expected = [round(255 * part) for part in to_rgb(STEPS[1])]
    assert view.pixel(scored)[:3] == pytest.approx(expected, abs=1)
    show_overlay(study.quality, [view.composite], opacity=0.5)
    half = [(a + b) / 2 for a, b in zip(expected, alone[0][:3], strict=True)]
    assert view.pixel(scored)[:3] == pytest.approx(half, abs=2)
    hide_overlay(study.quality, [view.composite])
    assert view.pixel(scored) == alone[0]


def test_over_a_fused_view_the_pet_stays(world):
    study, _ = finished(world, scores=SCORES)
    pet = scenes.add_ct(world.scene, name="PET")
    view = scenes.SliceView(world, "Coronal")
    view.composite.SetBackgroundVolumeID(study.ct.GetID())
    view.composite.SetForegroundVolumeID(pet.GetID())
    view.composite.SetForegroundOpacity(0.4)
    place = study.grid.centre(1)
    view.show(place)
    fused = view.pixel(place)
    show_overlay(study.quality, [view.composite], opacity=1.0)
    show_overlay(study.quality, [view.composite], opacity=1.0)
    assert view.composite.GetForegroundVolumeID() == pet.GetID()
    assert view.composite.GetForegroundOpacity() == 0.4
    assert view.composite.GetNumberOfAdditionalLayers() == 1
    expected = [round(255 * part) for part in to_rgb(STEPS[1])]
    assert view.pixel(place)[:3] == pytest.approx(expected, abs=1)
    hide_overlay(study.quality, [view.composite])
    assert view.composite.GetForegroundVolumeID() == pet.GetID()
    assert view.composite.GetNumberOfAdditionalLayers() == 0
    assert view.pixel(place) == fused


class TestColours:
    def test_the_table_has_the_steps_and_their_words(self, world):
        study, _ = finished(world)
        table = study.quality.GetDisplayNode().GetColorNode()
        names = [table.GetColorName(at) for at in range(table.GetNumberOfColors())]
        assert names == ["0 bad", "1 poor", "2 fair", "3 good", "4 excellent"]
        for at, colour in enumerate(STEPS):
            shade = [0.0] * 4
            table.GetColor(at, shade)
            assert shade == pytest.approx([*to_rgb(colour), 1.0], abs=1e-6)

    def test_without_steps_each_score_has_its_own(self, world):
        study, rows = finished(world)
        colour_quality(study, steps=False)
        display = study.quality.GetDisplayNode()
        table = display.GetColorNode()
        assert table.GetNumberOfColors() == 256
        assert table.GetColorName(0) == "0.00 bad"
        assert table.GetColorName(255) == "4.00 excellent"
        assert table.GetColorName(93) == "1.46 poor"
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 4.0)
        view = scenes.SliceView(world, "Sagittal")
        view.composite.SetBackgroundVolumeID(study.quality.GetID())
        for row in rows:
            place = study.grid.centre(row.index)
            view.show(place)
            below = int(min(row.score, 3.5))
            part = row.score - below
            ends = np.array([to_rgb(STEPS[below]), to_rgb(STEPS[below + 1])])
            expected = 255 * (ends[0] * (1 - part) + ends[1] * part)
            assert view.pixel(place)[:3] == pytest.approx(expected, abs=4)

    def test_steps_come_back_and_tables_are_kept(self, world):
        study, _ = finished(world)
        first, count = study.quality.GetDisplayNode().GetColorNode(), len(world.nodes())
        colour_quality(study, steps=False)
        colour_quality(study, steps=True)
        colour_quality(study, steps=False)
        colour_quality(study)
        assert study.quality.GetDisplayNode().GetColorNode() is first
        assert len(world.nodes()) == count + 1

    def test_nothing_but_scores_is_drawn(self, world):
        study, _ = finished(world)
        display = study.quality.GetDisplayNode()
        assert display.GetApplyThreshold()
        assert (display.GetLowerThreshold(), display.GetUpperThreshold()) == (0.0, 4.0)
        assert not display.GetAutoWindowLevel()
        assert not display.GetInterpolate()

    def test_the_heatmaps_colours_are_the_known_ones(self):
        for fraction in np.linspace(0, 1, 256):
            theirs = mpl.colormaps["inferno"](fraction)[:3]
            ours = colours.sample(colours.INFERNO, fraction)
            assert ours == pytest.approx(theirs, abs=colours.TOLERANCE)

    @pytest.mark.parametrize("eye", EYES)
    def test_steps_are_apart_for_every_eye(self, eye):
        linear = np.array([to_rgb(colour) for colour in STEPS]) ** 2.2
        seen = np.clip(linear @ np.transpose(EYES[eye]), 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        assert apart[~np.eye(len(STEPS), dtype=bool)].min() > 0.2

    def test_poor_slices_stand_out_over_a_grey_image(self):
        spread = [max(to_rgb(colour)) - min(to_rgb(colour)) for colour in STEPS]
        assert min(spread[:2]) > 0.5
        assert max(spread[:2]) == max(spread)


class TestLegend:
    def test_the_words_stand_beside_the_colours(self, world):
        study, _ = finished(world)
        legend = legend_of(study.quality)
        assert legend.GetTitleText() == "Image quality"
        assert legend.GetUseColorNamesForLabels()
        assert legend.GetPrimaryDisplayNode() is study.quality.GetDisplayNode()
        assert legend.GetVisibility()

    def test_without_steps_it_counts_from_0_to_4(self, world):
        study, _ = finished(world)
        colour_quality(study, steps=False)
        legend = legend_of(study.quality)
        assert not legend.GetUseColorNamesForLabels()
        assert legend.GetNumberOfLabels() == 5
        assert legend.GetLabelFormat() % 4.0 == "4"

    def test_views_are_told_to_look_at_it_again(self, world):
        """Slice views update legends by themselves only where a user changes the layers."""
        study, _ = finished(world)
        view = scenes.SliceView(world, "Sagittal")
        told = []
        legend_of(study.quality).AddObserver("ModifiedEvent", lambda *_: told.append(1))
        show_overlay(study.quality, [view.composite])
        assert told
        told.clear()
        hide_overlay(study.quality, [view.composite])
        assert told

    def test_the_volumes_own_display_comes_first(self, world):
        study, _ = finished(world)
        assert study.quality.GetDisplayNode().IsA("vtkMRMLScalarVolumeDisplayNode")

    def test_a_scene_without_legends_does_without(self):
        import slicer

        scene = slicer.vtkMRMLScene()
        study = create_study_nodes(scene, scenes.add_ct(scene))
        finish_study(study, scenes.scored(study, SCORES))
        assert legend_of(study.quality) is None
        scene.Clear(True)
