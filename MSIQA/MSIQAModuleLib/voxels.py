"""From a volume node to a file in patient space, leaving the node as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from MSIQALib.scene.grid import SliceGrid, geometry_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode


def hardened(node: vtkMRMLScalarVolumeNode) -> vtkMRMLScalarVolumeNode:
    """The volume as a grid of the world.

    Args:
        node: A volume with an image. It is left as it is.

    Returns:
        The node itself, where its parent transforms only move its axes; else a resampled copy
        outside of any scene, on which they are hardened.
    """
    parent = node.GetParentTransformNode()
    if parent is None or parent.IsTransformToWorldLinear():
        return node
    # A scene of its own: hardening asks the node's transform how far the image has moved.
    scene = slicer.vtkMRMLScene()
    copy = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", node.GetName())
    ijk_to_ras = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijk_to_ras)
    copy.SetIJKToRASMatrix(ijk_to_ras)
    image = vtk.vtkImageData()
    image.DeepCopy(node.GetImageData())
    copy.SetAndObserveImageData(image)
    to_world = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(to_world)
    copy.SetAndObserveTransformNodeID(transform.GetID())
    copy.HardenTransform()
    scene.RemoveNode(copy)
    return copy


def slice_grid(node: vtkMRMLScalarVolumeNode) -> SliceGrid:
    """The axial slices of a volume, as an assessment counts them."""
    return SliceGrid(geometry_of(hardened(node)))


def write_volume(node: vtkMRMLScalarVolumeNode, path: Path, *, factor: float = 1.0) -> None:
    """Write a volume as it lies in the world.

    Args:
        node: A volume of one component. It is left as it is.
        path: The file; its suffix gives the format.
        factor: What to multiply the voxels by, for a PET that has to become SUV.

    Raises:
        RuntimeError: The file cannot be written.
    """
    import SimpleITK as sitk

    world = hardened(node)
    geometry = geometry_of(world)
    array = slicer.util.arrayFromVolume(world)
    if factor != 1.0:
        array = array.astype(np.float32) * np.float32(factor)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    sitk.WriteImage(image, str(path), useCompression=False)
