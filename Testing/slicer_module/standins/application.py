"""slicer.app, its layout manager and slicer.modules."""

from __future__ import annotations

import contextlib
import types
from pathlib import Path

import slicer
import vtk
from PySide6.QtWidgets import QApplication

from __feature__ import true_property  # isort: skip # noqa: F401

SLICE_VIEWS = ("Red", "Green", "Yellow")
"""Axial, coronal, sagittal: the views of Slicer's four-up layout."""


class SignalsBySignature:
    """PythonQt's `object.connect("signal(type)", callable)` (src/PythonQtInstanceWrapper.cpp)."""

    def __init__(self):
        self.connected: dict[str, list] = {}

    def connect(self, signature, receiver):
        self.connected.setdefault(signature, []).append(receiver)
        return True

    def disconnect(self, signature, receiver):
        with contextlib.suppress(ValueError):
            self.connected.get(signature, []).remove(receiver)
        return True

    def emit(self, signature, *values):
        for receiver in list(self.connected.get(signature, ())):
            receiver(*values)


class SliceView:
    """Libs/MRML/Widgets/qMRMLSliceView.h over CTK's ctkVTKAbstractView.h: it has annotations."""

    def __init__(self):
        self._annotation = vtk.vtkCornerAnnotation()
        self.renders = 0

    def cornerAnnotation(self):
        return self._annotation

    def scheduleRender(self):
        self.renders += 1


class SliceWidget:
    """Libs/MRML/Widgets/qMRMLSliceWidget.h."""

    def __init__(self):
        self._view = SliceView()

    def sliceView(self):
        return self._view


class LayoutManager:
    """Libs/MRML/Widgets/qMRMLLayoutManager.h over Slicer's own vtkMRMLLayoutLogic."""

    def __init__(self, scene):
        self._scene = scene
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        for name in SLICE_VIEWS:
            composite = slicer.vtkMRMLSliceCompositeNode()
            composite.SetLayoutName(name)
            composite.SetSingletonTag(name)
            scene.AddNode(composite)
        self.plot_view = SignalsBySignature()  # qMRMLPlotView.h: signal dataSelected
        self._widgets = {name: SliceWidget() for name in SLICE_VIEWS}

    @property
    def layout(self):
        return self._logic.GetLayoutNode().GetViewArrangement()

    @layout.setter
    def layout(self, arrangement):
        self._logic.GetLayoutNode().SetViewArrangement(arrangement)

    @property
    def plotViewCount(self):
        views = self._logic.GetViewNodes()
        nodes = (views.GetItemAsObject(at) for at in range(views.GetNumberOfItems()))
        return sum(node.IsA("vtkMRMLPlotViewNode") for node in nodes)

    def plotWidget(self, index):
        return types.SimpleNamespace(plotView=lambda: self.plot_view)

    def sliceWidget(self, name):
        return self._widgets.get(name)

    def mrmlSliceLogics(self):
        return vtk.vtkCollection()


class Application(SignalsBySignature):
    """Base/QTCore/qSlicerCoreApplication.h and Base/QTGUI/qSlicerApplication.h."""

    applicationName = "Slicer"

    def __init__(self, scene, temporary: Path):
        super().__init__()
        self.temporaryPath = str(temporary)
        self._layout_manager = LayoutManager(scene)
        self._module_manager = SignalsBySignature()

    def layoutManager(self):
        return self._layout_manager

    def moduleManager(self):
        return self._module_manager

    def translate(self, context, text):
        return text

    def testingEnabled(self):
        return False

    def processEvents(self):
        QApplication.processEvents()


class PlotsLogic:
    """Modules/Loadable/Plots/Logic/vtkSlicerPlotsLogic.cxx, and what the application does for it.

    vtkSlicerApplicationLogic::PropagatePlotChartSelection shows the chart in all plot views.
    """

    def __init__(self, scene):
        self._scene = scene
        self._logic = slicer.vtkSlicerPlotsLogic()
        self._logic.SetMRMLScene(scene)

    def ShowChartInLayout(self, chart):
        self._logic.ShowChartInLayout(chart)
        for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode", self._scene):
            view.SetPlotChartNodeID(chart.GetID())


def make_modules(scene) -> types.SimpleNamespace:
    """slicer.modules.<name>.logic(): Slicer's own logics where the module uses their effect."""
    plots = PlotsLogic(scene)
    colors = types.SimpleNamespace(
        GetPETColorNodeID=lambda kind: "vtkMRMLPETProceduralColorNodeHeat"
    )
    return types.SimpleNamespace(
        plots=types.SimpleNamespace(logic=lambda: plots),
        colors=types.SimpleNamespace(logic=lambda: colors),
    )
