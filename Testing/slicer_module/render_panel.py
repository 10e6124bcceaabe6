"""Draw the module's panel offscreen: pytest Testing/slicer_module/render_panel.py

The pictures go to $MSIQA_PANEL (default panel.png): the panel before, while and after it assesses a
phantom with the shipped weights, side by side; and, under the same name with "-mistakes", what it
says of poor choices and of a process that was killed. It is the real .ui file over Qt's own
widgets; those of Slicer and CTK are stand-ins, which look plainer than in Slicer.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QPainter, QPixmap

from small_volumes import add_ct, add_pet

from __feature__ import true_property  # isort: skip # noqa: F401

WIDTH = 440
GAP = 16
OUTPUT = Path(os.environ.get("MSIQA_PANEL", "panel.png"))


@pytest.fixture
def shot(app):
    """Takes a picture of the panel."""

    def take(panel, height):
        panel.parent.resize(WIDTH, height)
        app.processEvents()
        return panel.parent.grab()

    return take


def test_before_while_and_after(module, widget, scene, shot, wait_for):
    from MSIQAModuleLib import sample_data

    sample_data.load_phantom()
    panel = widget()
    panel.ui.mapF_WCheckBox.checked = True
    panel.ui.advancedCollapsibleButton.collapsed = False
    pictures = [shot(panel, 565)]
    panel.ui.advancedCollapsibleButton.collapsed = True
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: run.done >= 16)
    pictures.append(shot(panel, 565))
    wait_for(lambda: not run.running)
    panel.ui.overlayComboBox.currentIndex = 1
    pictures.append(shot(panel, 565))
    side_by_side(pictures).save(str(OUTPUT))


def test_mistakes(module, widget, scene, add_phantom, shot, wait_for):
    ct, pet = add_ct(), add_pet()
    panel = widget()
    panel.ui.petSelector.setCurrentNode(ct)
    panel.ui.ctSelector.setCurrentNode(pet)
    pictures = [shot(panel, 780)]
    panel.ui.ctSelector.setCurrentNode(add_ct("CT, 6 slices", slices=6))
    panel.ui.petSelector.setCurrentNode(add_pet("PET, raw", high=31000.0))
    pictures.append(shot(panel, 780))
    good_ct, good_pet = add_phantom()
    panel.ui.ctSelector.setCurrentNode(good_ct)
    panel.ui.petSelector.setCurrentNode(good_pet)
    panel.ui.applyButton.click()
    run = panel.currentRun()
    wait_for(lambda: run.done >= 8)
    os.kill(run._process.processId(), signal.SIGKILL)
    wait_for(lambda: not run.running)
    panel.ui.logButton.click()
    pictures.append(shot(panel, 780))
    side_by_side(pictures).save(str(OUTPUT.with_stem(f"{OUTPUT.stem}-mistakes")))


def side_by_side(pictures):
    width = sum(picture.width() for picture in pictures) + GAP * (len(pictures) - 1)
    whole = QPixmap(width, max(picture.height() for picture in pictures))
    whole.fill(QColor("white"))
    painter = QPainter(whole)
    left = 0
    for picture in pictures:
        painter.drawPixmap(left, 0, picture)
        left += picture.width() + GAP
    painter.end()
    return whole
