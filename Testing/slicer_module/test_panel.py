"""The panel before an assessment: choice of inputs, warnings, the button."""

from __future__ import annotations

from __feature__ import true_property  # noqa: F401


def test_inputs_choose_themselves_and_the_button_is_ready(widget, add_phantom):
    ct, pet = add_phantom()
    panel = widget()
    assert panel.ui.ctSelector.currentNode() is ct
    assert panel.ui.petSelector.currentNode() is pet
    assert panel.ui.applyButton.enabled
    assert panel.ui.ctMessage.isHidden()
    assert panel.ui.petMessage.isHidden()
