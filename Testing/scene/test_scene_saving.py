"""What is saved with the scene is a whole study again when the scene is restored."""

from __future__ import annotations

import dataclasses
import math

import pytest
import scenes
import slicer

from MSIQALib.assessment.nrrd import write_heatmap_volume
from MSIQALib.assessment.result import Status
from MSIQALib.scene.annotation import annotation_text
from MSIQALib.scene.heatmaps import load_heatmap
from MSIQALib.scene.legend import legend_of
from MSIQALib.scene.position import mark_slice, position_of, slice_at
from MSIQALib.scene.quality import colour_quality
from MSIQALib.scene.study import (
    append_rows,
    create_study_nodes,
    find_studies,
    finish_study,
    remove_study,
    result_of,
    set_threshold,
)

DIGITS = 6e-6

SCORES = (0.3, 1.23456789012, None, 2.6, 3.9, 0.5, 1.5, 2.0)
NAME = 'MSIQA: "CT" <ä; 50 %>'
"""Everything that XML, file names and MRML's attributes have to quote."""


def make_study(world, tmp_path, directions=None, name=NAME):
    if directions is None:
        directions = scenes.tilted(9.0)
    ct = scenes.add_ct(world.scene, directions)
    pet = scenes.add_ct(world.scene, name="PET")
    study = create_study_nodes(world.scene, ct, name=name, pet_node=pet, threshold=1.6)
    finish_study(
        study,
        scenes.scored(study, SCORES),
        status=Status.CANCELLED,
        stopped="cancelled by the user",
        warnings=['"quoted"; a:b, <c> 100 % ä', "second"],
    )
    mark_slice(study, 4)
    path = tmp_path / "map.nrrd"
    width, height, depth = study.grid.axial.size
    ramp = (scenes.np.full((height, width), k / 10, "float32") for k in range(depth))
    write_heatmap_volume(path, ramp, study.grid.axial, {"MSIQA_activation_at_255": "1.75"})
    for heatmap in ("F1", "F_S"):
        load_heatmap(study, heatmap, path)
    path.unlink()
    return study


def through_mrb(world, new_world, folder):
    file = folder / "saved.mrb"
    assert world.scene.WriteToMRB(str(file))
    restored = new_world()
    assert restored.scene.ReadFromMRB(str(file))
    return restored


def through_mrml(world, new_world, folder):
    bundle = folder / "saved"
    bundle.mkdir()
    assert world.scene.SaveSceneToSlicerDataBundleDirectory(str(bundle), None)
    (file,) = bundle.glob("*.mrml")
    restored = new_world()
    restored.scene.SetURL(str(file))
    assert restored.scene.Connect()
    return restored


both_ways = pytest.mark.parametrize("through", [through_mrb, through_mrml])


def assert_same_result(again, before):
    """Equal, but for MRML's table files, which keep six digits of a number."""
    assert dataclasses.replace(again, slices=()) == dataclasses.replace(before, slices=())
    for mine, theirs in zip(again.slices, before.slices, strict=True):
        assert (mine.index, mine.state, mine.word) == (theirs.index, theirs.state, theirs.word)
        assert mine.position_mm == pytest.approx(theirs.position_mm, rel=DIGITS)
        assert mine.assessed == theirs.assessed
        if mine.assessed:
            assert mine.score == pytest.approx(theirs.score, rel=DIGITS)
            assert (mine.S, mine.W) == pytest.approx((theirs.S, theirs.W), rel=DIGITS)


def series(node):
    table = node.GetTableNode()
    return [scenes.column(table, name) for name in (node.GetXColumnName(), node.GetYColumnName())]


@both_ways
def test_a_study_comes_back_whole(world, new_world, tmp_path, through):
    study = make_study(world, tmp_path)
    restored = through(world, new_world, tmp_path)
    (again,) = find_studies(restored.scene)
    assert again.table is not study.table
    assert again.name == NAME
    assert_same_result(result_of(again), result_of(study))
    assert again.grid == study.grid
    assert again.threshold == 1.6
    assert [again.ct.GetName(), again.pet.GetName()] == ["CT chest", "PET"]
    assert len(again.owned()) == len(study.owned())
    for before, after in zip(study.owned(), again.owned(), strict=True):
        assert after.GetName() == before.GetName()
        assert after.GetClassName() == before.GetClassName()
        assert after.GetHideFromEditors() == before.GetHideFromEditors()


@both_ways
def test_the_chart_comes_back(world, new_world, tmp_path, through):
    study = make_study(world, tmp_path)
    (again,) = find_studies(through(world, new_world, tmp_path).scene)
    chart = again.chart
    assert [chart.GetNthPlotSeriesNode(at) for at in range(chart.GetNumberOfPlotSeriesNodes())] == [
        again.threshold_line,
        again.curve,
        again.marker,
    ]
    assert chart.GetTitle() == study.chart.GetTitle()
    assert NAME in chart.GetTitle()
    assert chart.GetXAxisRange() == pytest.approx(study.chart.GetXAxisRange())
    assert chart.GetYAxisRange() == (0.0, 4.0)
    assert not chart.GetYAxisRangeAuto()
    assert not chart.GetEnablePointMoveAlongY()
    assert again.curve.GetTableNode() is again.table
    assert math.isnan(series(again.curve)[1][2])
    for mine, theirs in (
        (again.threshold_line, study.threshold_line),
        (again.marker, study.marker),
    ):
        for values, expected in zip(series(mine), series(theirs), strict=True):
            assert values == pytest.approx(expected, rel=DIGITS)
        assert mine.GetColor() == pytest.approx(theirs.GetColor(), abs=1e-3)


