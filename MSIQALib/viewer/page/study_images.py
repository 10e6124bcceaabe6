"""The images of a study, read by the engine and put into the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.volume import Volume
from MSIQALib.scene.grid import ijk_to_ras
from MSIQALib.scene.mrml import add_node, remove_node
from MSIQALib.scene.quality import image_of
from MSIQALib.viewer.study_paths import StudyPaths

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

AIR_HU = -1024


@dataclass(frozen=True)
class Images:
    """A CT in HU and, where there is one, its PET in SUV."""

    ct: Volume
    pet: Volume | None


@dataclass(frozen=True)
class ImageNodes:
    """The same in the scene."""

    ct: vtkMRMLScalarVolumeNode
    pet: vtkMRMLScalarVolumeNode | None

    def remove(self) -> None:
        """Take them out of the scene."""
        for node in (self.ct, self.pet):
            if node is not None:
                remove_node(node)


def read_images(paths: StudyPaths) -> Images:
    """Read a study. It takes seconds and may run in a thread of its own.

    Raises:
        InputError: An image cannot be used; the message says why.
    """
    ct = read_volume(paths.ct, modality="CT", series_uid=paths.ct_series, accept_gaps=True)
    pet = None
    if paths.pet is not None:
        pet = read_volume(paths.pet, modality="PT", series_uid=paths.pet_series, accept_gaps=True)
    return Images(ct, pet)


def add_images(scene: vtkMRMLScene, images: Images, name: str) -> ImageNodes:
    """Put the images into the scene."""
    # Whole HU take half the memory, and nobody sees a tenth of one.
    hu = np.nan_to_num(images.ct.array, nan=AIR_HU).clip(-32768, 32767).round().astype(np.int16)
    ct = _add(scene, hu, images.ct, f"{name} CT")
    pet = None
    if images.pet is not None:
        pet = _add(scene, np.nan_to_num(images.pet.array, nan=0.0), images.pet, f"{name} PET")
    return ImageNodes(ct, pet)


def _add(
    scene: vtkMRMLScene, array: np.ndarray, volume: Volume, name: str
) -> vtkMRMLScalarVolumeNode:
    node = add_node(scene, "vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(ijk_to_ras(volume.geometry))
    node.SetAndObserveImageData(image_of(np.ascontiguousarray(array)))
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    return node
