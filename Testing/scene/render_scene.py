"""Draw an assessment's scene into a picture: slice views with overlays and legends, and the chart.

The picture comes from the scene alone, through 3D Slicer's own slice logic and displayable managers
(slicer-core), without a display:

    msiqa assess --ct CT --pet PET --output RESULT --features
    python Testing/scene/render_scene.py --ct CT --result RESULT --output scene.png

What differs from 3D Slicer: its plot view is a Qt widget, so the chart's nodes are handed to VTK's
chart here in the way of qMRMLPlotView.cxx; and the views' frames and their arrangement, that of the
layout with four views and a plot, are drawn by this script.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import slicer
from PIL import Image
from scenes import SliceView, World, image
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkChartsCore import vtkAxis, vtkChartXY, vtkPlotLine
from vtkmodules.vtkCommonCore import vtkCollection
from vtkmodules.vtkRenderingAnnotation import vtkCornerAnnotation
from vtkmodules.vtkRenderingCore import (
    vtkActor2D,
    vtkImageMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkWindowToImageFilter,
)
from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor
from vtkmodules.vtkViewsContext2D import vtkContextView

from MSIQALib.imaging.reader import read_volume
from MSIQALib.report.table import read_scores_csv
from MSIQALib.scene.annotation import annotation_text
from MSIQALib.scene.grid import ijk_to_ras
from MSIQALib.scene.heatmaps import load_heatmap
from MSIQALib.scene.overlay import show_overlay
from MSIQALib.scene.position import mark_slice, position_of
from MSIQALib.scene.study import StudyNodes, create_study_nodes, finish_study, result_of

VIEW = (620, 480)
BAR = 8
CHART = (VIEW[0], VIEW[1] + BAR)
GAP = 6
CT_WINDOW = (-85.0, 165.0)
SLICE_COLOURS = {"Axial": "#f34a4a", "Coronal": "#6eb04b", "Sagittal": "#edd54c"}
"""3D Slicer's bars over the red, green and yellow view."""

UPPER_EDGE = 7
"""Where the module writes (MSIQA/MSIQAModuleLib/views.py)."""


def build(world: World, arguments: argparse.Namespace) -> StudyNodes:
    """The scene that the module makes of a finished assessment."""
    ct = add_volume(world, read_volume(arguments.ct, modality="CT"), "CT")
    ct.GetDisplayNode().SetAutoWindowLevel(False)
    ct.GetDisplayNode().SetWindowLevelMinMax(*CT_WINDOW)
    study = create_study_nodes(world.scene, ct, name=arguments.name)
    finish_study(study, read_scores_csv(arguments.result / "scores.csv"))
    load_heatmap(study, arguments.map, arguments.result / f"{arguments.map}.nrrd")
    return study


def add_volume(world: World, volume, name: str):
    """A volume of the engine as a node."""
    node = world.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image(volume.array, volume.geometry.size))
    node.SetIJKToRASMatrix(ijk_to_ras(volume.geometry))
    node.CreateDefaultDisplayNodes()
    return node


class View:
    """A slice view with its image, legends, ruler and corner text."""

    def __init__(self, world: World, logics: vtkCollection, orientation: str) -> None:
        self.slice = SliceView(world, orientation, orientation)
        self.orientation = orientation
        logics.AddItem(self.slice.logic)
        self.slice.node.SetDimensions(*VIEW, 1)
        self.slice.node.SetRulerType(self.slice.node.RulerTypeThin)
        self.window = vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetSize(*VIEW)
        self.renderer = vtkRenderer()
        self.window.AddRenderer(self.renderer)
        # The managers listen to an interactor, though nobody moves a mouse here.
        self.interactor = vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.SetRenderer(self.renderer)
        for kind in (
            slicer.vtkMRMLColorLegendDisplayableManager,
            slicer.vtkMRMLRulerDisplayableManager,
        ):
            manager = kind()
            manager.SetMRMLApplicationLogic(world.application)
            self.managers.AddDisplayableManager(manager)
        self.managers.SetMRMLDisplayableNode(self.slice.node)

    def draw(self, background, overlay, opacity: float, place, text: str) -> Image.Image:
        """The view's picture, centred on the CT, at a place."""
        composite = self.slice.composite
        composite.SetBackgroundVolumeID(background.GetID())
        show_overlay(overlay, [composite], opacity)
        self.slice.logic.FitSliceToBackground(*VIEW)
        self.slice.node.JumpSlice(*place)
        self.slice.logic.UpdatePipeline()
        mapper = vtkImageMapper()
        mapper.SetInputConnection(self.slice.logic.GetImageDataConnection())
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        actor = vtkActor2D()
        actor.SetMapper(mapper)
        self.renderer.AddViewProp(actor)
        corner = vtkCornerAnnotation()
        corner.SetText(UPPER_EDGE, text)
        corner.SetMaximumFontSize(18)
        corner.GetTextProperty().ShadowOn()
        self.renderer.AddViewProp(corner)
        return framed(grab(self.window), SLICE_COLOURS[self.orientation])

    def close(self) -> None:
        """Let go of the scene before the window goes."""
        self.managers.SetMRMLDisplayableNode(None)
        self.window.Finalize()


