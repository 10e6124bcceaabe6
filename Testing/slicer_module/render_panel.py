"""Draw the module's panel offscreen, for a look at it: pytest Testing/slicer_module/render_panel.py

The picture goes to $MSIQA_PANEL (default panel.png). It is the real .ui file over Qt's own widgets;
those of Slicer and CTK are stand-ins, which look plainer than in Slicer.
"""

from __future__ import annotations

import os

from test_results import add_study

from __feature__ import true_property  # isort: skip # noqa: F401


def test_render(widget, scene, add_phantom, app):
    ct, _pet = add_phantom()
    nodes = add_study(scene, ct, low=3, pet=False, slices=10)
    panel = widget()
    panel.ui.advancedCollapsibleButton.collapsed = False
    panel.results.update(show=nodes)
    panel.ui.overlayComboBox.currentIndex = 1
    panel.parent.resize(420, 820)
    app.processEvents()
    panel.parent.grab().save(os.environ.get("MSIQA_PANEL", "panel.png"))
