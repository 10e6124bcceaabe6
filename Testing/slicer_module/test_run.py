"""What the module makes of a process, step by step, with an engine that waits when it is half done.

test_assessment.py has the real one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fake_engine import SCORE
from small_volumes import add_ct, add_pet

from __feature__ import true_property  # isort: skip # noqa: F401

SLICES = 12
HALF = SLICES // 2


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setattr("MSIQALib.process.settings.MODULE", "fake_engine")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def panel(widget, scene):
    add_ct(), add_pet()
    return widget()


@pytest.fixture
def run(panel, wait_for):
    """A run that has scored half of the slices and waits."""
    return half_way(panel, wait_for)


def half_way(panel, wait_for):
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: run.done or not run.running)
    assert run.done == HALF, "\n".join(run.log)
    return run


def go_on(run):
    (run.workspace.results / "go").touch()


def seen(run):
    return json.loads((run.workspace.results / "seen.json").read_text("utf-8"))


def states(run):
    from MSIQALib.scene.study import result_of

    return [row.state for row in result_of(run.nodes).slices]


def test_half_way_the_panel_shows_what_there_is(panel, run):
    assert run.nodes.table.GetNumberOfRows() == HALF
    assert run.nodes.quality is None
    assert (panel.ui.progressBar.value, panel.ui.progressBar.maximum) == (HALF, SLICES)
    assert panel.ui.statusLabel.text.startswith(f"{HALF} of {SLICES} slices, about 1 min left")
    assert "No network at all" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.isHidden()
    # Half a result is neither summed up nor saved.
    assert panel.ui.summaryLabel.isHidden()
    assert not panel.ui.reportButton.enabled
    assert not panel.ui.tableButton.enabled


def test_cancel_stops_it_and_keeps_the_first_half(panel, run, wait_for):
    panel.ui.cancelButton.click()
    wait_for(lambda: not run.running)
    assert run.state.value == "cancelled"
    assert states(run) == ["assessed"] * HALF + ["not reached"] * HALF
    assert run.nodes.quality is not None
    assert "Partial result: stopped by the user" in panel.ui.summaryLabel.text
    assert "Not real." in panel.ui.warningsLabel.text
    assert f"Cancelled; {HALF} finished slices are kept" in panel.ui.statusLabel.text
    assert panel.ui.reportButton.enabled


def test_two_side_by_side_in_the_panel(panel, run, wait_for, scene):
    """The button belongs to the volumes that are selected, and Cancel to their run alone."""
    from MSIQALib.scene.study import find_studies

    first_ct, first_pet = panel.ui.ctSelector.currentNode(), panel.ui.petSelector.currentNode()
    panel.ui.ctSelector.setCurrentNode(add_ct("CT 2"))
    panel.ui.petSelector.setCurrentNode(add_pet("PET 2"))
    assert not panel.ui.applyButton.isHidden()
    assert panel.ui.applyButton.enabled
    assert panel.ui.statusLabel.text == ""
    other = half_way(panel, wait_for)
    assert other is not run
    assert panel.results.nodes == other.nodes
    panel.ui.cancelButton.click()
    wait_for(lambda: not other.running)
    assert run.running
    assert not run.cancelling
    panel.ui.ctSelector.setCurrentNode(first_ct)
    panel.ui.petSelector.setCurrentNode(first_pet)
    assert panel.ui.cancelButton.enabled
    assert not panel.ui.cancelButton.isHidden()
    go_on(run)
    wait_for(lambda: not run.running)
    assert (run.state.value, other.state.value) == ("complete", "cancelled")
    assert find_studies(scene) == [run.nodes, other.nodes]
    assert panel.results.nodes == run.nodes
    assert f"{SCORE:.2f}" in panel.ui.summaryLabel.text


def test_a_run_in_the_background_does_not_take_the_panel(panel, run, wait_for):
    """What is shown changes by the user's choice, or by the run of the selected volumes."""
    panel.ui.ctSelector.setCurrentNode(add_ct("CT 2"))
    panel.ui.petSelector.setCurrentNode(add_pet("PET 2"))
    other = half_way(panel, wait_for)
    go_on(run)
    wait_for(lambda: not run.running)
    assert panel.results.nodes == other.nodes
    assert panel.ui.statusLabel.text.startswith(f"{HALF} of {SLICES}")
    assert not panel.ui.cancelButton.isHidden()
    assert run.nodes.quality is not None


