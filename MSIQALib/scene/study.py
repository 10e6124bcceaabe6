"""An assessment in the scene, from its first slice to its removal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from MSIQALib.assessment.result import DEFAULT_THRESHOLD, SliceResult, Status, StudyResult
from MSIQALib.scene import study_nodes, table
from MSIQALib.scene.chart import add_chart, draw_curve, draw_threshold
from MSIQALib.scene.grid import SliceGrid, geometry_of
from MSIQALib.scene.hierarchy import make_folder, put_into_folder, remove_folder, take_out
from MSIQALib.scene.mrml import add_node, remove_node
from MSIQALib.scene.quality import set_quality
from MSIQALib.scene.study_nodes import StudyNodes

if TYPE_CHECKING:
    from slicer import vtkMRMLScene, vtkMRMLVolumeNode

__all__ = [
    "StudyNodes",
    "append_rows",
    "create_study_nodes",
    "find_studies",
    "finish_study",
    "remove_study",
    "result_of",
    "set_threshold",
]


def create_study_nodes(
    scene: vtkMRMLScene,
    ct_node: vtkMRMLVolumeNode,
    *,
    name: str | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    pet_node: vtkMRMLVolumeNode | None = None,
    grid: SliceGrid | None = None,
) -> StudyNodes:
    """Add the nodes of an assessment: folder, empty table, chart with its series.

    Args:
        scene: Where to add them.
        ct_node: The user's CT. It is referred to, not changed; the study outlives it.
        name: Shown to the user; "MSIQA: " and the CT's name where there is none, numbered where the
            CT is assessed again.
        threshold: Likert score under which a slice counts as poor.
        pet_node: The user's PET, to be found again from the study.
        grid: The CT's grid as it is assessed, where a copy of the CT is (a non-linear transform was
            hardened on it); by default ``ct_node``'s, linear parent transforms applied.

    Returns:
        A handle on the nodes. Keep it, or get it again by :func:`find_studies`.

    Raises:
        ValueError: The CT has no voxels, or is under a non-linear transform and ``grid`` is None.
    """
    grid = grid or SliceGrid(geometry_of(ct_node))
    name = name or scene.GenerateUniqueName(f"MSIQA: {ct_node.GetName()}")
    nodes = StudyNodes(add_node(scene, "vtkMRMLTableNode", name))
    table.set_columns(nodes.table)
    nodes.set_attribute(study_nodes.GRID, grid.to_json())
    nodes.set_attribute(study_nodes.THRESHOLD, repr(float(threshold)))
    nodes.refer(study_nodes.CT, ct_node)
    nodes.refer(study_nodes.PET, pet_node)
    add_chart(nodes, scene)
    folder = make_folder(scene, nodes.name)
    for node in (nodes.table, nodes.chart, nodes.curve, nodes.threshold_line, nodes.marker):
        put_into_folder(folder, node)
    return nodes


def append_rows(nodes: StudyNodes, rows: Iterable[SliceResult]) -> None:
    """Add slices to table and curve, as they come from the engine.

    Args:
        nodes: The study; where the user has removed it, nothing happens.
        rows: In any order. A slice that is there already is replaced.

    Raises:
        ValueError: A row is not a slice of the study's grid: its index or its position is off.
    """
    if not nodes.exists:
        return
    before = nodes.table.GetNumberOfRows()
    table.append_rows(nodes.table, _checked(nodes.grid, rows))
    draw_curve(nodes, before)


def finish_study(
    nodes: StudyNodes,
    rows: Sequence[SliceResult],
    *,
    status: Status = Status.COMPLETE,
    stopped: str | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Put the final rows into the table and add the quality volume.

    Args:
        nodes: The study; where the user has removed it, nothing happens.
        rows: All rows, also of slices without a score; they replace those in the table.
        status: How the assessment ended; a partial result is finished in the same way.
        stopped: Why it ended early, as words for the user.
        warnings: What the user should know, one sentence each.

    Raises:
        ValueError: A row is not a slice of the study's grid.
    """
    if not nodes.exists:
        return
    final = _checked(nodes.grid, rows)
    before = nodes.table.GetNumberOfRows()
    table.replace_rows(nodes.table, final)
    draw_curve(nodes, before)
    nodes.set_attribute(study_nodes.STATUS, status.value)
    nodes.set_attribute(study_nodes.STOPPED, stopped)
    nodes.set_attribute(study_nodes.WARNINGS, json.dumps(list(warnings)))
    set_quality(nodes, final)


def result_of(nodes: StudyNodes) -> StudyResult:
    """The result as the scene holds it: rows, grid, threshold and how it ended.

    A study that was never finished, because Slicer was left meanwhile, counts as failed. MRML's
    table files keep six digits of a number, so that a restored result is not the same to the last.
    """
    status = nodes.attribute(study_nodes.STATUS)
    return StudyResult(
        slices=table.read_rows(nodes.table),
        geometry=nodes.grid.axial,
        threshold=nodes.threshold,
        status=Status(status) if status else Status.FAILED,
        stopped=nodes.attribute(study_nodes.STOPPED),
        warnings=tuple(json.loads(nodes.attribute(study_nodes.WARNINGS) or "[]")),
    )


def set_threshold(nodes: StudyNodes, threshold: float) -> None:
    """Move the threshold and its line."""
    nodes.set_attribute(study_nodes.THRESHOLD, repr(float(threshold)))
    draw_threshold(nodes)


def find_studies(scene: vtkMRMLScene) -> list[StudyNodes]:
    """The assessments in a scene, also in one restored from a file, in the scene's order.

    A copy that the user made of a study's table is not taken for a study.
    """
    count = scene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    tables = (scene.GetNthNodeByClass(at, "vtkMRMLTableNode") for at in range(count))
    return [nodes for nodes in map(StudyNodes, tables) if _is_study(nodes)]


def remove_study(nodes: StudyNodes) -> None:
    """Remove everything that the study added, and nothing else.

    The folder stays where the user has put something of their own into it.
    """
    scene = nodes.scene
    if scene is None:
        return
    folder = nodes.folder
    for node in (*nodes.owned(), nodes.table):
        take_out(node)
        remove_node(node)
    remove_folder(scene, folder)


def _is_study(nodes: StudyNodes) -> bool:
    if nodes.attribute(study_nodes.GRID) is None:
        return False
    return nodes.curve is None or nodes.curve.GetTableNodeID() == nodes.table.GetID()


def _checked(grid: SliceGrid, rows: Iterable[SliceResult]) -> list[SliceResult]:
    low, high = grid.limits_mm
    tolerance = (high - low) / grid.count / 4
    checked = list(rows)
    for row in checked:
        if not 0 <= row.index < grid.count:
            raise ValueError(f"Slice {row.index} is not one of the CT's {grid.count}")
        expected = grid.position_mm(row.index)
        if abs(row.position_mm - expected) > tolerance:
            raise ValueError(
                f"Slice {row.index} lies at {row.position_mm:.2f} mm, but in the CT of the scene "
                f"at {expected:.2f} mm"
            )
    return checked
