"""The three slice views of one study, and the settings applied to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeNode

from MSIQALib.scene.overlay import hide_overlay, show_overlay
from MSIQALib.scene.study_nodes import StudyNodes
from MSIQALib.viewer.page.display import Display
from MSIQALib.viewer.page.frame import Frame
from MSIQALib.viewer.page.pet_colours import colour_table
from MSIQALib.viewer.page.slice_view import ORIENTATIONS, SliceView
from MSIQALib.viewer.page.study_images import ImageNodes
from MSIQALib.viewer.page.world import World

LENGTHWISE = ("Sagittal", "Coronal")
"""The views that run along the patient, which the slices' scores can tint."""


class Views:
    """Axial, sagittal and coronal view.

    Args:
        world: The scene.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._views = {name: SliceView(world, name) for name in ORIENTATIONS}
        self._images: ImageNodes | None = None
        self._overlays: list[tuple[vtkMRMLScalarVolumeNode, tuple[str, ...]]] = []
        self._tables: dict[str, vtkMRMLColorTableNode] = {}

    def picture(self, orientation: str, frame: Frame) -> npt.NDArray[np.uint8]:
        """A picture of a view.

        Raises:
            KeyError: There is no such view.
        """
        return self._views[orientation].picture(frame)

    def show_images(self, images: ImageNodes | None) -> None:
        """Show a study's images, or nothing; what lay over them goes."""
        self._clear_overlays()
        self._images = images
        for view in self._views.values():
            view.composite.SetBackgroundVolumeID(images.ct.GetID() if images else None)
            pet = images.pet if images else None
            view.composite.SetForegroundVolumeID(pet.GetID() if pet else None)

    def close(self) -> None:
        """Let go of the scene, before it goes."""
        self.show_images(None)
        for view in self._views.values():
            view.close()

    def apply(self, display: Display, study: StudyNodes | None) -> None:
        """Bring windows, colours and overlays to what is set.

        Args:
            display: The settings.
            study: The assessment whose maps may be shown.
        """
        if self._images is None:
            return
        self._clear_overlays()
        study = study if study is not None and study.exists else None
        heatmap = None
        if study is not None and display.heatmap_shown:
            heatmap = study.heatmaps.get(display.heatmap)
        low = display.ct_centre - display.ct_width / 2
        self._images.ct.GetDisplayNode().SetWindowLevelMinMax(low, low + display.ct_width)
        self._apply_pet(display, shown=heatmap is None or display.heatmap_over_pet)
        if study is not None and display.tint and study.quality is not None:
            self._lay_over(study.quality, LENGTHWISE, display.tint_opacity)
        if heatmap is not None:
            self._lay_over(heatmap, ORIENTATIONS, display.heatmap_opacity)

    def _apply_pet(self, display: Display, *, shown: bool) -> None:
        node = self._images.pet if self._images is not None else None
        if node is None:
            return
        settings = node.GetDisplayNode()
        settings.SetAndObserveColorNodeID(self._table(display.pet_colours).GetID())
        settings.SetWindowLevelMinMax(display.pet_low, display.pet_high)
        for view in self._views.values():
            # A layer that is not there takes no time; at an opacity of 0 it would.
            view.composite.SetForegroundVolumeID(node.GetID() if shown else None)
            view.composite.SetForegroundOpacity(display.pet_opacity)

    def _lay_over(
        self, volume: vtkMRMLScalarVolumeNode, names: tuple[str, ...], opacity: float
    ) -> None:
        show_overlay(volume, [self._views[name].composite for name in names], opacity)
        self._overlays.append((volume, names))

    def _clear_overlays(self) -> None:
        # The last layer first, or a gap would stay under it.
        while self._overlays:
            volume, names = self._overlays.pop()
            hide_overlay(volume, [self._views[name].composite for name in names])

    def _table(self, name: str) -> vtkMRMLColorTableNode:
        if name not in self._tables:
            self._tables[name] = colour_table(self._world.scene, name)
        return self._tables[name]
