"""Colours of the scene: RdYlBu for scores, inferno for heatmaps, the report's inks for the chart.

Scores lie over a grey CT, where the dark and grey ends of the report's cividis would vanish: poor
slices must stand out. RdYlBu (C. Brewer, ColorBrewer 2.0, five classes) goes from red by pale
yellow to blue and is told apart with the common colour vision deficiencies.

inferno is perceptually uniform. It is kept as a few of its colours, with straight lines between: 3D
Slicer brings no matplotlib, and a scene must open without anything to install. It agrees with
matplotlib's to :data:`TOLERANCE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MSIQALib.likert import SCORE_RANGE, WORDS, word_of
from MSIQALib.scene.mrml import add_node

if TYPE_CHECKING:
    from slicer import vtkMRMLColorTableNode, vtkMRMLScene

RGB = tuple[float, float, float]
"""0..1 each."""

RD_YL_BU = ("#d7191c", "#fdae61", "#ffffbf", "#abd9e9", "#2c7bb6")
INFERNO = (
    "#000004",
    "#0b0724",
    "#210c4a",
    "#3d0965",
    "#57106e",
    "#71196e",
    "#8a226a",
    "#a32c61",
    "#bc3754",
    "#d24644",
    "#e45a31",
    "#f1731d",
    "#f98e09",
    "#fcac11",
    "#f9cb35",
    "#f2ea69",
    "#fcffa4",
)
TOLERANCE = 11 / 255

CURVE = "#0b4f8a"
ALARM = "#b3440c"
INK = "#16222e"

SHADES = 256


def rgb_of(colour: str) -> RGB:
    """A colour written as #rrggbb."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def sample(colour_map: tuple[str, ...], fraction: float) -> RGB:
    """The colour at 0..1 of a map, 0 its first."""
    stops = np.linspace(0.0, 1.0, len(colour_map))
    channels = np.array([rgb_of(colour) for colour in colour_map]).T
    red, green, blue = (float(np.interp(fraction, stops, channel)) for channel in channels)
    return red, green, blue


def likert_table(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    """Five colours, one for each Likert step and named by it: "0 bad" to "4 excellent".

    Shown with a window from -0.5 to 4.5, a score takes the colour of its word.
    """
    last = len(WORDS) - 1
    shades = [(f"{step} {word}", sample(RD_YL_BU, step / last)) for step, word in enumerate(WORDS)]
    return _table(scene, name, shades)


def score_table(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    """The same map without steps, named by score and word: "0.00 bad" to "4.00 excellent".

    Shown with a window from 0 to 4, neighbouring scores differ in colour.
    """
    low, high = SCORE_RANGE
    shades = []
    for at in range(SHADES):
        fraction = at / (SHADES - 1)
        score = low + fraction * (high - low)
        shades.append((f"{score:.2f} {word_of(score)}", sample(RD_YL_BU, fraction)))
    return _table(scene, name, shades)


def heat_table(scene: vtkMRMLScene, name: str) -> vtkMRMLColorTableNode:
    """The heatmaps' colours, one for each value of a byte and named by it."""
    shades = [(str(at), sample(INFERNO, at / (SHADES - 1))) for at in range(SHADES)]
    return _table(scene, name, shades)


def _table(scene: vtkMRMLScene, name: str, shades: list[tuple[str, RGB]]) -> vtkMRMLColorTableNode:
    node = add_node(scene, "vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(shades))
    for at, (shade, (red, green, blue)) in enumerate(shades):
        node.SetColor(at, shade, red, green, blue, 1.0)
    return node
