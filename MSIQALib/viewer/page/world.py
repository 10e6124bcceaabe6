"""A scene with those of 3D Slicer's logics that slice views need; no window, no OpenGL."""

from __future__ import annotations

import slicer
from slicer import vtkMRMLScene, vtkMRMLSliceNode


class World:
    """What the nodes of one browser live in.

    Attributes:
        scene: The scene.
        application: The logic that the other logics ask for one another.
    """

    def __init__(self) -> None:
        self.scene = vtkMRMLScene()
        self.application = slicer.vtkMRMLApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self._colours = slicer.vtkMRMLColorLogic()
        self._colours.SetMRMLApplicationLogic(self.application)
        self._colours.SetMRMLScene(self.scene)
        patient_right_is_screen_left = True
        vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, patient_right_is_screen_left)
