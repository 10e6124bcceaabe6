"""An assessment by clicks: the real process, on a small phantom."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from __feature__ import true_property  # isort: skip # noqa: F401

pytestmark = pytest.mark.usefixtures("use_weights")

SLICES = 10
ONE_BATCH = 8
"""Slices that a CPU scores at once; the rest is to come when the first are there."""


@pytest.fixture
def panel(widget, add_phantom):
    add_phantom()
    return widget()


@pytest.fixture
def started(panel, wait_for):
    """A run whose process is up."""
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: pid_of(run) > 0)
    return run


def pid_of(run):
    return run._process.processId()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def observations(panel):
    """What the panel, its views and its runs observe (VTKObservationMixin.Observations)."""
    mixins = (panel, panel.results.views, *panel.logic.runs)
    return [observation for mixin in mixins for observation in mixin.Observations]


def workspaces(app):
    return list(Path(app.temporaryPath).glob("msiqa-*"))


@pytest.mark.slow
def test_a_click_assesses_and_shows_the_result(panel, wait_for, app, scene, tmp_path):
    from MSIQALib.report.table import read_scores_csv
    from MSIQALib.scene.study import find_studies, result_of

    from standins.python_qt import QFileDialog

    before = app.layoutManager().layout
    panel.ui.mapF_WCheckBox.checked = True
    panel.ui.applyButton.click()
    run = panel.currentRun()
    assert run.running
    assert panel.ui.applyButton.isHidden()
    assert not panel.ui.cancelButton.isHidden()
    assert not panel.ui.progressBar.isHidden()

    # The curve grows while it runs.
    wait_for(lambda: run.done >= ONE_BATCH)
    assert run.nodes.table.GetNumberOfRows() >= ONE_BATCH
    assert f"of {SLICES} slices" in panel.ui.statusLabel.text
    assert "CPU" in panel.ui.statusLabel.text
    assert app.layoutManager().plotViewCount == 1

    wait_for(lambda: not run.running)
    assert run.state.value == "complete", "\n".join(run.log)
    (study,) = find_studies(scene)
    result = result_of(study)
    assert [row.index for row in result.slices] == list(range(SLICES))
    assert not panel.ui.applyButton.isHidden()
    assert panel.ui.cancelButton.isHidden()
    assert f"{result.mean:.2f}" in panel.ui.summaryLabel.text
    assert panel.ui.worstList.count == 5
    assert f"{result.worst()[0].score:.2f}" in panel.ui.worstList.item(0).text()

    # Copies of the images are gone; the report stays to be saved.
    assert not run.workspace.ct.exists()
    assert not run.workspace.pet.exists()
    QFileDialog.answer = str(tmp_path / "mine.html")
    panel.ui.reportButton.click()
    assert "data:image" in (tmp_path / "mine.html").read_text()
    QFileDialog.answer = str(tmp_path / "mine.csv")
    panel.ui.tableButton.click()
    saved = read_scores_csv(tmp_path / "mine.csv")
    assert [row.score for row in saved] == pytest.approx(result.scores, abs=1e-4)

    # The map that was asked for, and no other.
    assert list(study.heatmaps) == ["F_W"]
    entries = [
        panel.ui.overlayComboBox.itemText(at) for at in range(panel.ui.overlayComboBox.count)
    ]
    assert entries == ["None", "Quality of each slice", "Heatmap F_W"]
    panel.ui.overlayComboBox.currentIndex = 2
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetForegroundVolumeID() == study.heatmaps["F_W"].GetID()

    panel.ui.chartButton.click()
    assert app.layoutManager().layout == before
    panel.cleanup()
    assert workspaces(app) == []
    assert observations(panel) == []
    assert run.Observations == []


@pytest.mark.slow
def test_cancel_keeps_what_is_done(panel, started, wait_for):
    wait_for(lambda: started.done >= ONE_BATCH or not started.running)
    panel.ui.cancelButton.click()
    assert not panel.ui.cancelButton.enabled
    wait_for(lambda: not started.running)
    assert started.done >= ONE_BATCH
    assert len(panel.logic.resultOf(started).assessed) >= ONE_BATCH
    assert not panel.ui.applyButton.isHidden()
    # Within the last batch the wish comes too late, and the result is whole.
    assert started.state.value in ("cancelled", "complete")


@pytest.mark.slow
def test_killed_process_leaves_the_finished_slices_and_the_log(
    panel, started, wait_for, scene, tmp_path
):
    from standins.python_qt import QFileDialog

    wait_for(lambda: started.done >= ONE_BATCH)
    os.kill(pid_of(started), signal.SIGKILL)
    wait_for(lambda: not started.running)
    assert started.state.value == "failed"
    result = panel.logic.resultOf(started)
    assert len(result.assessed) >= ONE_BATCH
    assert len(result.slices) == SLICES
    assert started.nodes.quality is not None
    assert "ended from outside" in panel.ui.statusLabel.text
    assert "finished slices are kept" in panel.ui.statusLabel.text
    assert not panel.ui.logButton.isHidden()
    panel.ui.logButton.click()
    assert not panel.ui.logText.isHidden()
    assert "-m MSIQALib.process assess" in panel.ui.logText.plainText
    assert panel.ui.applyButton.enabled
    QFileDialog.answer = str(tmp_path / "partial.html")
    panel.ui.reportButton.click()
    assert "artial" in (tmp_path / "partial.html").read_text()


def test_process_killed_before_the_first_slice(panel, started, wait_for, scene):
    from MSIQALib.scene.study import find_studies

    os.kill(pid_of(started), signal.SIGKILL)
    wait_for(lambda: not started.running)
    assert started.state.value == "failed"
    assert find_studies(scene) == []
    assert panel.ui.resultsCollapsibleButton.isHidden()
    assert panel.ui.applyButton.enabled
    with pytest.raises(RuntimeError, match="ended from outside"):
        panel.logic.resultOf(started)


@pytest.mark.slow
def test_input_that_the_engine_refuses(panel, wait_for, monkeypatch):
    monkeypatch.setenv("MSIQA_MODEL", "/nowhere/weights.safetensors")
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: not run.running)
    assert run.state.value == "failed"
    assert "no such weights file" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.enabled


def test_program_that_cannot_be_started(panel, wait_for, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/PythonSlicer")
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: not run.running)
    assert "could not be started" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.enabled


def test_closing_the_scene_ends_the_process(panel, started, app, scene):
    pid = pid_of(started)
    scene.Clear(0)
    assert not alive(pid)
    assert workspaces(app) == []
    assert not started.running
    assert panel.ui.resultsCollapsibleButton.isHidden()
    assert not panel.ui.applyButton.isHidden()
    assert not panel.ui.applyButton.enabled


@pytest.mark.parametrize("name", ["ctSelector", "petSelector"])
def test_deleting_an_input_ends_the_process(panel, started, wait_for, scene, name):
    pid = pid_of(started)
    scene.RemoveNode(getattr(panel.ui, name).currentNode())
    wait_for(lambda: not started.running)
    assert not alive(pid)
    assert "was removed while it was assessed" in started.message
    assert not panel.ui.applyButton.enabled


def test_leaving_slicer_ends_the_process(panel, started, app):
    pid = pid_of(started)
    app.emit("aboutToQuit()")
    assert not alive(pid)
    assert workspaces(app) == []
    assert app.connected["aboutToQuit()"] == []


def test_reloading_the_module_ends_the_process_and_observes_nothing(
    panel, started, app, scene, monkeypatch
):
    import sys

    import slicer

    # reloadScriptedModule reads the script anew and then calls the old widget's cleanup().
    monkeypatch.setattr(slicer.util, "reloadScriptedModule", lambda name: panel.cleanup())
    pid = pid_of(started)
    kept = {name: part for name, part in sys.modules.items() if name.startswith("MSIQAModuleLib")}
    panel.onReload()
    assert "MSIQAModuleLib.run" not in sys.modules
    sys.modules.update(kept)
    assert not alive(pid)
    assert workspaces(app) == []
    assert observations(panel) == []
    assert started.Observations == []
    assert panel._parameterNode is None
    scene.GetFirstNodeByClass("vtkMRMLSliceNode").SetSliceOffset(3.0)


@pytest.mark.slow
def test_two_side_by_side_without_the_panel(module, add_phantom, app, scene, wait_for):
    from MSIQALib.scene.study import find_studies

    changes = []
    logic = module.MSIQALogic()
    first_pair, second_pair = add_phantom(), add_phantom("CT 2", "PET 2")
    first = logic.assess(*first_pair, blocking=False, onChange=changes.append)
    second = logic.assess(*second_pair)
    assert not second.running
    wait_for(lambda: not first.running)
    assert {run.state.value for run in (first, second)} == {"complete"}
    assert len(find_studies(scene)) == 2
    assert first.nodes.ct is first_pair[0]
    assert second.nodes.ct is second_pair[0]
    assert logic.resultOf(first).scores == logic.resultOf(second).scores
    assert first in changes
    assert second not in changes
    logic.discardAll()
    assert workspaces(app) == []


def test_without_the_panel_a_poor_choice_is_refused(module, add_phantom):
    ct, pet = add_phantom()
    with pytest.raises(ValueError, match="swapped"):
        module.MSIQALogic().assess(pet, ct)
    with pytest.raises(ValueError, match="Choose a CT"):
        module.MSIQALogic().assess(None)


@pytest.mark.slow
def test_the_modules_own_test_passes(module, scene):
    """What Slicer runs by "Reload and Test" and its build as py_MSIQA."""
    test = module.MSIQATest()
    test.messageDelay = 1
    test.runTest()
