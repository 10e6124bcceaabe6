"""`qt`: Qt as PythonQt shows it.

PythonQt (src/PythonQtInstanceWrapper.cpp, PythonQtInstanceWrapper_getattro) gives Qt properties as
attributes; PySide6 does so for modules that ask for `true_property`, which these tests do for the
module under test. Static methods that fill arguments differ: QFileDialog.getSaveFileName gives the
path alone (generated_cpp_515/com_trolltech_qt_gui/com_trolltech_qt_gui1.h).
"""

from __future__ import annotations

import types

import shibokensupport.feature as feature
from PySide6 import QtCore, QtGui, QtWidgets

TRUE_PROPERTY = 0x02


class QFileDialog:
    """Answers what a test puts into `answer`."""

    answer = ""

    @staticmethod
    def getSaveFileName(parent=None, caption="", directory="", kinds=""):
        return QFileDialog.answer


def use_properties(*modules: str) -> None:
    """Give modules, by name, Qt's properties as attributes."""
    for name in modules:
        feature.set_selection(TRUE_PROPERTY, name)


def make_module() -> types.ModuleType:
    module = types.ModuleType("qt")

    def find(name):
        for source in (QtCore, QtGui, QtWidgets):
            if hasattr(source, name):
                return getattr(source, name)
        raise AttributeError(f"qt has no {name}")

    module.__getattr__ = find
    module.QFileDialog = QFileDialog
    return module
