"""Ribs, spine, shoulder girdle and pelvis."""

from __future__ import annotations

import numpy as np

from MSIQALib.phantom.canvas import Canvas
from MSIQALib.phantom.frame import Frame, FrameDistances
from MSIQALib.phantom.shapes import Array, Ellipsoid, bar, ellipse, tube
from MSIQALib.phantom.tissue import (
    CARTILAGE,
    CEREBROSPINAL,
    CORD,
    CORTICAL,
    DISC,
    FAT,
    MARROW,
    MUSCLE,
    YELLOW_MARROW,
)

# Lower edges of S1, L5 ... L1, T12 ... T1, C7, C6.
_VERTEBRAE = np.array(
    [40, 75, 109, 143, 177, 211, 244, 273, 300, 326, 351, 375, 398, 421, 443, 464, 484, 503, 520,
     536, 551, 566],
    dtype=float,
)  # fmt: skip
_FIRST_RIB_MM, _RIB_PITCH_MM = 517.0, 23.4


class Skeleton:
    """Bones and cartilage, hung into a frame."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._humerus = tube([(158, 6, 512, 17), (172, 2, 540, 13), (188, -3, 580, 12)]).mirrored()
        self._clavicles = tube(
            [(13, -60, 487, 9), (45, -66, 497, 6.5), (85, -48, 507, 6), (122, -14, 516, 7.5)],
            smooth=2,
        ).mirrored()

    def paint_ribs(self, canvas: Canvas, at: FrameDistances) -> None:
        """Ribs, their cartilages and the muscles between them.

        All ribs lie on the cavity's surface and run down and forward, so that one expression says
        for every pixel how far it is from the nearest of them.
        """
        near = at.cavity - 1.5
        canvas.paint(np.abs(near) - 4.0, MUSCLE)
        towards_front = np.arctan2(np.abs(at.x), at.y) / np.pi  # 0 at the spine, 1 at the sternum
        steep = 0.5 + 0.5 * np.clip((_FIRST_RIB_MM - canvas.Z) / 160.0, 0.0, 1.0)
        drop = 118.0 * steep * np.sin(np.clip(towards_front, 0, 0.8) / 0.8 * np.pi / 2) ** 1.6
        along = (_FIRST_RIB_MM - canvas.Z - drop) / _RIB_PITCH_MM
        number = np.round(along)
        off = (along - number) * _RIB_PITCH_MM * 0.72
        radius = np.sqrt((near / 4.3) ** 2 + (off / 6.6) ** 2)
        distance = (radius - 1.0) * 4.8
        number += 1
        absent = (number < 1) | (number > 12) | ((number > 10) & (towards_front > 0.45))
        rim = np.where(absent | (canvas.Z < 215), 99.0, distance)
        bone = np.maximum(rim, (towards_front - 0.78) * 300.0)
        canvas.paint(bone, CORTICAL)
        canvas.paint(bone + 1.9, MARROW)
        cartilage = np.maximum(rim, (0.78 - towards_front) * 300.0)
        cartilage = np.maximum(cartilage, np.where(number > 9, 99.0, 12.0 - np.abs(at.x)))
        canvas.paint(cartilage, CARTILAGE)

    def paint_spine(self, canvas: Canvas) -> None:
        """Vertebrae with discs, arch and processes; the sacrum at the lower end."""
        z, centre = canvas.z, self._frame.spine_y(canvas.z)
        lumbar = float(np.clip((330 - z) / 150, 0, 1))
        cervical = float(np.clip((z - 500) / 40, 0, 1))
        a, b = 16.5 + 8 * lumbar - 3 * cervical, 14.5 + 4 * lumbar - 4 * cervical
        box = canvas.box(-75, 75, centre - 45, centre + 75)
        x, y = canvas.X[box], canvas.Y[box] - np.float32(centre)
        levels = canvas.Z[box]
        index = np.clip(np.searchsorted(_VERTEBRAE, z) - 1, 0, len(_VERTEBRAE) - 2)
        low, high = float(_VERTEBRAE[index]), float(_VERTEBRAE[index + 1])
        phase = np.clip((levels - low) / (high - low), 0.0, 1.0)
        if z < _VERTEBRAE[1]:
            self._paint_sacrum(canvas, x, y, box)
            if z < _VERTEBRAE[0] + 18:
                return
        side = np.abs(x)
        waist = 1.0 - 0.09 * np.sin(np.pi * phase)
        body = ellipse(x, y + 0.0, a * 1.08, b * 1.05) + (1 - waist) * 18
        canal_y = b + 8.5
        canal = ellipse(x, y - canal_y, 10.5, 8.5)
        upper = float(np.clip((np.mean(phase) - 0.35) / 0.2, 0, 1))
        transverse = bar(side, y, (10, canal_y - 3), (24 + 10 * lumbar, canal_y + 6 - 9 * lumbar))
        lamina = bar(side, y, (12.5, canal_y - 4), (1.5, canal_y + 13))
        spinous = bar(side, y, (0, canal_y + 10), (0, canal_y + 30 - 6 * upper))
        pedicle = bar(side, y, (13.0, b - 4), (13.5, canal_y))
        facet = bar(side, y, (15.5, canal_y + 5), (17.5, canal_y + 8))
        arch = np.minimum(lamina - 3.0, spinous - (3.4 if upper < 0.5 else 2.4))
        if upper > 0:
            arch = np.minimum(arch, np.minimum(transverse - 4.2, pedicle - 4.2) + (1 - upper) * 5)
        else:
            arch = np.minimum(arch, facet - 5.0)
        canvas.paint(arch, CORTICAL, box, 0.85)
        canvas.paint(arch + 2.1, MARROW, box)
        canvas.paint(canal, FAT, box)
        canvas.paint(canal + 1.5, CEREBROSPINAL, box)
        if z > 215:
            canvas.paint(ellipse(x, y - canal_y, 5.6, 4.4), CORD, box)
        canvas.paint(body, CORTICAL, box, 0.9)
        canvas.paint(body + 1.7, MARROW, box)
        plate = np.minimum(phase, 1 - phase) * (high - low)
        canvas.paint(np.maximum(body + 1.7, plate - 4.6), CORTICAL, box, 0.6)
        canvas.paint(np.maximum(body + 0.4, plate - 3.0), DISC, box)

    def _paint_sacrum(self, canvas: Canvas, x: Array, y: Array, box: tuple[slice, slice]) -> None:
        size = float(np.interp(canvas.z, [-40, 0, 75], [34, 44, 52]))
        side = np.abs(x)
        wing = np.maximum(ellipse(x, y - 8.0, size, 25.0), -(y + 15.0 - 0.1 * side))
        canvas.paint(wing, CORTICAL, box, 0.75)
        canvas.paint(wing + 2.0, MARROW, box)
        for where, radius in (((17.0, 3.0), 5.0), ((16.0, 20.0), 4.0)):
            hole = np.hypot(side - where[0], y - where[1]) - radius
            canvas.paint(hole, CORTICAL, box, 0.5)
            canvas.paint(hole + 1.5, FAT, box)
        canvas.paint(ellipse(x, y - 19.0, 9.0, 6.0), FAT, box)

    def paint_girdle(self, canvas: Canvas) -> None:
        """Sternum, clavicles, scapulae, upper arms, iliac wings."""
        z = canvas.z
        if 325 < z < 492:
            half = float(np.interp(z, [325, 345, 435, 450, 475, 492], [8, 17, 15, 22, 29, 24]))
            top = self._frame.breastbone_y(z)
            box = canvas.box(-60, 60, top - 30, top + 30)
            sternum = ellipse(canvas.X[box], canvas.Y[box] - np.float32(top), half, 6.5)
            canvas.paint(sternum, CORTICAL, box, 0.75)
            canvas.paint(sternum + 1.8, MARROW, box)
        canvas.tubes(self._clavicles, (0, CORTICAL), (2.4, MARROW))
        canvas.tubes(self._humerus, (0, CORTICAL), (3.8, YELLOW_MARROW))
        for side in (-1.0, 1.0):
            head = Ellipsoid((158 * side, 7, 506), (23.5, 24, 22))
            canvas.ellipsoid(head, (0, CORTICAL), (2.0, MARROW), (7.0, YELLOW_MARROW))
        if 388 < z < 512:
            self._paint_scapulae(canvas)
        if z < 116:
            self._paint_ilium(canvas)

    def _paint_scapulae(self, canvas: Canvas) -> None:
        z, x = canvas.z, np.abs(canvas.X)
        inner = _between(z, [388, 420, 460, 512], [(103, 74), (86, 78), (79, 74), (90, 58)])
        outer = _between(z, [388, 440, 480, 512], [(112, 64), (122, 46), (133, 28), (136, 20)])
        middle = ((inner[0] + outer[0]) / 2 - 2, (inner[1] + outer[1]) / 2 - 5)
        blade = np.minimum(bar(x, canvas.Y, inner, middle), bar(x, canvas.Y, middle, outer))
        blade = (
            blade
            - float(np.interp(z, [388, 400], [1.0, 2.8]))
            - 2.6 * (np.hypot(x - outer[0], canvas.Y - outer[1]) < 14)
        )
        if z > 478:
            blade = np.minimum(blade, np.hypot(x - outer[0], canvas.Y - outer[1]) - 9.0)
            spine = bar(x, canvas.Y, (92, 72), (146, 46)) - 3.4
            blade = np.minimum(blade, spine)
        canvas.paint(blade, CORTICAL, opacity=0.9)
        canvas.paint(blade + 2.2, MARROW)

    def _paint_ilium(self, canvas: Canvas) -> None:
        z, x = canvas.z, np.abs(canvas.X)
        back = _between(z, [-40, 40, 116], [(50, 66), (52, 74), (88, 58)])
        front = _between(z, [-40, 30, 80, 116], [(112, -32), (126, -36), (130, -12), (118, 22)])
        bend = (back[0] * 0.45 + front[0] * 0.55 + 3, back[1] * 0.5 + front[1] * 0.5 + 8)
        line = np.minimum(bar(x, canvas.Y, back, bend), bar(x, canvas.Y, bend, front))
        ends = np.minimum(
            np.hypot(x - back[0], canvas.Y - back[1]), np.hypot(x - front[0], canvas.Y - front[1])
        )
        wing = line - (3.6 + 3.6 * np.exp(-((ends / 20.0) ** 2)))
        canvas.paint(wing, CORTICAL, opacity=0.9)
        canvas.paint(wing + 2.2, MARROW)


def _between(
    z: float, knots: list[float], points: list[tuple[float, float]]
) -> tuple[float, float]:
    """A point that moves from knot to knot along z."""
    pairs = np.asarray(points, dtype=float)
    return float(np.interp(z, knots, pairs[:, 0])), float(np.interp(z, knots, pairs[:, 1]))