def test_twice_in_a_row(panel, run, wait_for, scene):
    from MSIQALib.scene.study import find_studies

    go_on(run)
    wait_for(lambda: not run.running)
    again = half_way(panel, wait_for)
    assert again is not run
    go_on(again)
    wait_for(lambda: not again.running)
    names = [study.name for study in find_studies(scene)]
    assert len(set(names)) == 2
    assert panel.results.nodes == again.nodes


def test_removing_the_results_while_it_runs_is_no_error(panel, run, wait_for, scene):
    from MSIQALib.scene.study import find_studies, remove_study

    remove_study(run.nodes)
    assert panel.ui.resultsCollapsibleButton.isHidden()
    go_on(run)
    wait_for(lambda: not run.running)
    assert run.state.value == "complete"
    assert find_studies(scene) == []
    assert panel.ui.resultsCollapsibleButton.isHidden()


def test_deleting_the_ct_keeps_what_is_done(panel, run, wait_for, scene):
    scene.RemoveNode(panel.ui.ctSelector.currentNode())
    wait_for(lambda: not run.running)
    assert run.state.value == "cancelled"
    assert "CT was removed while it was assessed" in run.message
    assert states(run) == ["assessed"] * HALF + ["not reached"] * HALF


def test_other_nodes_may_go_while_it_runs(panel, run, wait_for, scene):
    scene.RemoveNode(add_ct("CT 2"))
    go_on(run)
    wait_for(lambda: not run.running)
    assert run.state.value == "complete"


def test_settings_reach_process_and_scene(panel, wait_for):
    panel.ui.thresholdSlider.value = 1.5
    panel.ui.ctCentreSpinBox.value = 50.0
    run = half_way(panel, wait_for)
    text = " ".join(seen(run)["arguments"])
    assert "--threshold 1.5 " in text
    assert "--ct-centre 50 --ct-width 250" in text
    assert "--features" not in text
    assert run.nodes.threshold == 1.5


def test_activity_reaches_the_process_as_suv(panel, monkeypatch, wait_for):
    from MSIQAModuleLib import dicom_headers, inputs
    from MSIQAModuleLib import run as run_module

    unit = dicom_headers.PetUnit("Bq/ml", 2.5e-4)
    for place in (inputs, run_module):
        monkeypatch.setattr(place, "pet_unit", lambda node: unit)
    panel.ui.petSelector.setCurrentNode(add_pet("raw", high=20000.0))
    assert "converted to SUV" in panel.ui.petMessage.text
    assert seen(half_way(panel, wait_for))["pet maximum"] == pytest.approx(5.0)


def test_ct_under_a_bending_transform_is_assessed_where_it_lies(module, scene, wait_for):
    """The study's slices are those of the copy that the process gets."""
    import vtk

    ct, pet = add_ct(), add_pet()
    splines = vtk.vtkThinPlateSplineTransform()
    splines.SetBasisToR()
    sources, targets = vtk.vtkPoints(), vtk.vtkPoints()
    for r, a, s in np.ndindex(2, 2, 2):
        place = np.array((r * 44.0, a * 40.0, s * 60.0))
        sources.InsertNextPoint(*place)
        targets.InsertNextPoint(*(place * (1, 1, 1.2) + (0, 0, 30.0)))
    splines.SetSourceLandmarks(sources)
    splines.SetTargetLandmarks(targets)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(splines)
    for node in (ct, pet):
        node.SetAndObserveTransformNodeID(transform.GetID())
    run = module.MSIQALogic().assess(ct, pet, blocking=False)
    wait_for(lambda: run.done or not run.running)
    go_on(run)
    wait_for(lambda: not run.running)
    assert run.state.value == "complete", run.message
    low, high = run.nodes.grid.limits_mm
    assert low == pytest.approx(30.0 - 3.0, abs=6.0)
    assert high > 90.0
    assert ct.GetParentTransformNode() is transform
    run.discard()


def test_images_go_when_it_ends_and_the_rest_with_the_panel(panel, run, wait_for, app):
    assert run.workspace.ct.exists()
    go_on(run)
    wait_for(lambda: not run.running)
    assert not run.workspace.ct.exists()
    assert not run.workspace.pet.exists()
    assert run.workspace.results.exists()
    panel.cleanup()
    assert list(Path(app.temporaryPath).glob("msiqa-*")) == []
    assert run.Observations == []
    assert app.connected["aboutToQuit()"] == []
