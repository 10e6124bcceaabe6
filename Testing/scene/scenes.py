"""Scenes and CT nodes for the tests of MSIQALib.scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from MSIQALib.assessment.result import SliceResult

AXIAL = np.diag([-1.0, -1.0, 1.0])
"""RAS directions of i, j, k (columns) of a CT as scanners export it: to left, back and head."""

HEAD_FIRST = np.diag([-1.0, -1.0, -1.0])
CORONAL = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
"""i to the left, j to the feet, k to the back."""

SAGITTAL = np.array([[0, 0, -1.0], [-1.0, 0, 0], [0, -1.0, 0]])
"""i to the back, j to the feet, k to the left."""


def tilted(degrees: float) -> np.ndarray:
    """Axial, the gantry's plane turned about the left-right axis."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ AXIAL


ORIENTATIONS = {
    "axial": AXIAL,
    "head first": HEAD_FIRST,
    "mirrored": np.diag([1.0, -1.0, 1.0]),
    "coronal": CORONAL,
    "sagittal": SAGITTAL,
    "oblique": tilted(12.0),
    "oblique, head first": tilted(-8.0) @ np.diag([1.0, 1.0, -1.0]),
}


class World:
    """A scene with the logics that register nodes, as 3D Slicer has it."""

    def __init__(self, cache: Path) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkMRMLApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.colours = slicer.vtkMRMLColorLogic()
        self.colours.SetMRMLApplicationLogic(self.application)
        self.colours.SetMRMLScene(self.scene)
        # vtkSlicerColorLogic registers it, but also looks for 3D Slicer's files of colours.
        self.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
        # Scenes in one file are unpacked into a cache.
        self._cache = slicer.vtkCacheManager()
        self._cache.SetRemoteCacheDirectory(str(cache))
        self._files = slicer.vtkDataIOManager()
        self._files.SetCacheManager(self._cache)
        self.scene.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._files)

    def nodes(self) -> dict[str, str]:
        """ID and class of every node."""
        found = (self.scene.GetNthNode(at) for at in range(self.scene.GetNumberOfNodes()))
        return {node.GetID(): node.GetClassName() for node in found}


def add_ct(
    scene,
    directions=AXIAL,
    size=(6, 5, 8),
    spacing=(2.0, 3.0, 4.0),
    origin=(10.0, 20.0, -300.0),
    name="CT chest",
):
    """A CT node; every voxel has a value of its own."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(image(np.arange(np.prod(size), dtype=np.int16), size))
    node.SetIJKToRASMatrix(matrix(directions, spacing, origin))
    node.CreateDefaultDisplayNodes()
    return node


def image(values, size) -> vtkImageData:
    """A VTK image of flat values."""
    data = vtkImageData()
    data.SetDimensions(*size)
    data.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values).ravel(), deep=True))
    return data


def matrix(directions, spacing, origin) -> vtkMatrix4x4:
    """IJK to RAS."""
    result = vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            result.SetElement(row, column, float(directions[row][column] * spacing[column]))
        result.SetElement(row, 3, float(origin[row]))
    return result


def to_ras(node, ijk) -> np.ndarray:
    """World RAS of a voxel by MRML itself, the parent transforms applied."""
    ijk_to_ras = vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijk_to_ras)
    local = ijk_to_ras.MultiplyPoint((*ijk, 1.0))[:3]
    world = [0.0, 0.0, 0.0]
    node.TransformPointToWorld(local, world)
    return np.array(world)


def voxel_at(node, ras):
    """The value that a volume node has at a RAS position; None outside."""
    ras_to_ijk = vtkMatrix4x4()
    node.GetRASToIJKMatrix(ras_to_ijk)
    ijk = np.floor(np.array(ras_to_ijk.MultiplyPoint((*ras, 1.0))[:3]) + 0.5).astype(int)
    array = voxels(node)
    if (ijk < 0).any() or (ijk >= array.shape[::-1]).any():
        return None
    return array[tuple(ijk[::-1])]


def voxels(node) -> np.ndarray:
    """The voxels as (k, j, i)."""
    data = node.GetImageData()
    flat = vtk_to_numpy(data.GetPointData().GetScalars())
    return flat.reshape(data.GetDimensions()[::-1])


def scored(nodes, scores) -> list[SliceResult]:
    """Rows of a study from scores, inferior to superior; None for a slice outside the PET."""
    return [
        SliceResult(k, nodes.grid.position_mm(k), "outside the PET")
        if score is None
        else SliceResult(k, nodes.grid.position_mm(k), score=score, S=score + 0.1, W=0.5)
        for k, score in enumerate(scores)
    ]


def column(node, name) -> list:
    """A table node's column."""
    values = node.GetTable().GetColumnByName(name)
    return [values.GetValue(at) for at in range(values.GetNumberOfValues())]


class SliceView:
    """What a slice view would draw: 3D Slicer's own pipeline up to the screen."""

    def __init__(self, world: World, orientation: str, name: str = "Red") -> None:
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(world.application)
        self.logic.SetMRMLScene(world.scene)
        self.node = self.logic.AddSliceNode(name)
        getattr(self.node, f"SetOrientationTo{orientation}")()
        self.node.SetDimensions(200, 200, 1)
        self.composite = self.logic.GetSliceCompositeNode()

    def show(self, ras) -> None:
        """Show what lies around a position."""
        self.node.JumpSliceByCentering(*ras)
        self.node.SetFieldOfView(100.0, 100.0, 1.0)

    def pixel(self, ras):
        """The RGBA drawn at a position."""
        to_xy = vtkMatrix4x4()
        vtkMatrix4x4.Invert(self.node.GetXYToRAS(), to_xy)
        x, y, _, _ = to_xy.MultiplyPoint((*ras, 1.0))
        self.logic.UpdatePipeline()
        producer = self.logic.GetImageDataConnection().GetProducer()
        producer.Update()
        drawn = producer.GetOutput(0)
        return tuple(
            int(drawn.GetScalarComponentAsDouble(round(x), round(y), 0, channel))
            for channel in range(drawn.GetNumberOfScalarComponents())
        )
