"""slicer.parameterNodeWrapper, for nodes, numbers, texts and truth values.

Follows Base/Python/slicer/parameterNodeWrapper: wrapper.py (properties over a parameter node,
connectGui by the dynamic property SlicerParameterName, the GUI follows the node's ModifiedEvent),
serializers.py (nodes are kept as node references, the rest as parameters), validators.py (values
outside of a range or choice are refused with ValueError), guiConnectors.py (which widget takes
which type; a combo box gets the choices as its items).
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass

import vtk
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox

from standins.widgets import ctkSliderWidget, qMRMLNodeComboBox

from __feature__ import true_property  # isort: skip # noqa: F401

PROPERTY = "SlicerParameterName"


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Choice:
    choices: list


class _Parameter:
    def __init__(self, name, hint, default):
        self.name = name
        self.type, *self.annotations = (
            typing.get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
        )
        self.default = default

    @property
    def is_node(self):
        return self.type.__name__.startswith("vtkMRML")

    def annotation(self, kind):
        return next((a for a in self.annotations if isinstance(a, kind)), None)

    def read(self, node):
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return text == "True" if self.type is bool else self.type(text)

    def write(self, node, value):
        if self.is_node:
            if value is not None and not value.IsA(self.type.__name__):
                raise ValueError(f"{self.name} must be a {self.type.__name__}")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, self.type):
            raise ValueError(f"{self.name} must be {self.type}, not {value!r}")
        within, choice = self.annotation(WithinRange), self.annotation(Choice)
        if within is not None and not within.minimum <= value <= within.maximum:
            raise ValueError(f"{self.name}={value} is out of its range")
        if choice is not None and value not in choice.choices:
            raise ValueError(f"{self.name}={value} is no choice")
        node.SetParameter(self.name, str(value))


def _connector(widget, parameter):
    """Read, write and change signal of a widget."""
    if parameter.is_node and type(widget) is qMRMLNodeComboBox:
        return widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    if parameter.type is bool and type(widget) is QCheckBox:
        return _attribute(widget, "checked", widget.stateChanged)
    if parameter.type is float and type(widget) in (ctkSliderWidget, QDoubleSpinBox):
        within = parameter.annotation(WithinRange)
        widget.minimum, widget.maximum = within.minimum, within.maximum
        return _attribute(widget, "value", widget.valueChanged)
    if parameter.type is str and type(widget) is QComboBox:
        choices = parameter.annotation(Choice).choices
        widget.clear()
        for choice in choices:
            widget.addItem(str(choice))

        def write(value):
            widget.currentIndex = choices.index(value)

        return lambda: choices[widget.currentIndex], write, widget.currentIndexChanged
    raise RuntimeError(f"Unable to create GUI connector from {parameter.type} to {type(widget)}")


def _attribute(widget, name, signal):
    return lambda: getattr(widget, name), lambda value: setattr(widget, name, value), signal


class _Wrapper:
    def __init__(self, parameter_node):
        self.parameterNode = parameter_node
        self._guis = {}
        self._updating = False
        for parameter in self.allParameters.values():
            known = parameter_node.GetParameterNames()
            if not parameter.is_node and parameter.name not in known:
                parameter.write(parameter_node, parameter.default)

    def connectGui(self, gui):
        connections = []
        widgets = [w for w in vars(gui).values() if hasattr(w, "property") and w.property(PROPERTY)]
        for widget in widgets:
            parameter = self.allParameters[widget.property(PROPERTY)]
            read, write, signal = _connector(widget, parameter)
            write(parameter.read(self.parameterNode))

            def changed(*_unused, parameter=parameter, read=read):
                if not self._updating:
                    parameter.write(self.parameterNode, read())

            signal.connect(changed)
            connections.append((parameter, write, signal, changed))

        def follow(caller, event):
            if self._updating:
                return
            self._updating = True
            try:
                for parameter, write, _signal, _changed in connections:
                    write(parameter.read(self.parameterNode))
            finally:
                self._updating = False

        tag = len(self._guis)
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, follow)
        self._guis[tag] = (connections, observer)
        return tag

    def disconnectGui(self, tag):
        connections, observer = self._guis.pop(tag, ((), None))
        for _parameter, _write, signal, changed in connections:
            signal.disconnect(changed)
        if observer is not None:
            self.RemoveObserver(observer)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)


def parameterNodeWrapper(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {
        name: _Parameter(name, hint, getattr(cls, name, None)) for name, hint in hints.items()
    }

    def make_property(parameter):
        return property(
            lambda self: parameter.read(self.parameterNode),
            lambda self, value: parameter.write(self.parameterNode, value),
        )

    members = {name: make_property(parameter) for name, parameter in parameters.items()}
    return type(cls.__name__, (_Wrapper,), {**members, "allParameters": parameters})


def make_module() -> types.ModuleType:
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.parameterNodeWrapper = parameterNodeWrapper
    module.WithinRange = WithinRange
    module.Choice = Choice
    return module
