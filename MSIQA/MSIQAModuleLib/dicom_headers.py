"""What the DICOM database and the nodes say about a volume: modality, unit, way to SUV."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

MODALITY = "0008,0060"
PATIENT_ID = "0010,0020"
FRAME_OF_REFERENCE = "0020,0052"

_PET_NAME = re.compile(r"(?<![a-z])(pet|pt|suv\w*|fdg)(?![a-z])", re.IGNORECASE)
_CT_NAME = re.compile(r"(?<![a-z])(ct|ac-?ct|ctac)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class PetUnit:
    """The unit of a PET volume's voxels.

    Attributes:
        name: As a user would write it: "SUV", "Bq/ml", "counts"; empty where nothing tells.
        factor: SUVbw = voxel * factor; None where there is no way to SUV.
        reason: Why there is none, or what had to be assumed; may be empty.
    """

    name: str
    factor: float | None
    reason: str = ""


def files_of(node: vtkMRMLScalarVolumeNode) -> list[Path]:
    """The DICOM files that a node was loaded from, as far as the database still has them."""
    database = _database()
    if database is None:
        return []
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    names = (database.fileForInstance(uid) for uid in uids)
    return [Path(name) for name in names if name and Path(name).is_file()]


def modality_of(node: vtkMRMLScalarVolumeNode) -> str | None:
    """ "CT", "PT", another DICOM modality, or None where nothing tells.

    The subject hierarchy is asked first, then the DICOM database, the voxels' unit and at last
    the name.
    """
    return (
        _from_subject_hierarchy(node)
        or header_value(node, MODALITY)
        or _from_units(node)
        or _from_name(node.GetName() or "")
    )


def header_value(node: vtkMRMLScalarVolumeNode, tag: str) -> str | None:
    """A header item of the first instance that a node was loaded from; None where unknown."""
    database = _database()
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not uids:
        return None
    return database.instanceValue(uids[0], tag) or None


def pet_unit(node: vtkMRMLScalarVolumeNode) -> PetUnit:
    """Find the unit of a PET and how its voxels become SUV."""
    coded = _coded_unit(node)
    if "suv" in coded.lower():
        return PetUnit("SUV", 1.0)
    files = files_of(node)
    if not files:
        return PetUnit("", 1.0)
    return _unit_of_headers(tuple(files))


@functools.lru_cache(maxsize=8)
def _unit_of_headers(files: tuple[Path, ...]) -> PetUnit:
    import pydicom

    from MSIQALib.errors import InputError
    from MSIQALib.imaging.suv import suv_conversion

    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    unit = str(headers[0].get("Units") or "")
    name = {"BQML": "Bq/ml", "GML": "SUV", "CNTS": "counts"}.get(unit, unit)
    try:
        conversion = suv_conversion(headers, files[0].parent)
    except InputError as error:
        return PetUnit(name, None, error.cause)
    return PetUnit(name, conversion.factor, " ".join(conversion.warnings))


def _from_subject_hierarchy(node: vtkMRMLScalarVolumeNode) -> str | None:
    scene = node.GetScene()
    if scene is None:
        return None
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (hierarchy.GetItemAttribute(item, name) or None) if item else None


def _from_units(node: vtkMRMLScalarVolumeNode) -> str | None:
    coded = _coded_unit(node).lower()
    if "suv" in coded:
        return "PT"
    return "CT" if "hnsf" in coded or "hounsfield" in coded else None


def _from_name(name: str) -> str | None:
    pet, ct = _PET_NAME.search(name), _CT_NAME.search(name)
    if bool(pet) == bool(ct):  # neither, or "PET/CT"
        return None
    return "PT" if pet else "CT"


def _coded_unit(node: vtkMRMLScalarVolumeNode) -> str:
    units = node.GetVoxelValueUnits()
    return units.GetAsString() if units is not None else ""


def _database():
    """Slicer's DICOM database, where there is one and it is open."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None
