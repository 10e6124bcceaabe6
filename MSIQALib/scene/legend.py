"""Colour legends in the slice views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MSIQALib.scene.mrml import add_node

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLColorLegendDisplayNode,
        vtkMRMLScalarVolumeDisplayNode,
        vtkMRMLScalarVolumeNode,
    )

CLASS = "vtkMRMLColorLegendDisplayNode"

RIGHT, LEFT = (0.97, 0.5), (0.03, 0.5)

NAMED_SIZE, NUMBERED_SIZE = (0.15, 0.45), (0.09, 0.45)
"""Widths and heights; the text is made as large as the width allows for the longest label."""

NAMED_UP_TO = 20
"""Tables of fewer colours have their names beside them, as Slicer's own default has it."""


SCALE = "MSIQA.LegendScale"
"""Attribute of a display node that shows nothing and gives a legend its numbers."""


def set_legend(
    volume: vtkMRMLScalarVolumeNode,
    title: str,
    place: tuple[float, float],
    labels: int,
    scale: tuple[float, float] | None = None,
) -> vtkMRMLColorLegendDisplayNode | None:
    """Give a volume a legend, or bring the one it has up to date.

    It shows by itself in the slice views in which the volume is background, foreground or label.

    Args:
        volume: A volume with a display node and colours.
        title: Written over the legend.
        place: Of the legend in the view, 0..1 from the lower left corner.
        labels: Number of values written beside it; colours that have names take these instead.
        scale: What the ends of the display window stand for, where voxels are coded numbers; by
            default the window itself.

    Returns:
        The legend; None where the scene knows no legends (3D Slicer's always do).
    """
    scene, display = volume.GetScene(), volume.GetDisplayNode()
    legend = legend_of(volume)
    if legend is None:
        if not scene.IsNodeClassRegistered(CLASS):
            return None
        legend = add_node(scene, CLASS, f"{volume.GetName()} legend")
        volume.AddAndObserveDisplayNodeID(legend.GetID())
    legend.SetAndObservePrimaryDisplayNode(display if scale is None else _scale(volume, scale))
    named = display.GetColorNode().GetNumberOfColors() < NAMED_UP_TO
    legend.SetTitleText(title)
    legend.SetPosition(*place)
    legend.SetSize(*(NAMED_SIZE if named else NUMBERED_SIZE))
    legend.SetUseColorNamesForLabels(named)
    legend.SetLabelFormat("%s" if named else "%.3g")
    legend.SetNumberOfLabels(labels)
    for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        text.SetFontFamilyToArial()
        text.ItalicOff()
        text.ShadowOn()
    # The view's manager does not notice a display node that joins a volume it shows.
    legend.Modified()
    return legend


def legend_of(volume: vtkMRMLScalarVolumeNode) -> vtkMRMLColorLegendDisplayNode | None:
    """The legend of a volume, or None."""
    displays = (volume.GetNthDisplayNode(at) for at in range(volume.GetNumberOfDisplayNodes()))
    return next((node for node in displays if node is not None and node.IsA(CLASS)), None)


def _scale(
    volume: vtkMRMLScalarVolumeNode, window: tuple[float, float]
) -> vtkMRMLScalarVolumeDisplayNode:
    """A further display node of a volume, after the one that is drawn.

    A legend takes its numbers from the window of its primary display node and from nothing else.
    """
    displays = (volume.GetNthDisplayNode(at) for at in range(volume.GetNumberOfDisplayNodes()))
    found = (node for node in displays if node is not None and node.GetAttribute(SCALE))
    display = next(found, None)
    if display is None:
        scene = volume.GetScene()
        name = f"{volume.GetName()} legend scale"
        display = add_node(scene, "vtkMRMLScalarVolumeDisplayNode", name)
        display.SetAttribute(SCALE, "1")
    colours = volume.GetDisplayNode().GetColorNodeID()
    show_colours(display, colours, window, shown=window)
    if display.GetDisplayableNode() is None:
        volume.AddAndObserveDisplayNodeID(display.GetID())
    return display


def show_colours(
    display: vtkMRMLScalarVolumeDisplayNode,
    colour_id: str,
    window: tuple[float, float],
    shown: tuple[float, float],
) -> None:
    """Map the values of ``window`` to a colour table; outside of ``shown`` nothing is drawn."""
    modifying = display.StartModify()
    display.SetAndObserveColorNodeID(colour_id)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(*window)
    display.SetAutoThreshold(False)
    display.SetThreshold(*shown)
    display.SetApplyThreshold(True)
    display.EndModify(modifying)
