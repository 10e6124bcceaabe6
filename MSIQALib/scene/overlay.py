"""Results laid over the images in slice views."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from MSIQALib.scene.legend import legend_of

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSliceCompositeNode


def show_overlay(
    volume: vtkMRMLScalarVolumeNode,
    views: Iterable[vtkMRMLSliceCompositeNode],
    opacity: float = 0.5,
) -> None:
    """Lay a volume over what slice views show.

    It becomes the foreground. Where the foreground is taken, by the PET of a fused view, it becomes
    a further layer on top; such layers have no legend and are not saved with the scene.

    Args:
        volume: A quality or heatmap volume.
        views: The views' composite nodes.
        opacity: 0..1.
    """
    for view in views:
        layer = _layer_of(view, volume)
        if layer is None:
            layer = view.LayerForeground
            if view.GetNthLayerVolume(layer) is not None:
                layer = view.Layer_Last + view.GetNumberOfAdditionalLayers()
        view.SetNthLayerVolumeID(layer, volume.GetID())
        view.SetNthLayerOpacity(layer, opacity)
    _update_legend(volume)


def hide_overlay(
    volume: vtkMRMLScalarVolumeNode, views: Iterable[vtkMRMLSliceCompositeNode]
) -> None:
    """Take a volume off slice views again; whatever else they show stays."""
    for view in views:
        layer = _layer_of(view, volume)
        if layer is not None:
            view.SetNthLayerVolumeID(layer, None)
    _update_legend(volume)


def _update_legend(volume: vtkMRMLScalarVolumeNode) -> None:
    """Views look at a volume's legend anew when a user changes their layers, not when code does."""
    legend = legend_of(volume)
    if legend is not None:
        legend.Modified()


def _layer_of(view: vtkMRMLSliceCompositeNode, volume: vtkMRMLScalarVolumeNode) -> int | None:
    """The layer above the background that shows a volume."""
    last = view.Layer_Last + view.GetNumberOfAdditionalLayers()
    for layer in range(view.LayerForeground, last):
        if view.GetNthLayerVolumeID(layer) == volume.GetID():
            return layer
    return None
