"""A slice view of 3D Slicer, as numbers instead of on a screen.

The slice logic resamples, colours and blends the layers itself, on the CPU; a window would only
show what it made. So none is opened: it needs no OpenGL, and a picture is there in milliseconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
from slicer import vtkMRMLSliceCompositeNode
from vtkmodules.util.numpy_support import vtk_to_numpy

from MSIQALib.viewer.page.frame import Frame
from MSIQALib.viewer.page.world import World

ORIENTATIONS = ("Axial", "Sagittal", "Coronal")


class SliceView:
    """One orientation and its layers.

    Args:
        world: The scene.
        orientation: One of :data:`ORIENTATIONS`, in the radiological way: the patient's right on
            the left of axial and coronal pictures, the front on the left of sagittal ones.

    Attributes:
        composite: The node that says which volumes are shown.
    """

    def __init__(self, world: World, orientation: str) -> None:
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(world.application)
        self._logic.SetMRMLScene(world.scene)
        self._node = self._logic.AddSliceNode(orientation)
        self._node.SetOrientation(orientation)
        self.composite: vtkMRMLSliceCompositeNode = self._logic.GetSliceCompositeNode()

    def close(self) -> None:
        """Let go of the scene, before it goes."""
        self._logic.SetMRMLScene(None)

    def picture(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Draw the layers.

        Returns:
            RGB, shape (height, width, 3), the first row uppermost; black outside of the images.
        """
        node = self._node
        modifying = node.StartModify()
        node.SetDimensions(frame.width, frame.height, 1)
        node.SetFieldOfView(
            frame.width * frame.mm_per_pixel, frame.height * frame.mm_per_pixel, frame.mm_per_pixel
        )
        to_ras = node.GetSliceToRAS()
        for axis, millimetres in enumerate(frame.centre):
            to_ras.SetElement(axis, 3, millimetres)
        node.UpdateMatrices()
        node.EndModify(modifying)
        self._logic.UpdatePipeline()
        connection = self._logic.GetImageDataConnection()
        if connection is None:
            return np.zeros((frame.height, frame.width, 3), np.uint8)
        producer = connection.GetProducer()
        producer.Update()
        image = producer.GetOutputDataObject(0)
        width, height, _ = image.GetDimensions()
        flat = vtk_to_numpy(image.GetPointData().GetScalars())
        pixels = flat.reshape(height, width, -1)[::-1]
        # Outside of the background volume the blend leaves a grey of no meaning, without alpha.
        rgb: npt.NDArray[np.uint8] = pixels[..., :3] * (pixels[..., 3:] > 0)
        return rgb
