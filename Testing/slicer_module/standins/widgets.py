"""Slicer's and CTK's own widgets, as far as the module uses them."""

from __future__ import annotations

import slicer
import vtk
from PySide6.QtCore import Property, QMargins, Qt, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGroupBox, QHBoxLayout, QSlider, QWidget

from __feature__ import true_property  # isort: skip # noqa: F401


class qMRMLWidget(QWidget):
    """Libs/MRML/Widgets/qMRMLWidget.h: hands the scene on by its signal mrmlSceneChanged.

    Which widgets get it is read from the connections of the .ui file (see `load_ui`).
    """

    def __init__(self, parent=None):
        super().__init__(parent)
        self.receivers_of_scene = []
        self.isEntered = True

    def setMRMLScene(self, scene):
        for widget in self.receivers_of_scene:
            widget.setMRMLScene(scene)


class qMRMLNodeComboBox(QWidget):
    """Libs/MRML/Widgets/qMRMLNodeComboBox.h and .cxx.

    Nodes of the scene of the given types that are not hidden from editors; "None" where that is
    enabled; without it the first node is current as soon as there is one.
    """

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._types, self._scene, self._node = [], None, None
        self._none = True
        self._children, self._add, self._remove = True, True, True
        self._box = QComboBox(self)
        row = QHBoxLayout(self)
        row.contentsMargins = QMargins()
        row.addWidget(self._box)

    def _nodeTypes(self):
        return self._types

    def _setNodeTypes(self, types):
        self._types = list(types)

    def _flag(name):
        return Property(
            bool, lambda self: getattr(self, name), lambda self, on: setattr(self, name, on)
        )

    nodeTypes = Property("QStringList", _nodeTypes, _setNodeTypes)
    noneEnabled = _flag("_none")
    showChildNodeTypes = _flag("_children")
    addEnabled = _flag("_add")
    removeEnabled = _flag("_remove")

    def setMRMLScene(self, scene):
        self._scene = scene
        scene.AddObserver(scene.NodeRemovedEvent, self._on_removed)

    def nodes(self):
        found = []
        for kind in self._types:
            for node in slicer.util.getNodesByClass(kind, self._scene):
                if not node.GetHideFromEditors() and (
                    self._children or node.GetClassName() == kind
                ):
                    found.append(node)
        return found

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node):
        if node is not self._node:
            self._node = node
            self._box.clear()
            self._box.addItem(node.GetName() if node is not None else "None")
            self.currentNodeChanged.emit(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_removed(self, caller, event, node):
        if node is self._node:
            self.setCurrentNode(None)


class ctkCollapsibleButton(QGroupBox):
    """CTK: Libs/Widgets/ctkCollapsibleButton.h. A title over contents that can be folded away."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed = "", False

    def _get_text(self):
        return self._text

    def _set_text(self, text):
        self._text = text
        self._show()

    def _get_collapsed(self):
        return self._collapsed

    def _set_collapsed(self, collapsed):
        self._collapsed = collapsed
        self._show()

    def _show(self):
        self.title = f"{'▸' if self._collapsed else '▾'} {self._text}"
        self.maximumHeight = 18 if self._collapsed else 16777215

    text = Property(str, _get_text, _set_text)
    collapsed = Property(bool, _get_collapsed, _set_collapsed)


class ctkSliderWidget(QWidget):
    """CTK: Libs/Widgets/ctkSliderWidget.h. A slider and a spin box for one float."""

    valueChanged = Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._value, self._minimum, self._maximum = 0.0, 0.0, 99.0
        self._step, self._page, self._decimals = 1.0, 1.0, 2
        self._slider, self._box = QSlider(Qt.Horizontal, self), QDoubleSpinBox(self)
        row = QHBoxLayout(self)
        row.contentsMargins = QMargins()
        row.addWidget(self._slider)
        row.addWidget(self._box)

    def _get_value(self):
        return self._value

    def _set_value(self, value):
        value = min(max(value, self._minimum), self._maximum)
        if value != self._value:
            self._value = value
            self._slider.value = round(
                99 * (value - self._minimum) / max(self._maximum - self._minimum, 1e-9)
            )
            self._box.value = value
            self.valueChanged.emit(value)

    def _number(name):
        return Property(
            float, lambda self: getattr(self, name), lambda self, to: setattr(self, name, to)
        )

    value = Property(float, _get_value, _set_value)
    minimum = _number("_minimum")
    maximum = _number("_maximum")
    singleStep = _number("_step")
    pageStep = _number("_page")
    decimals = _number("_decimals")


CUSTOM = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton, ctkSliderWidget)
