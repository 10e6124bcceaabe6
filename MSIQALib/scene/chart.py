"""The plot of a study: quality curve, threshold line, and the current slice as a point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from MSIQALib.likert import SCORE_RANGE
from MSIQALib.scene import colours, study_nodes, table
from MSIQALib.scene.mrml import add_node
from MSIQALib.scene.study_nodes import StudyNodes

if TYPE_CHECKING:
    from slicer import vtkMRMLPlotSeriesNode, vtkMRMLScene, vtkMRMLTableNode

X_TITLE = "Position along the patient, feet to head (mm)"
Y_TITLE = "Score, 0 bad to 4 excellent"

LEAST_POINTS = 2
"""VTK reports an error at each repaint of a line with fewer."""

_FONT_SIZES = {"Title": 14, "Legend": 12, "AxisTitle": 12, "AxisLabel": 12}


def add_chart(nodes: StudyNodes, scene: vtkMRMLScene) -> None:
    """Add chart, series and the two small tables behind threshold and point, all tied to a study.

    The axes span the whole patient and the whole scale from the start, so that they stand still
    while the curve grows. Scores that are NaN break the curve.
    """
    curve = _series(scene, "quality", nodes.table, table.SCORE, colours.CURVE)
    curve.SetLabelColumnName(table.WORD)
    curve.SetMarkerStyle(curve.MarkerStyleCircle)
    curve.SetMarkerSize(4)
    curve.SetLineWidth(2)

    limit_table = _points(scene, f"{nodes.name} threshold", study_nodes.THRESHOLD)
    limit = _series(scene, "threshold", limit_table, study_nodes.THRESHOLD, colours.ALARM)
    limit.SetMarkerStyle(limit.MarkerStyleNone)
    limit.SetLineStyle(limit.LineStyleDash)
    limit.SetLineWidth(2)

    marker_table = _points(scene, f"{nodes.name} current slice", table.SCORE)
    marker = _series(scene, "current slice", marker_table, table.SCORE, colours.INK)
    marker.SetMarkerStyle(marker.MarkerStyleDiamond)
    marker.SetMarkerSize(14)
    marker.SetLineStyle(marker.LineStyleNone)

    chart = add_node(scene, "vtkMRMLPlotChartNode", f"{nodes.name} quality curve")
    chart.SetLegendVisibility(False)  # it would cover the curve at the head; the title says it
    chart.SetXAxisTitle(X_TITLE)
    chart.SetYAxisTitle(Y_TITLE)
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(*nodes.grid.limits_mm)
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(*SCORE_RANGE)
    # Dragging a point would change the score in the table.
    chart.SetEnablePointMoveAlongX(False)
    chart.SetEnablePointMoveAlongY(False)
    for part, size in _FONT_SIZES.items():
        getattr(chart, f"Set{part}FontSize")(size)
    for series in (limit, marker):
        chart.AddAndObservePlotSeriesNodeID(series.GetID())

    nodes.refer(study_nodes.CURVE, curve)
    nodes.refer(study_nodes.THRESHOLD_LINE, limit)
    nodes.refer(study_nodes.THRESHOLD_TABLE, limit_table)
    nodes.refer(study_nodes.MARKER, marker)
    nodes.refer(study_nodes.MARKER_TABLE, marker_table)
    nodes.refer(study_nodes.CHART, chart)
    draw_threshold(nodes)
    draw_marker(nodes, None, None)


def draw_curve(nodes: StudyNodes, rows_before: int) -> None:
    """Put the curve into the chart once it has points enough to be drawn.

    Only then, so that a user who takes the curve out of the chart does not get it back.

    Args:
        nodes: The study.
        rows_before: How many rows the table had when this was called last.
    """
    chart, curve, marker = nodes.chart, nodes.curve, nodes.marker
    if rows_before >= LEAST_POINTS or nodes.table.GetNumberOfRows() < LEAST_POINTS:
        return
    if chart is None or curve is None:
        return
    chart.AddAndObservePlotSeriesNodeID(curve.GetID())
    if marker is not None:
        # The point is drawn over the curve.
        chart.RemovePlotSeriesNodeID(marker.GetID())
        chart.AddAndObservePlotSeriesNodeID(marker.GetID())


def draw_threshold(nodes: StudyNodes) -> None:
    """Put the line where the study's threshold is."""
    words = f"threshold {nodes.threshold:g}"
    if nodes.chart is not None:
        nodes.chart.SetTitle(f"{nodes.name} (dashed: {words}, diamond: current slice)")
    points, line = nodes.referenced(study_nodes.THRESHOLD_TABLE), nodes.threshold_line
    if points is None or line is None:
        return
    line.SetName(words)
    _set_points(points, [(position, nodes.threshold) for position in nodes.grid.limits_mm])


def draw_marker(nodes: StudyNodes, position_mm: float | None, score: float | None) -> None:
    """Put the point on the curve; without position or score there is none."""
    points = nodes.referenced(study_nodes.MARKER_TABLE)
    if points is None:
        return
    missing = position_mm is None or score is None
    point = (math.nan, math.nan) if missing else (position_mm, score)
    _set_points(points, [point] * LEAST_POINTS)


def _series(
    scene: vtkMRMLScene, name: str, points: vtkMRMLTableNode, column: str, colour: str
) -> vtkMRMLPlotSeriesNode:
    series = add_node(scene, "vtkMRMLPlotSeriesNode", name)
    series.SetAndObserveTableNodeID(points.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(table.POSITION)
    series.SetYColumnName(column)
    series.SetColor(*colours.rgb_of(colour))
    return series


def _points(scene: vtkMRMLScene, name: str, column: str) -> vtkMRMLTableNode:
    from vtkmodules.vtkCommonCore import vtkDoubleArray

    node = add_node(scene, "vtkMRMLTableNode", name, hidden=True)
    for title in (table.POSITION, column):
        values = vtkDoubleArray()
        values.SetName(title)
        node.AddColumn(values)
    return node


def _set_points(node: vtkMRMLTableNode, points: list[tuple[Any, ...]]) -> None:
    data = node.GetTable()
    data.SetNumberOfRows(len(points))
    for row, values in enumerate(points):
        for column, value in enumerate(values):
            data.GetColumn(column).SetValue(row, value)
    for column in range(data.GetNumberOfColumns()):
        data.GetColumn(column).Modified()
    data.Modified()
