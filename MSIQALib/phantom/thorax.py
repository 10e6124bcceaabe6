"""Lungs with their vessels and bronchi, heart, great vessels, airways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MSIQALib.phantom.canvas import Canvas
from MSIQALib.phantom.frame import FrameDistances
from MSIQALib.phantom.shapes import Array, Ellipsoid, Tubes, ellipse, tube, turned
from MSIQALib.phantom.tissue import (
    AIRWAY,
    BLOOD,
    BRONCHUS_WALL,
    FAT,
    HEART_MUSCLE,
    LUNG,
    MUSCLE,
    OESOPHAGUS,
    PULMONARY_VESSEL,
    RIGHT_HEART_MUSCLE,
    THYROID,
    VESSEL_WALL,
)

HILUM_RIGHT = (-46.0, 8.0, 424.0)
HILUM_LEFT = (52.0, 14.0, 426.0)
_LEFT_VENTRICLE = (46.0, -30.0, 362.0)
_APEX_DIRECTION = (0.72, -0.56, -0.40)


def above_diaphragm(canvas: Canvas, at: FrameDistances) -> Array:
    """Distance to the room above the diaphragm: negative above it, in mm.

    Two domes with a saddle under the heart, steep at the wall and lowest at the back.
    """
    left = 1.0 / (1.0 + np.exp(-at.x / 9.0))
    dome = 342.0 - 17.0 * left - 16.0 * np.exp(-((at.x / 26.0) ** 2))
    level = np.clip(at.level, 0.0, 1.1)
    drop = (64.0 + 26.0 * np.clip(at.y / 90.0, 0.0, 1.0)) * level * level * level
    steep = drop * np.float32(4.0 / 115.0)
    return (dome - drop * level - canvas.Z) / np.sqrt(1.0 + steep * steep)


class Thorax:
    """What lies above the diaphragm.

    Args:
        rng: Makes the branching of vessels and bronchi.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        vessels, bronchi = [], []
        for hilum, side in ((HILUM_RIGHT, -1.0), (HILUM_LEFT, 1.0)):
            for _ in range(3):  # arteries and veins
                vessels.append(_tree(rng, hilum, side, radius=6.2, least=0.75, shrink=0.80))
            bronchi.append(_tree(rng, hilum, side, radius=5.0, least=1.5, shrink=0.74))
        self._vessels = Tubes.join(*vessels)
        self._bronchi = Tubes.join(*bronchi)
        self._airways = tube(
            [(0, -14, 600, 9), (0, -10, 530, 9), (0, 2, 490, 9), (1, 10, 448, 10)], smooth=2
        )
        self._airways = Tubes.join(
            self._airways,
            tube([(1, 10, 448, 9), (-24, 12, 430, 7), (-48, 10, 418, 5.5)]),
            tube([(1, 10, 448, 9), (28, 14, 428, 6.5), (56, 18, 416, 5)]),
        )
        self._aorta = tube(
            [(4, -20, 392, 15), (-16, -26, 415, 16), (-18, -26, 440, 15.5), (-8, -16, 458, 14),
             (10, 8, 464, 13), (23, 30, 455, 12.5), (27, 40, 430, 12), (26, 42, 390, 11.5),
             (20, 38, 340, 11), (12, 26, 300, 10.5)], smooth=3,
        )  # fmt: skip
        self._veins = Tubes.join(
            tube([(-30, -12, 402, 10), (-31, -18, 440, 9.5), (-27, -28, 472, 8.5)], smooth=2),
            tube([(-27, -28, 472, 7), (0, -44, 474, 6.5), (40, -48, 492, 6), (80, -38, 508, 5)]),
            tube([(-27, -28, 472, 7), (-48, -45, 492, 6), (-84, -38, 508, 5)]),
            tube([(24, -46, 400, 13), (26, -34, 420, 14), (20, -18, 430, 13)], smooth=2),
            tube([(20, -18, 430, 12), (-10, -6, 428, 10.5), (-46, 4, 426, 9)], smooth=2),
            tube([(20, -18, 430, 12), (38, 0, 436, 11), (56, 16, 430, 8.5)], smooth=2),
        )
        self._neck = Tubes.join(
            tube([(-14, -14, 466, 6), (-20, -20, 500, 5), (-26, -14, 545, 4), (-28, -12, 600, 4)]),
            tube([(6, -6, 468, 5), (16, -8, 500, 4.5), (26, -14, 545, 4), (28, -12, 600, 4)]),
            tube([(18, 6, 466, 5), (30, 2, 500, 4.5), (66, -18, 515, 4.5), (110, -10, 520, 4)]),
            tube([(-20, -20, 500, 5), (-60, -20, 514, 4.5), (-110, -10, 520, 4)]),
            tube([(-36, -38, 498, 6), (-35, -20, 545, 5.5), (-36, -18, 600, 5.5)]),
            tube([(36, -40, 498, 6), (35, -20, 545, 5), (36, -18, 600, 5)]),
        )
        self._oesophagus = tube(
            [(3, 4, 600, 6), (4, 8, 530, 6), (6, 22, 470, 7), (8, 28, 420, 7), (14, 24, 350, 7.5),
             (24, 10, 315, 8)], smooth=2,
        )  # fmt: skip

    def paint_lungs(self, canvas: Canvas, at: FrameDistances, lung: Array, dark: Array) -> None:
        """Lung tissue, denser towards the back, with vessels, bronchi and fissures."""
        canvas.paint(lung, LUNG)
        inside = np.clip(-lung / 2.0, 0.0, 1.0)
        gravity = np.clip(at.y / 90.0, -1.0, 1.0)
        canvas.hu += inside * (28.0 * gravity + 14.0 * dark + 25.0 * np.exp(lung / 4.0))
        canvas.suv *= 1.0 + inside * 0.25 * gravity
        fissure = np.abs(canvas.Z - (395.0 - 0.55 * at.y + 0.1 * at.x + 6.0 * dark))
        canvas.blend(inside * 0.14 * np.exp(-((fissure / 2.0) ** 2)), MUSCLE)
        canvas.tubes(self._vessels, (0, PULMONARY_VESSEL), keep=lung + 1.5)
        canvas.tubes(self._bronchi, (0, BRONCHUS_WALL), (1.0, AIRWAY), keep=lung + 1.5)

    def lung_distance(self, at: FrameDistances, above: Array, mediastinum: Array) -> Array:
        """Distance to the lungs, which end at ribs, diaphragm and mediastinum."""
        return np.maximum(np.maximum(at.cavity + 6.5, above), -mediastinum)

    def paint_mediastinum(
        self, canvas: Canvas, at: FrameDistances, above: Array, mediastinum: Array
    ) -> None:
        """Heart, great vessels, airways, oesophagus in their fat."""
        above = above + 1.0
        if 250 < canvas.z < 525:
            fat = np.maximum(np.maximum(mediastinum, above), at.cavity + 4.0)
            canvas.paint(fat, FAT)
        keep = np.maximum(above + 2.0, at.cavity + 4.0)
        self._paint_heart(canvas, keep)
        canvas.tubes(self._veins, (0, VESSEL_WALL), (1.2, BLOOD))
        canvas.tubes(self._aorta, (0, VESSEL_WALL), (1.5, BLOOD))
        canvas.tubes(self._neck, (-2.0, FAT), (0, VESSEL_WALL), (0.8, BLOOD))
        canvas.tubes(self._oesophagus, (-1.5, FAT), (0, OESOPHAGUS))
        for side in (-1.0, 1.0):
            lobe = Ellipsoid((17 * side, -13, 530), (9, 13, 22))
            canvas.ellipsoid(lobe, (0, THYROID))
        canvas.tubes(self._airways, (-1.6, BRONCHUS_WALL), (0, AIRWAY))

    def mediastinum_distance(self, canvas: Canvas) -> Array:
        """Distance to the space between the lungs."""
        z = canvas.z
        knots = [250, 320, 380, 420, 450, 480, 520, 545]
        a = float(np.interp(z, knots, [34, 36, 36, 37, 36, 33, 31, 34]))
        centre = float(np.interp(z, knots, [20, 8, 0, -4, -8, -10, -8, 0]))
        b = float(np.interp(z, knots, [52, 58, 60, 60, 58, 52, 48, 40]))
        column = ellipse(canvas.X - 2.0, canvas.Y - np.float32(centre), a, b)
        heart = Ellipsoid((24, -26, 368), (66, 50, 62)).distance(canvas.X, canvas.Y, canvas.Z)
        spine = np.hypot(canvas.X, canvas.Y - 52.0) - 24.0
        return np.minimum(np.minimum(column, heart), spine)

    def _paint_heart(self, canvas: Canvas, keep: Array) -> None:
        if not 290 < canvas.z < 440:
            return
        axes = turned(_APEX_DIRECTION)
        sac = Ellipsoid((22, -26, 370), (62, 44, 50), turned((0.8, -0.5, -0.35)))
        canvas.ellipsoid(sac, (0, RIGHT_HEART_MUSCLE), (3.5, BLOOD), keep=keep)
        canvas.ellipsoid(
            Ellipsoid((-24, -20, 378), (25, 28, 33)),
            (0, RIGHT_HEART_MUSCLE), (2.0, BLOOD), keep=keep,
        )  # fmt: skip
        canvas.ellipsoid(
            Ellipsoid((14, 10, 396), (33, 19, 24)),
            (0, RIGHT_HEART_MUSCLE), (2.0, BLOOD), keep=keep,
        )  # fmt: skip
        # Fat in the grooves between chambers.
        groove = Ellipsoid((2, -44, 394), (3.5, 18, 20), axes)
        canvas.ellipsoid(groove, (0, FAT), keep=keep)
        outer = Ellipsoid(_LEFT_VENTRICLE, (50, 33, 34), axes)
        inner = Ellipsoid(
            (_LEFT_VENTRICLE[0] - 5.0, _LEFT_VENTRICLE[1] + 4.0, _LEFT_VENTRICLE[2] + 3.0),
            (44, 21, 22), axes,
        )  # fmt: skip
        found = canvas.ellipsoid_distance(outer)
        if found is None:
            return
        distance, box = found
        along = outer.local(*canvas.at(box))[0]
        closed = np.maximum(np.maximum(distance, -along - 26.0), keep[box])  # open at the valves
        canvas.paint(closed, HEART_MUSCLE, box)
        cavity = inner.distance(*canvas.at(box))
        canvas.paint(np.maximum(cavity, closed), BLOOD, box)


