"""slicer.util.loadUI and childWidgetVariables (Base/Python/slicer/util.py) over PySide6.

The file is Designer's and is loaded whole. Its connections have signatures with MRML types that
PySide6 does not know; they are taken out and made here.
"""

from __future__ import annotations

import types
import xml.etree.ElementTree as ElementTree

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from standins.widgets import CUSTOM

from __feature__ import true_property  # isort: skip # noqa: F401

SCENE_SIGNAL, SCENE_SLOT = "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)"


def load_ui(path: str) -> QWidget:
    tree = ElementTree.parse(path)
    connections = tree.find("connections")
    made = list(connections)
    connections.clear()
    loader = QUiLoader()
    for widget in CUSTOM:
        loader.registerCustomWidget(widget)
    buffer = QBuffer()
    buffer.setData(QByteArray(ElementTree.tostring(tree.getroot())))
    buffer.open(QIODevice.ReadOnly)
    root = loader.load(buffer)
    if root is None:
        raise RuntimeError(f"Could not load UI file: {path}: {loader.errorString()}")
    for connection in made:
        assert connection.findtext("signal") == SCENE_SIGNAL
        assert connection.findtext("slot") == SCENE_SLOT
        assert connection.findtext("sender") == root.objectName
        receiver = root.findChild(QWidget, connection.findtext("receiver"))
        root.receivers_of_scene.append(receiver)
    return root


def child_widget_variables(widget: QWidget) -> types.SimpleNamespace:
    children = widget.findChildren(QWidget)
    return types.SimpleNamespace(
        **{child.objectName: child for child in children if child.objectName}
    )
