"""An assessment by clicks: the real process, on a small phantom."""

from __future__ import annotations

import os
import signal

import pytest

from __feature__ import true_property  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("use_weights")]

SLICES = 10


@pytest.fixture
def panel(widget, add_phantom):
    add_phantom()
    return widget()


def run_of(panel):
    return panel.currentRun()


def pid_of(run):
    return run._process.processId()


def test_a_click_assesses_and_shows_the_result(panel, wait_for, app, scene):
    from MSIQALib.scene.study import find_studies, result_of

    before = app.layoutManager().layout
    panel.ui.applyButton.click()
    run = run_of(panel)
    assert run.running
    assert panel.ui.applyButton.isHidden()
    assert not panel.ui.cancelButton.isHidden()
    assert not panel.ui.progressBar.isHidden()
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
    assert not run.workspace.ct.exists()
    assert run.report is not None
    assert app.layoutManager().plotViewCount == 1
    panel.ui.chartButton.click()
    assert app.layoutManager().layout == before