def draw_chart(study: StudyNodes) -> Image.Image:
    """The chart as 3D Slicer's plot view sets it up (qMRMLPlotView::updateWidgetFromMRML)."""
    node, chart, view = study.chart, vtkChartXY(), vtkContextView()
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(*CHART)
    view.GetRenderer().SetBackground(1.0, 1.0, 1.0)
    view.GetScene().AddItem(chart)
    for at in range(node.GetNumberOfPlotSeriesNodes()):
        series = node.GetNthPlotSeriesNode(at)
        line = vtkPlotLine()
        table = series.GetTableNode().GetTable()
        line.SetInputData(table, series.GetXColumnName(), series.GetYColumnName())
        line.SetLabel(series.GetName())
        line.SetWidth(series.GetLineWidth())
        line.SetColorF(*series.GetColor())
        # vtkPen numbers the line styles, and vtkMarkerUtilities the markers, as MRML does.
        line.GetPen().SetLineType(series.GetLineStyle())
        line.SetMarkerStyle(series.GetMarkerStyle())
        line.SetMarkerSize(series.GetMarkerSize())
        chart.AddPlot(line)
    chart.SetTitle(node.GetTitle())
    chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
    chart.SetShowLegend(node.GetLegendVisibility())
    chart.GetLegend().GetLabelProperties().SetFontSize(node.GetLegendFontSize())
    axes = (
        (vtkAxis.BOTTOM, node.GetXAxisTitle(), node.GetXAxisRange()),
        (vtkAxis.LEFT, node.GetYAxisTitle(), node.GetYAxisRange()),
    )
    for where, title, limits in axes:
        axis = chart.GetAxis(where)
        axis.SetTitle(title)
        axis.SetBehavior(vtkAxis.FIXED)
        axis.SetUnscaledRange(*limits)
        axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
        axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
    return grab(window)


def grab(window: vtkRenderWindow) -> Image.Image:
    """A window's picture."""
    window.Render()
    taken = vtkWindowToImageFilter()
    taken.SetInput(window)
    taken.ReadFrontBufferOff()
    taken.Update()
    data = taken.GetOutput()
    width, height, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, -1)
    return Image.fromarray(np.ascontiguousarray(pixels[::-1, :, :3]))


def framed(picture: Image.Image, colour: str) -> Image.Image:
    """A view under its coloured bar."""
    whole = Image.new("RGB", (picture.width, picture.height + BAR), colour)
    whole.paste(picture, (0, BAR))
    return whole


def main() -> None:
    """Read the command line, build the scene, draw it."""
    parser = argparse.ArgumentParser(description="Draw an assessment's scene into a picture.")
    parser.add_argument("--ct", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True, help="what msiqa assess wrote")
    parser.add_argument("--output", type=Path, required=True, help="the PNG file")
    parser.add_argument("--map", default="F3", help="heatmap over the axial view")
    parser.add_argument("--name", default="MSIQA: phantom")
    parser.add_argument("--slice", type=int, help="by default the worst")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        world = World(Path(cache))
        logics = vtkCollection()
        world.application.SetSliceLogics(logics)
        # Before the nodes come: the manager of legends makes them for new nodes alone.
        views = [View(world, logics, orientation) for orientation in SLICE_COLOURS]
        study = build(world, arguments)
        shown = result_of(study).worst(1)[0].index if arguments.slice is None else arguments.slice
        mark_slice(study, shown)
        place, text = position_of(study, shown), annotation_text(study, shown)
        heatmap = study.heatmaps[arguments.map]
        pictures = []
        for view in views:
            if view.orientation == "Axial":
                pictures.append(view.draw(study.ct, heatmap, 0.5, place, text))
            else:
                pictures.append(view.draw(study.ct, study.quality, 0.45, place, ""))
            view.close()
        axial, coronal, sagittal = pictures
        width, height = axial.size
        whole = Image.new("RGB", (2 * width + GAP, 2 * height + GAP), "#303030")
        for at, picture in enumerate((axial, draw_chart(study), coronal, sagittal)):
            row, column = divmod(at, 2)
            whole.paste(picture, (column * (width + GAP), row * (height + GAP)))
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        whole.save(arguments.output, optimize=True)
        world.scene.Clear(True)


if __name__ == "__main__":
    main()
