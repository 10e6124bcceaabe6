"""A study in the scene: its table, its chart, its folder, its end."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time

import pytest
import scenes
import slicer
from vtkmodules.util.vtkConstants import VTK_OBJECT
from vtkmodules.vtkCommonCore import vtkCollection, vtkWeakReference

from MSIQALib.assessment.result import SliceResult, Status
from MSIQALib.report import colours as report_colours
from MSIQALib.scene import colours
from MSIQALib.scene.position import mark_slice
from MSIQALib.scene.study import (
    append_rows,
    create_study_nodes,
    find_studies,
    finish_study,
    remove_study,
    result_of,
    set_threshold,
)

SCORES = (0.3, 1.2, None, 2.6, 3.9, 0.5, 1.5, 2.0)


@pytest.fixture
def study(world):
    return create_study_nodes(world.scene, scenes.add_ct(world.scene))


def hierarchy_of(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def points(series):
    """The points that a plot view draws for a series."""
    table = series.GetTableNode()
    return list(
        zip(
            scenes.column(table, series.GetXColumnName()),
            scenes.column(table, series.GetYColumnName()),
            strict=True,
        )
    )


def series_of(chart):
    """What a chart draws, the last on top."""
    count = chart.GetNumberOfPlotSeriesNodes()
    return [chart.GetNthPlotSeriesNode(at) for at in range(count)]


class TestTable:
    def test_columns_are_those_of_scores_csv_with_types(self, study):
        table = study.table.GetTable()
        names = [table.GetColumnName(at) for at in range(table.GetNumberOfColumns())]
        assert names == ["slice", "position_mm", "score", "word", "S", "W", "state"]
        kinds = [table.GetColumn(at).GetDataTypeAsString() for at in range(len(names))]
        assert kinds == ["int", "double", "double", "string", "double", "double", "string"]
        assert table.GetNumberOfRows() == 0
        assert study.table.GetLocked()

    def test_a_row_says_what_the_engine_said(self, study):
        append_rows(study, [SliceResult(1, -296.0, score=1.4321, S=1.5, W=0.25)])
        found = [scenes.column(study.table, name)[0] for name in ("slice", "position_mm", "score")]
        assert found == [1, -296.0, 1.4321]
        found = [scenes.column(study.table, name)[0] for name in ("word", "S", "W", "state")]
        assert found == ["poor", 1.5, 0.25, "assessed"]

    def test_a_slice_without_score_has_no_numbers(self, study):
        append_rows(study, [SliceResult(1, -296.0, "outside the PET")])
        for name in ("score", "S", "W"):
            assert math.isnan(scenes.column(study.table, name)[0])
        assert scenes.column(study.table, "word") == [""]
        assert scenes.column(study.table, "state") == ["outside the PET"]

    def test_rows_come_in_pieces_and_in_any_order(self, study):
        rows = scenes.scored(study, SCORES)
        for piece in (rows[3:5], rows[6:], [], [rows[5], rows[0]], rows[1:3]):
            append_rows(study, piece)
        assert list(result_of(study).slices) == rows

    @pytest.mark.parametrize("index", [0, 3, 7])
    def test_a_slice_that_comes_again_is_replaced(self, study, index):
        rows = scenes.scored(study, SCORES)
        append_rows(study, rows)
        again = SliceResult(index, rows[index].position_mm, score=1.0, S=1.0, W=1.0)
        append_rows(study, [again])
        assert list(result_of(study).slices) == [*rows[:index], again, *rows[index + 1 :]]

    def test_views_hear_of_new_rows(self, study):
        append_rows(study, scenes.scored(study, SCORES)[4:])
        heard = []
        study.table.AddObserver("ModifiedEvent", lambda *_: heard.append("table"))
        study.curve.AddObserver(study.curve.TableModifiedEvent, lambda *_: heard.append("curve"))
        study.chart.AddObserver(study.chart.PlotModifiedEvent, lambda *_: heard.append("chart"))
        append_rows(study, scenes.scored(study, SCORES)[:2])
        assert {"table", "curve", "chart"} <= set(heard)
        heard.clear()
        append_rows(study, [])
        assert not heard

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (SliceResult(8, -268.0, score=1.0), "Slice 8 is not one of the CT's 8"),
            (SliceResult(-1, -304.0, score=1.0), "Slice -1 is not one"),
            (SliceResult(2, -296.0, score=1.0), "Slice 2 lies at -296.00 mm, but .* at -292.00 mm"),
        ],
    )
    def test_rows_of_another_ct_are_refused(self, study, row, message):
        with pytest.raises(ValueError, match=message):
            append_rows(study, [row])
        with pytest.raises(ValueError, match=message):
            finish_study(study, [row])
        assert study.table.GetNumberOfRows() == 0

    def test_many_rows_take_no_time_to_speak_of(self, world):
        ct = scenes.add_ct(world.scene, size=(2, 2, 6000), spacing=(1.0, 1.0, 0.5))
        study = create_study_nodes(world.scene, ct)
        rows = scenes.scored(study, [k % 5 * 0.9 for k in range(6000)])
        start = time.perf_counter()
        for at in range(0, 6000, 4):
            append_rows(study, rows[at : at + 4])
        seconds = time.perf_counter() - start
        assert study.table.GetNumberOfRows() == 6000
        assert scenes.column(study.table, "slice") == list(range(6000))
        assert seconds < 15, f"1500 batches took {seconds:.1f} s"


class TestChart:
    def test_the_curve_is_the_table(self, study):
        append_rows(study, scenes.scored(study, SCORES))
        assert study.curve.GetTableNode() is study.table
        assert study.curve.GetXColumnName() == "position_mm"
        assert study.curve.GetYColumnName() == "score"
        assert study.curve.GetLabelColumnName() == "word"
        assert study.curve.GetPlotType() == study.curve.PlotTypeScatter
        drawn = points(study.curve)
        assert [x for x, _ in drawn] == [-300.0 + 4 * k for k in range(8)]
        assert [y for _, y in drawn if not math.isnan(y)] == [s for s in SCORES if s is not None]

    def test_the_chart_holds_the_three_series(self, study):
        append_rows(study, scenes.scored(study, SCORES))
        series = series_of(study.chart)
        assert series == [study.threshold_line, study.curve, study.marker]
        assert [node.GetName() for node in series] == ["threshold 2", "quality", "current slice"]
        assert len({node.GetTableNodeID() for node in series}) == 3

    def test_a_line_of_fewer_than_two_points_is_not_drawn(self, study):
        """VTK reports an error at each repaint of one."""
        rows = scenes.scored(study, SCORES)
        for row in (None, *rows):
            append_rows(study, [row] if row else [])
            mark_slice(study, 0)
            drawn = series_of(study.chart)
            assert all(len(points(series)) >= 2 for series in drawn)
            assert (study.curve in drawn) == (len(points(study.curve)) >= 2)
            assert drawn[-1] is study.marker

    def test_a_curve_that_the_user_took_out_stays_out(self, study):
        rows = scenes.scored(study, SCORES)
        append_rows(study, rows[:4])
        study.chart.RemovePlotSeriesNodeID(study.curve.GetID())
        append_rows(study, rows[4:])
        finish_study(study, rows)
        assert study.curve not in series_of(study.chart)

    def test_a_finished_study_that_was_not_followed_has_its_curve(self, study):
        finish_study(study, scenes.scored(study, SCORES))
        assert study.curve in series_of(study.chart)

    def test_the_axes_stand_still_while_the_curve_grows(self, study):
        chart = study.chart
        before = chart.GetXAxisRange(), chart.GetYAxisRange()
        assert before == ((-302.0, -270.0), (0.0, 4.0))
        append_rows(study, scenes.scored(study, SCORES))
        assert (chart.GetXAxisRange(), chart.GetYAxisRange()) == before
        assert not chart.GetXAxisRangeAuto()
        assert not chart.GetYAxisRangeAuto()
        assert "mm" in chart.GetXAxisTitle()
        assert "4 excellent" in chart.GetYAxisTitle()

    def test_scores_cannot_be_dragged(self, study):
        assert not study.chart.GetEnablePointMoveAlongX()
        assert not study.chart.GetEnablePointMoveAlongY()

    def test_the_threshold_runs_from_feet_to_head(self, world):
        study = create_study_nodes(world.scene, scenes.add_ct(world.scene), threshold=1.75)
        assert study.threshold == 1.75
        assert points(study.threshold_line) == [(-302.0, 1.75), (-270.0, 1.75)]
        assert study.threshold_line.GetName() == "threshold 1.75"

    def test_the_threshold_moves(self, study):
        finish_study(study, scenes.scored(study, SCORES))
        assert result_of(study).share_below == 5 / 7 - 1 / 7
        set_threshold(study, 3.0)
        assert points(study.threshold_line) == [(-302.0, 3.0), (-270.0, 3.0)]
        assert study.threshold_line.GetName() == "threshold 3"
        title = "MSIQA: CT chest (dashed: threshold 3, diamond: current slice)"
        assert study.chart.GetTitle() == title
        assert result_of(study).share_below == 6 / 7

    def test_the_current_slice_is_a_point_on_the_curve(self, study):
        append_rows(study, scenes.scored(study, SCORES))
        assert all(math.isnan(value) for value in points(study.marker)[0])
        mark_slice(study, 4)
        assert points(study.marker) == [(-284.0, 3.9)] * 2
        mark_slice(study, 0)
        assert points(study.marker) == [(-300.0, 0.3)] * 2
        assert study.marker.GetMarkerStyle() != study.curve.GetMarkerStyle()
        assert study.marker.GetLineStyle() == study.marker.LineStyleNone

    @pytest.mark.parametrize("index", [2, 99, None])
    def test_without_a_score_there_is_no_point(self, study, index):
        append_rows(study, scenes.scored(study, SCORES))
        mark_slice(study, 4)
        mark_slice(study, index)
        assert len(points(study.marker)) == 2
        assert all(math.isnan(value) for point in points(study.marker) for value in point)

    def test_the_inks_are_those_of_the_report(self, study):
        assert colours.CURVE == report_colours.CURVE
        assert colours.ALARM == report_colours.ALARM
        assert colours.INK == report_colours.INK
        assert study.curve.GetColor() == pytest.approx(colours.rgb_of(colours.CURVE))
        assert study.threshold_line.GetColor() == pytest.approx(colours.rgb_of(colours.ALARM))
        assert study.marker.GetColor() == pytest.approx(colours.rgb_of(colours.INK))


class TestFolder:
    def test_all_that_a_user_may_look_for_lies_in_one_folder(self, world, study):
        finish_study(study, scenes.scored(study, SCORES))
        hierarchy = hierarchy_of(world.scene)
        assert hierarchy.GetItemName(study.folder) == "MSIQA: CT chest"
        assert hierarchy.GetItemParent(study.folder) == hierarchy.GetSceneItemID()
        inside = vtkCollection()
        hierarchy.GetDataNodesInBranch(study.folder, inside)
        names = {inside.GetItemAsObject(at).GetName() for at in range(inside.GetNumberOfItems())}
        assert names == {
            "MSIQA: CT chest",
            "MSIQA: CT chest quality curve",
            "MSIQA: CT chest quality",
            "MSIQA: CT chest Likert colours",
            "quality",
            "threshold 2",
            "current slice",
        }

    def test_the_tables_behind_line_and_point_are_kept_out_of_sight(self, world, study):
        hierarchy = hierarchy_of(world.scene)
        for series in (study.threshold_line, study.marker):
            assert series.GetTableNode().GetHideFromEditors()
            assert not hierarchy.GetItemByDataNode(series.GetTableNode())
        assert not study.table.GetHideFromEditors()

    def test_nodes_are_hidden_before_the_scene_tells_of_them(self, world):
        told = []

        def listen(_scene, _event, node):
            told.append((node.GetName(), bool(node.GetHideFromEditors())))

        listen.CallDataType = VTK_OBJECT
        world.scene.AddObserver(world.scene.NodeAddedEvent, listen)
        create_study_nodes(world.scene, scenes.add_ct(world.scene), name="A")
        assert ("A threshold", True) in told
        assert ("A current slice", True) in told
        assert ("A", False) in told


class TestResult:
    def test_the_result_is_the_one_that_was_put_in(self, study):
        rows = scenes.scored(study, SCORES)
        finish_study(
            study,
            rows,
            status=Status.CANCELLED,
            stopped="cancelled by the user",
            warnings=["a; b:"],
        )
        result = result_of(study)
        assert result.slices == tuple(rows)
        assert (result.status, result.stopped) == (Status.CANCELLED, "cancelled by the user")
        assert result.warnings == ("a; b:",)
        assert result.geometry == study.grid.axial
        assert result.threshold == 2.0

    def test_a_study_that_was_never_finished_has_failed(self, study):
        append_rows(study, scenes.scored(study, SCORES)[:3])
        assert result_of(study).status is Status.FAILED
        assert len(result_of(study).slices) == 3

    def test_the_final_rows_replace_the_live_ones(self, study):
        rows = scenes.scored(study, SCORES)
        append_rows(study, [SliceResult(0, -300.0, score=4.0), *rows[1:3]])
        finish_study(study, rows)
        assert result_of(study).slices == tuple(rows)
        finish_study(study, rows[:4])
        assert result_of(study).slices == tuple(rows[:4])
        assert result_of(study).status is Status.COMPLETE


class TestSeveral:
    def test_studies_of_one_ct_do_not_mix(self, world):
        ct = scenes.add_ct(world.scene)
        first, second = (create_study_nodes(world.scene, ct, name=name) for name in "AB")
        append_rows(first, scenes.scored(first, SCORES))
        append_rows(second, scenes.scored(second, [3.0] * 8)[:5])
        finish_study(first, scenes.scored(first, SCORES))
        mark_slice(first, 0)
        mark_slice(second, 1)
        set_threshold(second, 3.5)
        assert find_studies(world.scene) == [first, second]
        assert (first.name, second.name) == ("A", "B")
        assert not {n.GetID() for n in first.owned()} & {n.GetID() for n in second.owned()}
        assert first.folder != second.folder
        assert second.quality is None
        assert result_of(first).scores == tuple(s for s in SCORES if s is not None)
        assert result_of(second).scores == (3.0,) * 5
        assert points(first.marker) == [(-300.0, 0.3)] * 2
        assert points(second.marker) == [(-296.0, 3.0)] * 2
        assert (first.threshold, second.threshold) == (2.0, 3.5)

    def test_a_copy_of_the_table_is_not_a_study(self, world, study):
        copy = world.scene.AddNewNodeByClass("vtkMRMLTableNode")
        copy.Copy(study.table)
        assert find_studies(world.scene) == [study]

    def test_other_tables_are_not_studies(self, world):
        world.scene.AddNewNodeByClass("vtkMRMLTableNode", "MSIQA: not ours")
        assert find_studies(world.scene) == []


class TestEnd:
    def test_removing_leaves_everything_else(self, world):
        ct, pet = scenes.add_ct(world.scene), scenes.add_ct(world.scene, name="PET")
        other = create_study_nodes(world.scene, ct, name="stays")
        finish_study(other, scenes.scored(other, SCORES))
        before = world.nodes()
        items = hierarchy_of(world.scene).GetNumberOfItems()
        study = create_study_nodes(world.scene, ct, name="goes", pet_node=pet)
        assert (study.ct, study.pet) == (ct, pet)
        finish_study(study, scenes.scored(study, SCORES))
        assert world.nodes() != before
        remove_study(study)
        assert world.nodes() == before
        assert hierarchy_of(world.scene).GetNumberOfItems() == items
        assert not study.exists
        assert other.exists
        assert find_studies(world.scene) == [other]
        assert result_of(other).scores

    def test_what_the_user_put_into_the_folder_stays(self, world, study):
        hierarchy = hierarchy_of(world.scene)
        mine = world.scene.AddNewNodeByClass("vtkMRMLTextNode", "my notes")
        item = hierarchy.CreateItem(study.folder, mine)
        folder = study.folder
        remove_study(study)
        assert mine.GetScene() is world.scene
        assert hierarchy.GetItemParent(item) == folder
        assert hierarchy.GetNumberOfItemChildren(folder) == 1

    def test_a_folder_of_the_users_is_not_removed(self, world, study):
        hierarchy = hierarchy_of(world.scene)
        mine = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(study.table), mine)
        assert study.folder == 0
        remove_study(study)
        assert hierarchy.GetItemName(mine) == "mine"
        assert hierarchy.GetItemParent(mine) == hierarchy.GetSceneItemID()

    def test_after_the_end_calls_do_nothing(self, world, study):
        rows = scenes.scored(study, SCORES)
        remove_study(study)
        left = world.nodes()
        append_rows(study, rows)
        finish_study(study, rows)
        mark_slice(study, 1)
        remove_study(study)
        assert world.nodes() == left

    def test_closing_the_scene_ends_the_study(self, world, study):
        rows = scenes.scored(study, SCORES)
        world.scene.Clear(False)
        assert not study.exists
        append_rows(study, rows)
        finish_study(study, rows)
        assert find_studies(world.scene) == []

    def test_the_study_outlives_its_ct(self, world, study):
        world.scene.RemoveNode(study.ct)
        assert study.ct is None
        rows = scenes.scored(study, SCORES)
        append_rows(study, rows)
        finish_study(study, rows)
        assert result_of(study).scores

    def test_parts_that_the_user_deletes_are_not_missed(self, world, study):
        rows = scenes.scored(study, SCORES)
        for node in (study.marker.GetTableNode(), study.chart, study.curve, study.threshold_line):
            world.scene.RemoveNode(node)
        append_rows(study, rows)
        mark_slice(study, 3)
        set_threshold(study, 1.0)
        finish_study(study, rows)
        world.scene.RemoveNode(study.quality)
        finish_study(study, rows)
        assert study.quality is not None
        assert find_studies(world.scene) == [study]
        remove_study(study)
        assert find_studies(world.scene) == []

    def test_nothing_holds_on_to_removed_nodes(self, world):
        ct = scenes.add_ct(world.scene)
        references = ct.GetReferenceCount()
        study = create_study_nodes(world.scene, ct)
        finish_study(study, scenes.scored(study, SCORES))
        watched = []
        for node in (*study.owned(), study.table):
            watched.append(vtkWeakReference())
            watched[-1].Set(node)
        remove_study(study)
        del study, node
        gc.collect()
        assert [reference.Get() for reference in watched] == [None] * len(watched)
        assert ct.GetReferenceCount() == references

    def test_the_users_nodes_are_not_changed(self, world):
        ct = scenes.add_ct(world.scene)
        changed = []
        ct.AddObserver("AnyEvent", lambda _node, event: changed.append(event))
        study = create_study_nodes(world.scene, ct)
        finish_study(study, scenes.scored(study, SCORES))
        remove_study(study)
        assert changed == []


def test_importing_needs_neither_vtk_nor_anything_slicer_lacks():
    code = (
        "import importlib, pkgutil, sys, MSIQALib.scene as scene\n"
        "for found in pkgutil.iter_modules(scene.__path__):\n"
        "    importlib.import_module(f'MSIQALib.scene.{found.name}')\n"
        "unwanted = {'vtk', 'vtkmodules', 'slicer', 'matplotlib', 'torch', 'jinja2', 'typer'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
