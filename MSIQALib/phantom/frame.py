"""The torso's outline, its wall of skin, fat and muscle, and the cavity inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from MSIQALib.phantom.canvas import Canvas
from MSIQALib.phantom.shapes import Array, ellipse, smooth_union, superellipse, tube
from MSIQALib.phantom.tissue import FAT, MUSCLE, SKIN

BOTTOM_MM, TOP_MM = 0.0, 540.0
"""Axial range of the torso: the upper sacrum to the lower neck, z in mm."""

TABLE_TOP_MM = 112.0
"""y of the surface that the patient lies on."""

# z, half width, half depth of the trunk; a man of about 175 cm, arms raised beside the head.
_TRUNK = np.array(
    [
        (-40, 182, 110), (0, 178, 112), (60, 168, 108), (130, 157, 102), (220, 161, 107),
        (300, 166, 111), (380, 170, 113), (430, 174, 108), (470, 165, 97), (500, 132, 84),
        (520, 98, 74), (540, 70, 68), (600, 64, 70),
    ],
    dtype=float,
)  # fmt: skip
# z, half width, half depth, y of the centre of the cavity that ribs and abdominal wall enclose.
_CAVITY = np.array(
    [
        (-40, 92, 66, -14), (0, 98, 72, -18), (60, 114, 76, -20), (130, 122, 78, -14),
        (220, 130, 87, -7), (300, 137, 93, -3), (350, 138, 95, -1), (400, 130, 90, 3),
        (440, 112, 79, 6), (475, 88, 62, 8), (500, 62, 45, 11), (515, 38, 28, 13),
        (530, 10, 9, 14), (600, 6, 6, 14),
    ],
    dtype=float,
)  # fmt: skip
_FAT = np.array(
    [(-40, 24), (60, 21), (130, 17), (220, 14), (300, 12), (400, 10), (480, 8), (540, 5), (600, 4)],
    dtype=float,
)
_SPINE_Y = np.array(
    [(-40, 74), (0, 66), (60, 52), (110, 40), (170, 34), (240, 39), (320, 49), (400, 51),
     (460, 43), (510, 29), (540, 23), (600, 20)],
    dtype=float,
)  # fmt: skip


@dataclass(frozen=True)
class Habitus:
    """How one phantom differs from the next in build.

    Attributes:
        width: Factor on all left-right sizes of the frame.
        depth: Factor on all front-back sizes of the frame.
        fat: Factor on the subcutaneous fat's thickness.
    """

    width: float = 1.0
    depth: float = 1.0
    fat: float = 1.0


@dataclass(frozen=True)
class FrameDistances:
    """Distances on one plane that later organs need, all (H, W) in mm unless said.

    Attributes:
        body: To the skin.
        cavity: To the inner surface of ribs and abdominal wall.
        level: Position in the cavity, 0 at its centre and 1 at its wall (no unit).
        x: Left-right coordinate in the mean build.
        y: Front-back coordinate from the cavity's centre, in the mean build.
    """

    body: Array
    cavity: Array
    level: Array
    x: Array
    y: Array


class Frame:
    """Outline, wall and cavity as functions of the axial position."""

    def __init__(self, habitus: Habitus) -> None:
        self.habitus = habitus
        self._trunk = PchipInterpolator(_TRUNK[:, 0], _TRUNK[:, 1:])
        self._cavity = PchipInterpolator(_CAVITY[:, 0], _CAVITY[:, 1:])
        self._fat = PchipInterpolator(_FAT[:, 0], _FAT[:, 1])
        self._spine_y = PchipInterpolator(_SPINE_Y[:, 0], _SPINE_Y[:, 1])
        self._shoulders = tube(
            [(104, 40, 395, 26), (118, 32, 430, 38), (140, 20, 470, 47), (168, 8, 515, 50),
             (188, 0, 560, 47), (195, -4, 610, 45)], smooth=2,
        ).mirrored()  # fmt: skip
        self._pectorals = tube(
            [(70, -78, 395, 8), (78, -74, 420, 24), (98, -55, 460, 32), (130, -25, 490, 34)],
            smooth=2,
        ).mirrored()

    def spine_y(self, z: float) -> float:
        """y of the centre of the vertebral bodies at a level."""
        return float(self._spine_y(z))

    def breastbone_y(self, z: float) -> float:
        """y of the middle of the sternum, in front of the cavity."""
        _, depth, centre = (float(v) for v in self._cavity(z))
        return (centre - depth - 2.5) * self.habitus.depth

    def distances(self, canvas: Canvas) -> FrameDistances:
        """Where the pixels of a plane lie in the frame."""
        build = self.habitus
        z = canvas.z
        x, y = canvas.X / build.width, canvas.Y / build.depth
        a, b = (float(v) for v in self._trunk(z))
        body, _ = superellipse(x, y, a, b)
        for group, blend in ((self._shoulders, 22.0), (self._pectorals, 16.0)):
            near, _ = group.boxes(np.full(len(group), z, np.float32), np.full(len(group), 45.0))
            for n in near:
                part = group.distance(int(n), x, y, z)
                body = smooth_union(body, part, blend)
        # The back lies flat on the table's mattress.
        body = np.maximum(body, canvas.Y - (TABLE_TOP_MM - 2.0))
        a, b, centre = (float(v) for v in self._cavity(z))
        cavity, level = superellipse(x, y - centre, a, b)
        return FrameDistances(body, cavity, level, x, y - centre)

    def paint_soft(self, canvas: Canvas, at: FrameDistances, septa: Array) -> None:
        """Skin, subcutaneous fat and the muscles between fat and cavity."""
        fat_mm = float(self._fat(canvas.z)) * self.habitus.fat
        sideways = np.clip(np.abs(at.x) / 150.0, 0.0, 1.0)
        front = np.clip(-at.y / 100.0, 0.0, 1.0)
        thickness = fat_mm * (0.8 + 0.35 * sideways + 0.35 * front + 0.18 * canvas.mottle)
        canvas.paint(at.body, SKIN)
        canvas.paint(at.body + 2.2, FAT)
        # Strands of connective tissue in the fat.
        strands = np.exp(-((septa / 0.05) ** 2)) * 0.3
        canvas.blend(np.clip(-at.body / 3 - 1, 0, 1) * strands, MUSCLE)
        muscle = at.body + thickness + 2.2
        canvas.paint(muscle, MUSCLE)
        # Sheets of fat between muscles: they follow the surface and break off here and there.
        layer = np.mod(septa * 0.55 - muscle / 17.0, 1.0) - 0.5
        planes = np.exp(-((layer / 0.055) ** 2)) * np.clip(0.75 + 0.6 * canvas.mottle, 0.0, 1.0)
        depth = np.clip(-muscle / 6.0, 0.0, 1.0)
        canvas.blend(np.clip(planes * 0.85, 0, 1) * depth, FAT)
        if canvas.z < 310:
            # Linea alba and the outer edges of the recti.
            x = np.abs(at.x)
            seam = np.exp(-((x / 3.0) ** 2)) + np.exp(-(((x - 68.0 - 3.0 * septa) / 2.5) ** 2))
            canvas.blend(np.clip(seam, 0, 0.9) * (at.y < -15) * (muscle < 0), FAT)

    def paint_back(self, canvas: Canvas, septa: Array) -> None:
        """Erector spinae and quadratus lumborum, beside and behind the spine."""
        z, spine = canvas.z, self.spine_y(canvas.z)
        x, y = np.abs(canvas.X), canvas.Y - spine
        width = float(np.interp(z, [0, 60, 170, 300, 420, 520, 560], [30, 34, 33, 27, 23, 24, 26]))
        height = float(np.interp(z, [0, 60, 170, 300, 420, 520], [14, 22, 25, 19, 16, 20]))
        offset = float(np.interp(z, [0, 60, 170, 300, 420, 520], [26, 30, 36, 36, 35, 32]))
        erector = ellipse(x - width * 0.98, y - offset, width, height)
        canvas.paint(erector - 2.0, FAT)
        canvas.paint(erector, MUSCLE)
        canvas.blend(
            np.clip(-erector / 3, 0, 1) * 0.7 * np.exp(-(((septa - 0.4) / 0.12) ** 2)), FAT
        )
