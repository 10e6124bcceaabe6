"""Which volumes are the CT and the PET, and what is likely wrong with a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from MSIQALib.scene.grid import SliceGrid, geometry_of
from MSIQALib.scene.study import find_studies
from MSIQAModuleLib.dicom_headers import (
    FRAME_OF_REFERENCE,
    PATIENT_ID,
    header_value,
    modality_of,
    pet_unit,
)

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

FEWEST_SLICES = 2
FEW_SLICES = 10

HU_BELOW = -200.0
"""A CT holds air; SUV and activity never go that low."""

MOST_SUV = 500.0
"""Values above are Bq/ml or counts."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a selected volume.

    Attributes:
        text: A sentence for the user.
        blocks: True where an assessment cannot succeed.
    """

    text: str
    blocks: bool = True


@dataclass(frozen=True)
class Problems:
    """What is wrong with each of the two inputs."""

    ct: tuple[Problem, ...] = ()
    pet: tuple[Problem, ...] = ()

    @property
    def block(self) -> bool:
        """True where an assessment cannot succeed."""
        return any(problem.blocks for problem in (*self.ct, *self.pet))


def choose_inputs(
    scene: vtkMRMLScene,
) -> tuple[vtkMRMLScalarVolumeNode | None, vtkMRMLScalarVolumeNode | None]:
    """Find a CT and a PET that belong together.

    Returns:
        The CT and the PET; None in the place of what the scene's volumes do not tell.
    """
    by_modality: dict[str | None, list[vtkMRMLScalarVolumeNode]] = {}
    for node in _candidates(scene):
        by_modality.setdefault(modality_of(node), []).append(node)
    cts, pets = by_modality.get("CT", []), by_modality.get("PT", [])
    pairs = [(ct, pet) for ct in cts for pet in pets if overlap(ct, pet)]
    if pairs:
        # The latest that was loaded is what the user is about to look at.
        return pairs[-1]
    return (cts[-1] if cts and not pets else None), (pets[-1] if pets and not cts else None)


def find_problems(
    ct: vtkMRMLScalarVolumeNode | None, pet: vtkMRMLScalarVolumeNode | None
) -> Problems:
    """Look for the mistakes that are likely, without reading more than the voxels' range."""
    if ct is None or pet is None:
        return Problems()
    if ct is pet:
        return Problems(pet=(Problem(_("This is the same volume as the CT.")),))
    found = _empty(ct), _empty(pet)
    if any(found):
        return Problems(*found)
    if _looks_like_pet(ct) and _looks_like_ct(pet):
        return Problems(ct=(Problem(_("CT and PET look swapped: exchange the two volumes.")),))
    return Problems(
        ct=(*_ct_values(ct), *_slices(ct)),
        pet=(*_pet_values(pet), *_slices(pet), *_apart(ct, pet), *_identity(ct, pet)),
    )


def overlap(a: vtkMRMLScalarVolumeNode, b: vtkMRMLScalarVolumeNode) -> bool:
    """True where the boxes that hold two volumes, in the world, share a part."""
    (low_a, high_a), (low_b, high_b) = _box(a), _box(b)
    return bool(np.all(np.maximum(low_a, low_b) < np.minimum(high_a, high_b)))


def _candidates(scene: vtkMRMLScene) -> list[vtkMRMLScalarVolumeNode]:
    made_here = {node.GetID() for study in find_studies(scene) for node in study.owned()}
    kind = "vtkMRMLScalarVolumeNode"
    nodes = (scene.GetNthNodeByClass(at, kind) for at in range(scene.GetNumberOfNodesByClass(kind)))
    return [
        node
        for node in nodes
        # Label maps and vector volumes derive from scalar volumes.
        if node.GetClassName() == kind
        and node.GetImageData() is not None
        and not node.GetHideFromEditors()
        and node.GetID() not in made_here
    ]


def _empty(node: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        return (Problem(_("The volume has no voxels.")),)
    if image.GetNumberOfScalarComponents() != 1:
        return (Problem(_("The volume has several values a voxel; choose a grey one.")),)
    return ()


def _looks_like_pet(node: vtkMRMLScalarVolumeNode) -> bool:
    modality = modality_of(node)
    return modality == "PT" or (modality is None and _range(node)[0] > HU_BELOW)


def _looks_like_ct(node: vtkMRMLScalarVolumeNode) -> bool:
    return _range(node)[0] <= HU_BELOW


def _ct_values(ct: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    low, high = _range(ct)
    if modality_of(ct) == "PT":
        return (Problem(_("This is a PET. Choose the CT.")),)
    if low > HU_BELOW:
        text = _(
            "This does not look like a CT in Hounsfield units: its values run from "
            "{low} to {high}, and air should be near -1000."
        )
        return (Problem(text.format(low=f"{low:g}", high=f"{high:g}")),)
    return ()


def _pet_values(pet: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    low, high = _range(pet)
    if _looks_like_ct(pet):
        text = _("This does not look like a PET: its values go down to {low}.")
        return (Problem(text.format(low=f"{low:g}")),)
    unit = pet_unit(pet)
    if unit.factor is None:
        text = _("The PET is not in SUV but in {unit}, and cannot be converted: {reason}.")
        return (Problem(text.format(unit=unit.name or _("an unknown unit"), reason=unit.reason)),)
    if unit.factor != 1.0:
        text = _("The PET is in {unit}; it is converted to SUV with the dose in its DICOM header.")
        return (Problem(text.format(unit=unit.name), blocks=False),)
    return _implausible(high)


def _implausible(high: float) -> tuple[Problem, ...]:
    if high <= MOST_SUV:
        return ()
    text = _(
        "The PET is not in SUV: its values go up to {high}, probably Bq/ml. Load it by "
        "Slicer's DICOM module, or multiply it by weight in g / decay-corrected dose in Bq."
    )
    return (Problem(text.format(high=f"{high:g}")),)


def _slices(node: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    try:
        count = SliceGrid(geometry_of(node)).count
    except ValueError:  # bent by a transform: counted when it is resampled
        return ()
    if count < FEWEST_SLICES:
        return (Problem(_("The volume has a single slice; an assessment needs several.")),)
    if count < FEW_SLICES:
        text = _("The volume has {count} slices only; study figures say little.")
        return (Problem(text.format(count=count), blocks=False),)
    return ()


def _apart(ct: vtkMRMLScalarVolumeNode, pet: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    if overlap(ct, pet):
        return ()
    return (Problem(_("PET and CT do not overlap. Choose series of one examination.")),)


def _identity(ct: vtkMRMLScalarVolumeNode, pet: vtkMRMLScalarVolumeNode) -> tuple[Problem, ...]:
    """The files that the process gets say neither patient nor frame of reference."""
    if _differ(ct, pet, PATIENT_ID):
        return (Problem(_("PET and CT are of different patients.")),)
    moved = ct.GetParentTransformNode() is not None or pet.GetParentTransformNode() is not None
    if _differ(ct, pet, FRAME_OF_REFERENCE) and not moved:
        text = _("PET and CT have different frames of reference; check that they match.")
        return (Problem(text, blocks=False),)
    return ()


def _differ(ct: vtkMRMLScalarVolumeNode, pet: vtkMRMLScalarVolumeNode, tag: str) -> bool:
    values = header_value(ct, tag), header_value(pet, tag)
    return None not in values and values[0] != values[1]


def _range(node: vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    return node.GetImageData().GetScalarRange()


def _box(node: vtkMRMLScalarVolumeNode):
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    return np.asarray(bounds[0::2]), np.asarray(bounds[1::2])
