"""Data to try the module with: a phantom that is computed, and a patient that is downloaded.

Either happens when it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MSIQALib.scene.grid import ijk_to_ras

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from MSIQALib.imaging.volume import Volume

CATEGORY = "MSIQA"
PHANTOM = "MSIQAPhantomPETCT"
SLICES = 48

STS = "STS_001"
STS_FOLDER = (
    "https://github.com/theibsi/data_sets/raw/6da96021bc91faf4c0cb7fd7fa56a4225d2064a8/"
    f"ibsi_validation/nifti/{STS}/"
)
STS_CHECKSUMS = {
    "CT": "SHA256:6751295745f056c0b25e3b97fc5d9106d944b715db2df3f1a408923b9c36cf5f",
    "PET": "SHA256:358300bb60fb5a21e914e833afdda4d16072bd25cbd0c0f9e38a7a64726af31a",
}
"""FDG-PET/CT around a soft-tissue sarcoma (HU and SUV, 4 MB), CC BY 3.0: M. Vallieres et al., The
Cancer Imaging Archive 2015, doi 10.7937/K9/TCIA.2015.7GO2GSKS; cropped, and made SUV, by the IBSI.
"""


def register_sample_data() -> None:
    """Add the two studies to Slicer's Sample Data module."""
    import SampleData

    icons = Path(__file__).resolve().parents[1] / "Resources" / "Icons"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=PHANTOM,
        # Made on the spot: no address, and an empty list of files.
        uris=[],
        fileNames=[],
        nodeNames=[],
        customDownloader=_on_phantom_asked,
        thumbnailFileName=str(icons / "MSIQAPhantom.png"),
    )
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="MSIQASarcomaPETCT",
        uris=[f"{STS_FOLDER}{modality}_image.nii.gz" for modality in STS_CHECKSUMS],
        fileNames=[f"{STS}_{modality}.nii.gz" for modality in STS_CHECKSUMS],
        nodeNames=[f"{STS} {modality}" for modality in STS_CHECKSUMS],
        checksums=list(STS_CHECKSUMS.values()),
    )


def _on_phantom_asked(source) -> None:
    with slicer.util.tryWithErrorDisplay(_("The phantom could not be made."), waitCursor=True):
        load_phantom()


def load_phantom(
    slices: int = SLICES,
) -> tuple[vtkMRMLScalarVolumeNode, vtkMRMLScalarVolumeNode]:
    """Compute the phantom and add it to the scene.

    Args:
        slices: Number of CT slices.

    Returns:
        The CT (HU) and the PET (SUVbw), shown fused in the slice views.
    """
    from MSIQALib.phantom import build_phantom

    slicer.util.showStatusMessage(_("Computing the phantom..."))
    images = build_phantom(slices=slices)
    colours = slicer.modules.colors.logic()
    heat = colours.GetPETColorNodeID(slicer.vtkMRMLPETProceduralColorNode.PETheat)
    ct = _add(images.ct, "Phantom CT", "vtkMRMLColorTableNodeGrey", window=(40.0, 250.0))
    pet = _add(images.pet, "Phantom PET", heat, window=(2.5, 5.0))
    slicer.util.setSliceViewerLayers(background=ct, foreground=pet, foregroundOpacity=0.4, fit=True)
    slicer.util.showStatusMessage("")
    return ct, pet


def _add(
    volume: Volume, name: str, colour_id: str, *, window: tuple[float, float]
) -> vtkMRMLScalarVolumeNode:
    node = slicer.util.addVolumeFromArray(
        volume.array, ijkToRAS=ijk_to_ras(volume.geometry), name=name
    )
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colour_id)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(window[1], window[0])
    return node
