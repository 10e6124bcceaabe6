"""The rows of an assessment as a table node: the columns of scores.csv."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from MSIQALib.assessment.result import SliceResult
from MSIQALib.report.table import COLUMNS

if TYPE_CHECKING:
    from slicer import vtkMRMLTableNode

SLICE, POSITION, SCORE, WORD, S, W, STATE = COLUMNS


def set_columns(node: vtkMRMLTableNode) -> None:
    """Give an empty table its columns; where a slice has no score, numbers are NaN."""
    from vtkmodules.vtkCommonCore import vtkDoubleArray, vtkIntArray, vtkStringArray

    node.RemoveAllColumns()
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, vtkDoubleArray)
    kinds |= {SLICE: vtkIntArray, WORD: vtkStringArray, STATE: vtkStringArray}
    for name, kind in kinds.items():
        column = kind()
        column.SetName(name)
        node.AddColumn(column)
    node.SetLocked(True)


def append_rows(node: vtkMRMLTableNode, rows: Iterable[SliceResult]) -> None:
    """Add rows so that the slices stay in ascending order; a slice that is there is replaced."""
    new = sorted(rows, key=_index)
    if not new:
        return
    table = node.GetTable()
    count = table.GetNumberOfRows()
    if count and table.GetColumnByName(SLICE).GetValue(count - 1) >= new[0].index:
        new = sorted({row.index: row for row in (*read_rows(node), *new)}.values(), key=_index)
        table.SetNumberOfRows(0)
    columns = [table.GetColumnByName(name) for name in COLUMNS]
    for row in new:
        for column, value in zip(columns, _values(row), strict=True):
            column.InsertNextValue(value)
    for column in columns:
        column.Modified()
    table.Modified()


def replace_rows(node: vtkMRMLTableNode, rows: Iterable[SliceResult]) -> None:
    """Put these rows, and no others, into the table."""
    node.GetTable().SetNumberOfRows(0)
    append_rows(node, rows)


def read_rows(node: vtkMRMLTableNode) -> tuple[SliceResult, ...]:
    """The rows as the table holds them, in its order."""
    return tuple(read_row(node, at) for at in range(node.GetTable().GetNumberOfRows()))


def read_row(node: vtkMRMLTableNode, at: int) -> SliceResult:
    """The nth row."""
    table = node.GetTable()
    return _row(*(table.GetColumnByName(name).GetValue(at) for name in COLUMNS))


def _index(row: SliceResult) -> int:
    return row.index


def _values(row: SliceResult) -> tuple[Any, ...]:
    numbers = (math.nan if value is None else value for value in (row.score, row.S, row.W))
    score, branch_s, branch_w = numbers
    return row.index, row.position_mm, score, row.word, branch_s, branch_w, row.state


def _row(
    index: int, position: float, score: float, _word: str, s: float, w: float, state: str
) -> SliceResult:
    values = (None if math.isnan(value) else value for value in (score, s, w))
    return SliceResult(index, position, state, *values)
