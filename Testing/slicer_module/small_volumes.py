"""Volumes of few voxels that pass for a CT and a PET."""

from __future__ import annotations

import numpy as np
import slicer


def add_volume(array, name, *, spacing=(4.0, 4.0, 5.0), origin=(0.0, 0.0, 0.0), matrix=None):
    ijk_to_ras = np.diag((*spacing, 1.0)) if matrix is None else np.array(matrix)
    if matrix is None:
        ijk_to_ras[:3, 3] = origin
    return slicer.util.addVolumeFromArray(array, ijkToRAS=ijk_to_ras, name=name)


def add_ct(name="CT", slices=12, **where):
    array = np.full((slices, 10, 11), -1000, np.int16)
    array[:, 3:7, 3:7] = 40
    return add_volume(array, name, **where)


def add_pet(name="PET", slices=12, high=6.0, **where):
    array = np.zeros((slices, 10, 11), np.float32)
    array[:, 4:6, 4:6] = high
    return add_volume(array, name, **where)


def set_modality(node, modality):
    """As Slicer does on loading DICOM (Modules/Scripted/DICOMLib/DICOMPlugin.py)."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    # In Slicer, qSlicerSubjectHierarchyPluginLogic makes the item when the node is added.
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)
