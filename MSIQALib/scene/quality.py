"""The quality volume: each slice in its score's colour, to lay over sagittal and coronal views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from MSIQALib.assessment.result import SliceResult
from MSIQALib.imaging.volume import Geometry
from MSIQALib.likert import SCORE_RANGE
from MSIQALib.scene import colours, study_nodes
from MSIQALib.scene.grid import SliceGrid, ijk_to_ras
from MSIQALib.scene.hierarchy import put_into_folder
from MSIQALib.scene.legend import RIGHT, set_legend, show_colours
from MSIQALib.scene.mrml import add_node
from MSIQALib.scene.study_nodes import StudyNodes

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode
    from vtkmodules.vtkCommonDataModel import vtkImageData

NOT_ASSESSED = -1.0
"""Value of slices without a score; they are not drawn."""

_LOW, _HIGH = SCORE_RANGE
_HALF_STEP = 0.5
_TITLE = "Image quality"


def set_quality(nodes: StudyNodes, rows: Sequence[SliceResult]) -> vtkMRMLScalarVolumeNode:
    """Make the quality volume, or bring the one there is up to date.

    It fills the CT's box along the CT's axes, one voxel for each slice: a voxel is as wide and as
    high as the CT. The numpy arrays of both nodes broadcast against each other. A whole grid of
    numbers that are the same across each slice would take hundreds of megabytes.
    """
    volume, grid = nodes.quality, nodes.grid
    if volume is None:
        scene = nodes.table.GetScene()
        volume = add_node(scene, "vtkMRMLScalarVolumeNode", f"{nodes.name} quality")
        nodes.refer(study_nodes.QUALITY, volume)
        put_into_folder(nodes.folder, volume)
    values = np.full(grid.count, NOT_ASSESSED, np.float32)
    for row in rows:
        if row.score is not None:
            values[row.index] = row.score
    if grid.flipped:
        values = values[::-1]
    box = slice_box(grid)
    volume.SetIJKToRASMatrix(ijk_to_ras(box))
    volume.SetAndObserveImageData(image_of(values.reshape(box.size[::-1])))
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetInterpolate(False)
        colour_quality(nodes)
    return volume


def colour_quality(nodes: StudyNodes, *, steps: bool = True) -> None:
    """Choose how scores are coloured.

    Args:
        nodes: A finished study.
        steps: True for the five Likert steps, each with its word in the legend; False for colours
            without steps, to see small differences.
    """
    volume = nodes.quality
    if volume is None:
        return
    scene = nodes.table.GetScene()
    role = study_nodes.LIKERT_COLOURS if steps else study_nodes.SCORE_COLOURS
    table = nodes.referenced(role)
    if table is None:
        make, kind = (colours.likert_table, "Likert") if steps else (colours.score_table, "score")
        table = make(scene, f"{nodes.name} {kind} colours")
        nodes.refer(role, table)
        put_into_folder(nodes.folder, table)
    margin = _HALF_STEP if steps else 0.0
    window = (_LOW - margin, _HIGH + margin)
    show_colours(volume.GetDisplayNode(), table.GetID(), window, shown=SCORE_RANGE)
    set_legend(volume, _TITLE, RIGHT, labels=round(_HIGH - _LOW) + 1)


def slice_box(grid: SliceGrid) -> Geometry:
    """The CT's box with one voxel for each slice, along the CT's own axes, LPS."""
    kept = [axis == grid.axis for axis in range(3)]
    ct = grid.ct
    size = tuple(n if keep else 1 for n, keep in zip(ct.size, kept, strict=True))
    spacing = tuple(
        mm if keep else mm * n for mm, n, keep in zip(ct.spacing, ct.size, kept, strict=True)
    )
    middle = np.array([0.0 if keep else (n - 1) / 2 for n, keep in zip(ct.size, kept, strict=True)])
    left, back, up = (ct.ijk_to_lps @ [*middle, 1.0])[:3].tolist()
    return replace(
        ct,
        size=(size[0], size[1], size[2]),
        spacing=(spacing[0], spacing[1], spacing[2]),
        origin=(left, back, up),
    )


def image_of(array: npt.NDArray[np.generic]) -> vtkImageData:
    """A copy of an array (k, j, i) as VTK's image, in voxel coordinates as MRML wants it."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image = vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    return image
