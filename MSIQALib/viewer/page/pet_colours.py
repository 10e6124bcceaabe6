"""Colour maps for the PET."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from MSIQALib.imaging.colour_map import heat_map
from MSIQALib.scene.mrml import add_node

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLScene

PET_COLOURS = {
    "inferno": "Inferno",
    "cividis": "Cividis",
    "viridis": "Viridis",
    "heat": "Hot, as assessed",
    "gray_r": "Grey, inverse",
}
"""Names for people. The first three keep their order for readers with a colour vision deficiency;
the fourth is the data set's, with which the pictures are fused that the network sees."""

STOPS = 9
SHADES = 256


def shades(name: str) -> npt.NDArray[np.float64]:
    """The colours of a map: shape (256, 3), 0..1.

    Raises:
        KeyError: There is no such map.
    """
    if name not in PET_COLOURS:
        raise KeyError(name)
    if name == "heat":
        return np.asarray(heat_map(), np.float64) / 255
    return np.asarray(mpl.colormaps[name](np.linspace(0, 1, SHADES)))[:, :3]


def stops(name: str) -> list[str]:
    """A few colours of a map as #rrggbb, for a legend."""
    chosen = shades(name)[np.linspace(0, SHADES - 1, STOPS).round().astype(int)]
    return ["#" + "".join(f"{round(value * 255):02x}" for value in colour) for colour in chosen]


def colour_table(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    """A colour table node of a map."""
    node = add_node(scene, "vtkMRMLColorTableNode", f"PET {PET_COLOURS[name]}", hidden=True)
    node.SetTypeToUser()
    node.SetNumberOfColors(SHADES)
    for at, (red, green, blue) in enumerate(shades(name)):
        node.SetColor(at, str(at), red, green, blue, 1.0)
    return node
