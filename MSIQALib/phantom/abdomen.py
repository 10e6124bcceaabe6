"""What lies below the diaphragm."""

from __future__ import annotations

import numpy as np

from MSIQALib.phantom.canvas import Canvas
from MSIQALib.phantom.frame import FrameDistances
from MSIQALib.phantom.shapes import Array, Ellipsoid, Tubes, smooth_union, tube, turned
from MSIQALib.phantom.tissue import (
    BLOOD,
    BOWEL_CONTENT,
    COLON_CONTENT,
    FAT,
    GALLBLADDER,
    GUT_GAS,
    GUT_WALL,
    KIDNEY_CORTEX,
    KIDNEY_SINUS,
    LIVER,
    LIVER_VESSEL,
    MUSCLE,
    PANCREAS,
    SPLEEN,
    STOMACH_CONTENT,
    URINE,
    VESSEL_WALL,
)

_WALL_MM = 6.0  # abdominal wall inside the cavity's surface


class Abdomen:
    """Liver, spleen, kidneys, stomach, bowel, bladder and their vessels.

    Args:
        rng: Makes the bowel's loops.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._liver_vessels = Tubes.join(
            tube([(-20, 14, 318, 6), (-45, 10, 305, 5.5), (-85, 20, 285, 4), (-115, 25, 262, 2)],
                 smooth=2),
            tube([(-20, 12, 320, 6), (-30, -15, 312, 5), (-55, -55, 292, 3), (-70, -72, 275, 2)],
                 smooth=2),
            tube([(-18, 10, 320, 5), (0, -20, 312, 4.5), (35, -50, 300, 3)], smooth=2),
            tube([(-12, -8, 235, 7), (-32, -8, 255, 7), (-50, -5, 268, 5.5)], smooth=2),
            tube([(-50, -5, 268, 5), (-80, -15, 262, 4), (-105, -10, 240, 2.5)], smooth=2),
            tube([(-50, -5, 268, 5), (-75, 15, 285, 4), (-105, 0, 305, 2)], smooth=2),
            tube([(-40, -8, 262, 5), (-20, -45, 275, 4.5), (20, -58, 285, 3)], smooth=2),
        )  # fmt: skip
        self._aorta = tube(
            [(12, 26, 310, 10.5), (8, 18, 270, 10), (8, 12, 200, 9.5), (7, 12, 128, 9)], smooth=2
        )
        self._aorta = Tubes.join(
            self._aorta,
            tube([(7, 12, 130, 7), (32, 12, 80, 6.5), (52, 12, 20, 6), (60, 0, -40, 5.5)]),
            tube([(7, 12, 130, 7), (-26, 14, 80, 6.5), (-50, 12, 20, 6), (-60, 0, -40, 5.5)]),
            tube([(8, 8, 262, 4), (8, -8, 255, 4), (8, -20, 190, 3.5), (2, -30, 120, 3)]),
        )
        self._cava = Tubes.join(
            tube([(-20, 6, 375, 11), (-24, 14, 325, 12), (-24, 12, 250, 11), (-20, 12, 120, 10)]),
            tube([(-20, 14, 122, 8), (-40, 24, 60, 7.5), (-54, 20, -40, 6.5)]),
            tube([(-20, 14, 122, 8), (34, 24, 60, 7.5), (54, 20, -40, 6.5)]),
            tube([(-24, 10, 225, 5), (-50, 24, 222, 4)]),
            tube([(-20, 8, 232, 5), (18, 2, 236, 4.5), (50, 26, 236, 4)]),
        )
        self._psoas = tube(
            [(30, 36, 238, 6), (36, 34, 190, 15), (42, 28, 130, 20), (50, 16, 80, 22),
             (64, -6, 20, 22), (72, -20, -40, 20)], smooth=2,
        ).mirrored()  # fmt: skip
        self._crura = tube([(16, 30, 308, 5), (15, 26, 260, 6), (13, 24, 210, 4)]).mirrored()
        self._pancreas = tube(
            [(-30, -16, 205, 13), (-22, -22, 228, 13), (10, -24, 240, 10), (45, -4, 252, 10),
             (78, 18, 268, 8)], smooth=3,
        )  # fmt: skip
        self._colon = _haustra(
            tube(
                [(-92, -12, 40, 24), (-100, -8, 90, 25), (-101, 0, 150, 23), (-94, -14, 190, 22),
                 (-70, -52, 185, 20), (-30, -76, 160, 20), (15, -80, 152, 19), (62, -66, 176, 19),
                 (98, -22, 225, 18), (106, 10, 232, 17), (106, 16, 190, 16), (106, 10, 120, 15),
                 (98, 2, 60, 15), (78, -2, 20, 15), (45, 10, 14, 15), (20, 30, 0, 16),
                 (0, 32, -40, 17)], smooth=8,
            )
        )  # fmt: skip
        forward = np.array([0.0, -5.0, 0.0], dtype=np.float32)
        self._colon_gas = Tubes(
            self._colon.start + forward, self._colon.end + forward, self._colon.radii * 0.72 - 2.0
        )
        self._loops = _small_bowel(rng)
        tilt = turned((0.22, -0.12, 0.95))
        mirror = turned((-0.22, -0.12, 0.95))
        self._kidneys = (
            (Ellipsoid((-62, 40, 218), (54, 29, 26), tilt), -1.0),
            (Ellipsoid((62, 42, 234), (55, 29, 26), mirror), 1.0),
        )

    def paint(self, canvas: Canvas, at: FrameDistances, above: Array, patches: Array) -> None:
        """All organs of the abdomen and the pelvis on one plane.

        Args:
            canvas: Where to paint.
            at: The frame's distances.
            above: Distance to the room above the diaphragm (see ``above_diaphragm``).
            patches: (H, W) unit-variance texture that says where bowel holds gas.
        """
        if canvas.z > 360:
            return
        room = np.maximum(at.cavity + _WALL_MM, 2.5 - above)
        canvas.paint(at.cavity + 1.0, MUSCLE, opacity=np.where(canvas.Z < 250, 1.0, 0.0))
        canvas.paint(room - 2.5, MUSCLE)
        canvas.paint(room, FAT)
        vessels = np.exp(-((patches / 0.06) ** 2)) * 0.35  # of the mesentery
        canvas.blend(np.clip(-room / 10 - 0.6, 0, 1) * vessels, BLOOD)
        canvas.tubes(self._psoas, (0, MUSCLE))
        canvas.tubes(self._crura, (0, MUSCLE))
        self._paint_kidneys(canvas)
        self._paint_stomach_and_spleen(canvas, room)
        canvas.tubes(self._loops, (0, GUT_WALL), (3.0, BOWEL_CONTENT), keep=room + 1.0)
        self._paint_colon(canvas, room, patches)
        canvas.tubes(self._pancreas, (-3.0, FAT), (0, PANCREAS))
        self._paint_liver(canvas, room)
        canvas.tubes(self._cava, (0, VESSEL_WALL), (1.0, BLOOD))
        canvas.tubes(self._aorta, (-1.5, FAT), (0, VESSEL_WALL), (1.4, BLOOD))
        bladder = Ellipsoid((0, -22, -6), (44, 36, 36))
        canvas.ellipsoid(bladder, (-4.0, FAT), (0, GUT_WALL), (3.5, URINE))

    def _paint_liver(self, canvas: Canvas, room: Array) -> None:
        if canvas.z < 165:
            return
        x, y, z = canvas.X, canvas.Y, canvas.Z
        right = Ellipsoid((-72, 0, 268), (74, 92, 98)).distance(x, y, z)
        left = Ellipsoid((5, -50, 292), (82, 40, 40), turned((0.95, 0.1, 0.3))).distance(x, y, z)
        liver = smooth_union(right, left, 22.0)
        for hollow in (
            Ellipsoid((-56, 46, 205), (38, 42, 62)),  # right kidney
            Ellipsoid((-8, 30, 260), (36, 30, 90)),  # spine, cava and caudate side
            Ellipsoid((-48, -48, 192), (36, 40, 36)),  # hepatic flexure
        ):
            liver = np.maximum(liver, -hollow.distance(x, y, z))
        liver = np.maximum(liver, room + 0.5)
        canvas.paint(liver - 2.0, FAT, opacity=np.where(room < -2.0, 1.0, 0.0))
        canvas.paint(liver, LIVER)
        caudate = Ellipsoid((-10, -2, 288), (22, 18, 26)).distance(x, y, z)
        canvas.paint(np.maximum(caudate, room + 0.5), LIVER)
        falciform = np.hypot((x + 14.0) * 1.0, (y + 62.0) * 0.35) - 3.0
        canvas.paint(np.maximum(np.maximum(falciform, liver), z - 285.0), FAT, opacity=0.8)
        canvas.tubes(self._liver_vessels, (0, LIVER_VESSEL), keep=liver)
        gallbladder = Ellipsoid((-44, -44, 222), (13, 20, 22))
        canvas.ellipsoid(gallbladder, (-1.5, FAT), (0, GUT_WALL), (2.2, GALLBLADDER), keep=room)

    def _paint_stomach_and_spleen(self, canvas: Canvas, room: Array) -> None:
        if canvas.z < 175:
            return
        x, y, z = canvas.X, canvas.Y, canvas.Z
        spleen = Ellipsoid((100, 40, 286), (52, 58, 30), turned((0.1, 0.45, 0.9))).distance(x, y, z)
        fundus = Ellipsoid((62, -2, 300), (42, 46, 36)).distance(x, y, z)
        body = Ellipsoid((62, -34, 262), (34, 34, 46)).distance(x, y, z)
        antrum = Ellipsoid((18, -52, 232), (48, 22, 20)).distance(x, y, z)
        stomach = smooth_union(smooth_union(fundus, body, 25.0), antrum, 18.0)
        stomach = np.maximum(stomach, room + 0.5)
        spleen = np.maximum(np.maximum(spleen, room + 0.5), -(stomach - 4.0))
        canvas.paint(spleen, SPLEEN)
        canvas.paint(stomach, GUT_WALL)
        content = stomach + 4.5 + 1.2 * canvas.mottle
        canvas.paint(content, STOMACH_CONTENT)
        # Gas rises to the front of a patient who lies on the back: a flat level.
        level = canvas.true_y + 26.0
        canvas.paint(np.maximum(content, level), GUT_GAS)

    def _paint_kidneys(self, canvas: Canvas) -> None:
        for kidney, side in self._kidneys:
            found = canvas.ellipsoid_distance(kidney, 10.0)
            if found is None:
                continue
            distance, box = found
            x, y, z = canvas.at(box)
            cx, cy, cz = kidney.centre
            # The sinus opens forward and to the middle.
            hilum = Ellipsoid((cx - 17 * side, cy - 9, cz), (17, 13, 25)).distance(x, y, z)
            lobes = 1.2 * np.cos(z / 4.5) * np.cos((x + y) / 5.0)
            canvas.paint(distance - 5.0, FAT, box)
            canvas.paint(distance, KIDNEY_CORTEX, box)
            canvas.paint(np.maximum(hilum, distance - 4.0) + lobes, KIDNEY_SINUS, box)
            pelvis = Ellipsoid((cx - 15 * side, cy - 9, cz), (7, 5, 11))
            canvas.paint(pelvis.distance(x, y, z), URINE, box, 0.85)

    def _paint_colon(self, canvas: Canvas, room: Array, patches: Array) -> None:
        found = canvas.tubes_distance(self._colon, 2.0)
        if found is None:
            return
        colon, box = found
        colon = np.maximum(colon, room[box] + 1.0)
        canvas.paint(colon - 2.0, FAT, box)
        canvas.paint(colon, GUT_WALL, box)
        canvas.paint(colon + 2.6, COLON_CONTENT, box)
        # Faeces hold small bubbles; larger ones float in front of them.
        inside = np.clip(-colon / 2.0 - 1.5, 0.0, 1.0)
        canvas.blend(inside * np.clip((canvas.grain[box] - 1.2) * 0.6, 0.0, 0.7), GUT_GAS, box)
        found = canvas.tubes_distance(self._colon_gas)
        if found is not None:
            gas, box = found
            share = np.clip((patches[box] - 0.35) * 4.0, 0.0, 1.0)
            canvas.paint(np.maximum(gas, room[box] + 4.0), GUT_GAS, box, share)


def _haustra(colon: Tubes) -> Tubes:
    """The colon's pouches: its radius swells and narrows along its length."""
    length = np.linalg.norm(colon.end - colon.start, axis=1)
    at = np.concatenate([[0.0], np.cumsum(length)])
    swell = (1.0 + 0.13 * np.sin(at * 2 * np.pi / 38.0)).astype(np.float32)
    radii = colon.radii * np.stack([swell[:-1], swell[1:]], axis=1)
    return Tubes(colon.start, colon.end, radii)


def _small_bowel(rng: np.random.Generator) -> Tubes:
    """Loops of jejunum and ileum: wandering tubes that keep to the middle of the abdomen."""
    centre, radii = np.array([6.0, -36.0, 112.0]), np.array([88.0, 38.0, 108.0])
    loops = []
    for _ in range(30):
        point = centre + rng.uniform(-0.7, 0.7, 3) * radii
        direction = rng.normal(size=3)
        points = []
        size = rng.uniform(9.5, 13.0)
        for _ in range(13):
            points.append((*point, size * rng.uniform(0.85, 1.15)))
            direction = direction / np.linalg.norm(direction) + rng.normal(0, 0.45, 3)
            pull = (centre - point) / radii
            if (pull**2).sum() > 0.75:
                direction = direction + 1.3 * pull
            direction /= np.linalg.norm(direction)
            point = point + direction * 13.0
        loops.append(tube(points, smooth=2))
    return Tubes.join(*loops)
