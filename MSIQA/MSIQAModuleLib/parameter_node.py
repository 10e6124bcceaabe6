"""What the user chose; it is saved with the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from MSIQALib.process.settings import MAPS, Settings

# Annotations are read when the class is made, so they cannot be postponed here.


@parameterNodeWrapper
class MSIQAParameterNode:
    """The parameters of the module.

    ct - The CT, in HU.
    pet - The PET, in SUV or with a DICOM header that leads there.
    device - Where the network runs.
    threshold - Likert score under which a slice counts as poor.
    ctCentre, ctWidth - The CT window in HU.
    mapF1 ... mapF_S - Which feature maps to compute as volumes.
    """

    ct: vtkMRMLScalarVolumeNode
    pet: vtkMRMLScalarVolumeNode
    device: Annotated[str, Choice(["auto", "cuda", "mps", "cpu"])] = "auto"
    threshold: Annotated[float, WithinRange(0.0, 4.0)] = 2.0
    ctCentre: Annotated[float, WithinRange(-1000.0, 3000.0)] = 40.0
    ctWidth: Annotated[float, WithinRange(1.0, 4000.0)] = 250.0
    mapF1: bool = False
    mapF2: bool = False
    mapF3: bool = False
    mapF4: bool = False
    mapF_W: bool = False
    mapF_S: bool = False


def settings_of(node: MSIQAParameterNode) -> Settings:
    """The settings of a run."""
    return Settings(
        device=node.device,
        threshold=node.threshold,
        ct_centre=node.ctCentre,
        ct_width=node.ctWidth,
        maps=tuple(name for name in MAPS if getattr(node, f"map{name}")),
    )
