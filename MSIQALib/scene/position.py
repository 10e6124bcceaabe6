"""From places in the views to slices of a study and back."""

from __future__ import annotations

from MSIQALib.assessment.result import SliceResult
from MSIQALib.scene import table
from MSIQALib.scene.chart import draw_marker
from MSIQALib.scene.grid import RAS
from MSIQALib.scene.study_nodes import StudyNodes


def slice_at(nodes: StudyNodes, ras: RAS) -> int | None:
    """The slice at a RAS position of the world, such as the crosshair's.

    How far to the side the position lies makes no difference.

    Returns:
        The slice's index, 0 at the feet; None above and below the CT.
    """
    return nodes.grid.index_at(ras)


def position_of(nodes: StudyNodes, index: int) -> RAS:
    """RAS position of a slice's centre, to which slice views can jump.

    Raises:
        IndexError: There is no such slice.
    """
    return nodes.grid.centre(index)


def row_of(nodes: StudyNodes, index: int) -> SliceResult | None:
    """What the table says of a slice; None where it has no row (yet)."""
    data = nodes.table.GetTable()
    column = data.GetColumnByName(table.SLICE)
    at = column.LookupValue(index)
    return None if at < 0 else table.read_row(nodes.table, at)


def slice_of_point(nodes: StudyNodes, point: int) -> int | None:
    """The slice of the curve's nth point, as a plot view tells which one was clicked."""
    column = nodes.table.GetTable().GetColumnByName(table.SLICE)
    return int(column.GetValue(point)) if 0 <= point < column.GetNumberOfValues() else None


def mark_slice(nodes: StudyNodes, index: int | None) -> None:
    """Move the chart's point to a slice; it goes where the slice has no score, or for None."""
    if not nodes.exists:
        return
    row = None if index is None else row_of(nodes, index)
    if row is None:
        draw_marker(nodes, None, None)
    else:
        draw_marker(nodes, row.position_mm, row.score)
