"""Feature heatmaps as volumes over the CT."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Geometry
from MSIQALib.scene import colours, study_nodes
from MSIQALib.scene.grid import ijk_to_ras
from MSIQALib.scene.hierarchy import put_into_folder
from MSIQALib.scene.legend import LEFT, set_legend, show_colours
from MSIQALib.scene.mrml import add_node
from MSIQALib.scene.quality import image_of
from MSIQALib.scene.study_nodes import StudyNodes

if TYPE_CHECKING:
    import SimpleITK as sitk
    from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeNode

logger = logging.getLogger(__name__)

RANGE = (0.0, 255.0)
SHOWN_FROM = 51.0
"""The lowest fifth would only darken the image. 0 also stands for slices without a map."""

ACTIVATIONS = ("MSIQA_activation_at_0", "MSIQA_activation_at_255")
"""Keys of the file that say what 0 and 255 stand for; kept as attributes of the node."""

LABELS = 3

_REMEDY = "Run the assessment of this CT again and load the maps that it writes"


def load_heatmap(nodes: StudyNodes, name: str, path: Path) -> vtkMRMLScalarVolumeNode:
    """Load one map into a study; a map of the same name is replaced.

    The node keeps no link to the file, which may be removed at once.

    Args:
        nodes: The study that the map was computed for.
        name: F1 to F4, F_W or F_S.
        path: An NRRD volume as :func:`MSIQALib.workflow.write_features` writes it.

    Returns:
        The volume, with colours and legend, in the study's folder.

    Raises:
        InputError: The file cannot be read, or its grid is not that of the study.
    """
    import SimpleITK as sitk

    image = _read(path)
    geometry = Geometry(
        image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    )
    if not nodes.grid.same_as_axial(geometry):
        raise InputError(path, f"the map lies on another grid than {nodes.name}", _REMEDY)
    volume = nodes.heatmaps.get(name)
    if volume is None:
        scene = nodes.table.GetScene()
        volume = add_node(scene, "vtkMRMLScalarVolumeNode", f"{nodes.name} {name}")
        volume.SetAttribute(study_nodes.MAP_NAME, name)
        nodes.table.AddNodeReferenceID(study_nodes.PREFIX + study_nodes.HEATMAPS, volume.GetID())
        put_into_folder(nodes.folder, volume)
    volume.SetIJKToRASMatrix(ijk_to_ras(geometry))
    volume.SetAndObserveImageData(image_of(sitk.GetArrayViewFromImage(image)))
    for key in ACTIVATIONS:
        text = image.GetMetaData(key) if image.HasMetaDataKey(key) else None
        volume.SetAttribute(study_nodes.PREFIX + key, text)
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
        display = volume.GetDisplayNode()
        show_colours(display, _colours(nodes).GetID(), RANGE, shown=(SHOWN_FROM, RANGE[1]))
    set_legend(volume, f"{name} activation", LEFT, labels=LABELS, scale=activations_of(volume))
    return volume


def activations_of(volume: vtkMRMLScalarVolumeNode) -> tuple[float, float] | None:
    """The activations that a heatmap's 0 and 255 stand for; None where its file did not tell."""
    try:
        low, high = (float(volume.GetAttribute(study_nodes.PREFIX + key)) for key in ACTIVATIONS)
    except (TypeError, ValueError):  # no such attribute, or no number
        return None
    return (low, high) if low < high else None


def _colours(nodes: StudyNodes) -> vtkMRMLColorTableNode:
    """The colours that all maps of a study share."""
    table = nodes.referenced(study_nodes.HEAT_COLOURS)
    if table is None:
        scene = nodes.table.GetScene()
        table = colours.heat_table(scene, f"{nodes.name} heatmap colours")
        nodes.refer(study_nodes.HEAT_COLOURS, table)
        put_into_folder(nodes.folder, table)
    return table


def _read(path: Path) -> sitk.Image:
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path), sitk.sitkUInt8)
    except RuntimeError as error:
        logger.debug("SimpleITK cannot read %s: %s", path, error)
        raise InputError(path, "it cannot be read as a volume", _REMEDY) from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(path, "it is not a volume of one number a voxel", _REMEDY)
    return image