@both_ways
def test_volumes_colours_and_legends_come_back(world, new_world, tmp_path, through):
    study = make_study(world, tmp_path)
    (again,) = find_studies(through(world, new_world, tmp_path).scene)
    assert list(again.heatmaps) == ["F1", "F_S"]
    pairs = [(study.quality, again.quality)]
    pairs += [(study.heatmaps[name], again.heatmaps[name]) for name in ("F1", "F_S")]
    for before, after in pairs:
        assert (scenes.voxels(before) == scenes.voxels(after)).all()
        for ijk in ((0, 0, 0), (3, 2, 1)):
            assert scenes.to_ras(after, ijk) == pytest.approx(scenes.to_ras(before, ijk), abs=1e-4)
        old, new = before.GetDisplayNode(), after.GetDisplayNode()
        for name in ("Window", "Level", "LowerThreshold", "UpperThreshold", "ApplyThreshold"):
            assert getattr(new, f"Get{name}")() == getattr(old, f"Get{name}")()
        assert new.GetInterpolate() == old.GetInterpolate()
        mine, theirs = new.GetColorNode(), old.GetColorNode()
        assert mine.GetNumberOfColors() == theirs.GetNumberOfColors()
        for at in range(theirs.GetNumberOfColors()):
            shades = [0.0] * 4, [0.0] * 4
            mine.GetColor(at, shades[0])
            theirs.GetColor(at, shades[1])
            assert shades[0] == pytest.approx(shades[1], abs=1 / 255)
            assert mine.GetColorName(at) == theirs.GetColorName(at)
        legend, old_legend = legend_of(after), legend_of(before)
        assert legend.GetTitleText() == old_legend.GetTitleText()
        assert legend.GetUseColorNamesForLabels() == old_legend.GetUseColorNamesForLabels()
        assert legend.GetPrimaryDisplayNode() is new


@both_ways
def test_the_folder_comes_back(world, new_world, tmp_path, through):
    study = make_study(world, tmp_path)
    restored = through(world, new_world, tmp_path)
    (again,) = find_studies(restored.scene)
    get = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode
    before, after = get(world.scene), get(restored.scene)
    assert after.GetItemName(again.folder) == NAME
    assert after.GetNumberOfItemChildren(again.folder) == before.GetNumberOfItemChildren(
        study.folder
    )
    assert after.GetItemParent(after.GetItemByDataNode(again.quality)) == again.folder


def test_a_restored_study_goes_on(world, new_world, tmp_path):
    make_study(world, tmp_path)
    restored = through_mrb(world, new_world, tmp_path)
    (again,) = find_studies(restored.scene)
    assert slice_at(again, position_of(again, 5)) == 5
    assert annotation_text(again, 5) == "Slice 5: 0.50 poor"
    mark_slice(again, 1)
    assert series(again.marker)[1] == pytest.approx([1.23456789012] * 2, rel=DIGITS)
    set_threshold(again, 3.0)
    colour_quality(again, steps=False)
    rows = scenes.scored(again, [3.0] * 8)
    append_rows(again, rows[:3])
    finish_study(again, rows)
    assert result_of(again).scores == (3.0,) * 8
    assert (scenes.voxels(again.quality) == 3).all()
    remove_study(again)
    left = {name.rstrip("0123456789") for name in restored.nodes().values()}
    assert not left & {"vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode", "vtkMRMLTableNode"}
    assert not left & {"vtkMRMLColorLegendDisplayNode", "vtkMRMLTableStorageNode"}


def test_a_study_that_still_runs_is_saved_as_it_is(world, new_world, tmp_path):
    study = create_study_nodes(world.scene, scenes.add_ct(world.scene))
    append_rows(study, scenes.scored(study, SCORES)[:3])
    (again,) = find_studies(through_mrb(world, new_world, tmp_path).scene)
    assert_same_result(result_of(again), result_of(study))
    assert again.quality is None
    append_rows(again, scenes.scored(again, SCORES)[3:])
    assert len(result_of(again).slices) == 8


def test_an_empty_study_is_saved_too(world, new_world, tmp_path):
    create_study_nodes(world.scene, scenes.add_ct(world.scene))
    (again,) = find_studies(through_mrb(world, new_world, tmp_path).scene)
    append_rows(again, scenes.scored(again, SCORES))
    assert len(result_of(again).slices) == 8


def test_a_scene_added_to_another_keeps_the_studies_apart(world, new_world, tmp_path):
    study = make_study(world, tmp_path)
    file = tmp_path / "saved.mrb"
    assert world.scene.WriteToMRB(str(file))
    before = world.nodes()
    assert world.scene.ReadFromMRB(str(file), False)
    first, second = find_studies(world.scene)
    assert first == study
    assert_same_result(result_of(second), result_of(first))
    assert not set(first.owned()) & set(second.owned())
    assert second.ct is not first.ct
    assert second.curve.GetTableNode() is second.table
    assert second.folder not in (0, first.folder)
    kept = result_of(first)
    finish_study(second, scenes.scored(second, [1.0] * 8))
    mark_slice(second, 0)
    assert result_of(first) == kept
    assert series(first.marker)[1] == [3.9, 3.9]
    remove_study(second)
    assert set(before) <= set(world.nodes())
    assert result_of(first) == kept
    assert first.folder
