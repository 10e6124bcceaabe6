"""Slice views, chart and layout: they show the study that is looked at, and only while it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import slicer
import vtk
from slicer.util import VTKObservationMixin

from MSIQALib.scene.annotation import annotation_text
from MSIQALib.scene.overlay import hide_overlay, show_overlay
from MSIQALib.scene.position import mark_slice, position_of, slice_at, slice_of_point
from MSIQALib.scene.study import StudyNodes

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSliceCompositeNode, vtkMRMLSliceNode

CORNER = vtk.vtkCornerAnnotation.UpperEdge
"""Slicer's own annotations take the four corners and write them anew at every change."""

AXIAL = 0.7
"""A view counts as axial up to 45 degrees off: cosine between its normal and the patient's axis."""


class StudyViews(VTKObservationMixin):
    """Ties the slice views, the chart and the layout to one study.

    Scrolling an axial view moves the chart's point and writes the slice's score into the view; a
    click on the curve moves the views. Nothing is observed while there is no study.
    """

    def __init__(self) -> None:
        VTKObservationMixin.__init__(self)
        self._nodes: StudyNodes | None = None
        self._overlay: vtkMRMLScalarVolumeNode | None = None
        self._layout_before: int | None = None
        self._layout_with_chart: int | None = None
        self._plot_view = None

    @property
    def chart_shown(self) -> bool:
        """True while the layout is one that :meth:`show_chart` switched to."""
        return self._layout_before is not None

    def look_at(self, nodes: StudyNodes | None) -> None:
        """Show another study, or none."""
        if nodes == self._nodes:
            self.refresh()
            return
        self.removeObservers()
        self._write_corner(None)
        self.show_overlay(None)
        self._nodes = nodes
        if nodes is None:
            return
        for view in _slice_nodes():
            self.addObserver(view, vtk.vtkCommand.ModifiedEvent, self._on_slice_moved)
        self.refresh()
        if self.chart_shown:
            self.show_chart()

    def refresh(self) -> None:
        """Bring point and annotation up to date: rows were added."""
        for view in _slice_nodes():
            if _axial(view):
                self._on_slice_moved(view, None)

    def go_to(self, index: int) -> None:
        """Move the slice views to a slice of the study."""
        if self._nodes is not None and self._nodes.exists:
            slicer.vtkMRMLSliceNode.JumpAllSlices(
                slicer.mrmlScene, *position_of(self._nodes, index)
            )

    def show_chart(self) -> None:
        """Switch to a layout with a plot, and show the study's chart there."""
        manager = slicer.app.layoutManager()
        if manager is None or self._nodes is None or self._nodes.chart is None:
            return
        if self._layout_before is None:
            self._layout_before = manager.layout
        slicer.modules.plots.logic().ShowChartInLayout(self._nodes.chart)
        self._layout_with_chart = manager.layout
        self._listen_to_plot(manager.plotWidget(0).plotView() if manager.plotViewCount else None)

    def hide_chart(self) -> None:
        """Switch back to the layout from before, unless the user has chosen another meanwhile."""
        self._listen_to_plot(None)
        before, self._layout_before = self._layout_before, None
        manager = slicer.app.layoutManager()
        if before is None or manager is None:
            return
        if manager.layout == self._layout_with_chart:
            manager.layout = before

    def show_overlay(self, volume: vtkMRMLScalarVolumeNode | None, opacity: float = 0.5) -> None:
        """Lay a volume over what the slice views show; None takes it off."""
        if self._overlay is not None and self._overlay is not volume:
            hide_overlay(self._overlay, _composite_nodes())
        self._overlay = volume
        if volume is not None:
            show_overlay(volume, _composite_nodes(), opacity)

    def close(self) -> None:
        """Leave the views as they were."""
        self.look_at(None)
        self.hide_chart()

    def _on_slice_moved(self, view: vtkMRMLSliceNode, event) -> None:
        nodes = self._nodes
        if nodes is None or not nodes.exists or not _axial(view):
            return
        to_ras = view.GetSliceToRAS()
        ras = (to_ras.GetElement(0, 3), to_ras.GetElement(1, 3), to_ras.GetElement(2, 3))
        index = slice_at(nodes, ras)
        mark_slice(nodes, index)
        self._write(view, annotation_text(nodes, index))

    def _on_data_selected(self, series_ids, selections) -> None:
        nodes = self._nodes
        if nodes is None or not nodes.exists or nodes.curve is None:
            return
        for at in range(series_ids.GetNumberOfValues()):
            points = selections.GetItemAsObject(at)
            if series_ids.GetValue(at) == nodes.curve.GetID() and points.GetNumberOfValues():
                index = slice_of_point(nodes, points.GetValue(0))
                if index is not None:
                    self.go_to(index)

    def _listen_to_plot(self, view) -> None:
        signal = "dataSelected(vtkStringArray*,vtkCollection*)"
        if view is self._plot_view:
            return
        if self._plot_view is not None:
            self._plot_view.disconnect(signal, self._on_data_selected)
        self._plot_view = view
        if view is not None:
            view.connect(signal, self._on_data_selected)

    def _write_corner(self, text: str | None) -> None:
        for view in _slice_nodes():
            self._write(view, text or "")

    def _write(self, view: vtkMRMLSliceNode, text: str) -> None:
        manager = slicer.app.layoutManager()
        widget = manager.sliceWidget(view.GetLayoutName()) if manager is not None else None
        if widget is None:
            return
        annotation = widget.sliceView().cornerAnnotation()
        if (annotation.GetText(CORNER) or "") != text:
            annotation.SetText(CORNER, text)
            widget.sliceView().scheduleRender()


def _slice_nodes() -> Iterator[vtkMRMLSliceNode]:
    yield from slicer.util.getNodesByClass("vtkMRMLSliceNode")


def _composite_nodes() -> list[vtkMRMLSliceCompositeNode]:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def _axial(view: vtkMRMLSliceNode) -> bool:
    return abs(view.GetSliceToRAS().GetElement(2, 2)) >= AXIAL