def _tree(
    rng: np.random.Generator,
    root: tuple[float, float, float],
    side: float,
    *,
    radius: float,
    least: float,
    shrink: float,
) -> Tubes:
    """A branching tree that fans out from the hilum into one lung."""
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    radii: list[tuple[float, float]] = []
    first = [
        np.array([side * 0.55, -0.45, 0.75]),
        np.array([side * 0.85, -0.55, 0.05]),
        np.array([side * 0.75, 0.60, 0.20]),
        np.array([side * 0.55, 0.35, -0.85]),
        np.array([side * 0.75, -0.30, -0.70]),
    ]
    grow: list[tuple[np.ndarray, np.ndarray, float]] = [
        (np.asarray(root) + rng.normal(0, 5, 3), d + rng.normal(0, 0.15, 3), radius) for d in first
    ]
    inside: Callable[[np.ndarray], bool] = _rough_lung(side)
    while grow and len(radii) < 1100:
        point, direction, size = grow.pop(0)
        direction = direction / np.linalg.norm(direction)
        length = 5.5 * size**0.75 + rng.uniform(2, 7)
        end = point + direction * length
        if not inside(end):
            continue
        starts.append(point)
        ends.append(end)
        radii.append((size, size * 0.92))
        smaller = size * shrink
        if smaller < least:
            continue
        aside = np.cross(direction, rng.normal(size=3))
        aside /= np.linalg.norm(aside)
        spread = rng.uniform(0.35, 0.7)
        grow.append((end, direction + aside * spread, smaller * rng.uniform(0.85, 1.02)))
        grow.append((end, direction - aside * spread, smaller * rng.uniform(0.85, 1.02)))
    return Tubes(
        np.asarray(starts, np.float32), np.asarray(ends, np.float32), np.asarray(radii, np.float32)
    )


def _rough_lung(side: float) -> Callable[[np.ndarray], bool]:
    """Whether a point may be reached by a branch of one lung (its last edge is cut exactly)."""
    centre, radii = np.array([side * 75.0, 5.0, 395.0]), np.array([66.0, 88.0, 120.0])

    def inside(point: np.ndarray) -> bool:
        return bool((((point - centre) / radii) ** 2).sum() < 1.05 and side * point[0] > 22)

    return inside
