"""The whole torso: tissues, textures and lesions on any axial plane.

All coordinates are LPS mm (x to the patient's left, y to the back, z to the head), with x = y = 0
near the middle of the trunk and z = 0 at the upper sacrum. The lower neck ends at 540 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MSIQALib.phantom.abdomen import Abdomen
from MSIQALib.phantom.canvas import Canvas
from MSIQALib.phantom.frame import TABLE_TOP_MM, Frame, Habitus
from MSIQALib.phantom.shapes import Array, Ellipsoid
from MSIQALib.phantom.skeleton import Skeleton
from MSIQALib.phantom.texture import NoiseField
from MSIQALib.phantom.thorax import Thorax, above_diaphragm
from MSIQALib.phantom.tissue import TABLE_FOAM, TABLE_SHELL, Tissue


@dataclass(frozen=True)
class Lesion:
    """An FDG-avid lesion.

    Attributes:
        name: What and where.
        centre_mm: LPS position of its centre.
        radius_mm: Mean radius.
        suv: Its SUV before the scanner's blur.
        hu: Its CT number.
    """

    name: str
    centre_mm: tuple[float, float, float]
    radius_mm: float
    suv: float
    hu: float


class Torso:
    """A patient; the same seed gives the same patient on every grid.

    Args:
        seed: Which patient. The build, the branching of vessels, the bowel's loops, textures and
            the lesions' positions and sizes depend on it.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0x6D73])
        build = Habitus(*(float(v) for v in np.clip(rng.normal(1.0, [0.025, 0.03, 0.2]), 0.7, 1.3)))
        self.frame = Frame(build)
        self.skeleton = Skeleton(self.frame)
        self.thorax = Thorax(rng)
        self.abdomen = Abdomen(rng)
        self.lesions = _lesions(rng)
        self._warps = [NoiseField(rng, 42.0) for _ in range(3)]
        self._ripples = [NoiseField(rng, 15.0) for _ in range(3)]
        self._fine = NoiseField(rng, 1.6)
        self._medium = NoiseField(rng, 4.5)
        self._coarse = NoiseField(rng, 9.0)
        self._septa = NoiseField(rng, 13.0)
        self._patches = NoiseField(rng, 19.0)

    def plane(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], z: float
    ) -> tuple[Array, Array]:
        """HU and SUV on an axial plane, without the patient's table.

        Args:
            x: (W,) evenly spaced columns in mm.
            y: (H,) evenly spaced rows in mm, by the same step.
            z: The plane.

        Returns:
            HU and SUV, each (H, W) float32.
        """
        z = float(z)
        hu = np.full((len(y), len(x)), -1000.0, dtype=np.float32)
        suv = np.zeros_like(hu)
        wide = np.flatnonzero(np.abs(x) < 262.0)
        deep = np.flatnonzero((y > -145.0) & (y < TABLE_TOP_MM + 4.0))
        if len(wide) < 2 or len(deep) < 2:
            return hu, suv
        window = (slice(deep[0], deep[-1] + 1), slice(wide[0], wide[-1] + 1))
        canvas = self._canvas(x[window[1]], y[window[0]], z)
        septa = self._septa.plane(canvas.x, canvas.y, z * 0.25)  # planes run along the body
        patches = self._patches.plane(canvas.x, canvas.y, z)
        at = self.frame.distances(canvas)
        self.frame.paint_soft(canvas, at, septa)
        above = above_diaphragm(canvas, at)
        self.abdomen.paint(canvas, at, above, patches)
        mediastinum = self.thorax.mediastinum_distance(canvas)
        if z > 240:
            lung = self.thorax.lung_distance(at, above, mediastinum)
            self.thorax.paint_lungs(canvas, at, lung, self._coarse.plane(canvas.x, canvas.y, z))
        if z > 270:
            self.thorax.paint_mediastinum(canvas, at, above, mediastinum)
        self.frame.paint_back(canvas, septa)
        self.skeleton.paint_ribs(canvas, at)
        self.skeleton.paint_spine(canvas)
        self.skeleton.paint_girdle(canvas)
        self._paint_lesions(canvas)
        outside = at.body > canvas.edge
        canvas.hu[outside], canvas.suv[outside] = -1000.0, 0.0
        hu[window], suv[window] = canvas.hu, canvas.suv
        return hu, suv

    def _canvas(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], z: float) -> Canvas:
        warp = [
            np.float32(3.4) * wide.plane(x, y, z) + np.float32(0.8) * ripple.plane(x, y, z)
            for wide, ripple in zip(self._warps, self._ripples, strict=True)
        ]
        coarse = self._coarse.plane(x, y, z)
        medium = self._medium.plane(x, y, z)
        grain = 0.72 * self._fine.plane(x, y, z) + 0.55 * medium + 0.42 * coarse
        mottle = 0.8 * coarse + 0.6 * medium
        return Canvas(x, y, z, (warp[0], warp[1], warp[2]), grain, mottle)

    def _paint_lesions(self, canvas: Canvas) -> None:
        # In true coordinates, so that a lesion is exactly where it is said to be.
        for lesion in self.lesions:
            reach = lesion.radius_mm * 1.3 + 2.0
            cx, cy, cz = lesion.centre_mm
            if abs(canvas.z - cz) > reach:
                continue
            box = canvas.box(cx - reach, cx + reach, cy - reach, cy + reach)
            solid = Ellipsoid(lesion.centre_mm, (lesion.radius_mm,) * 3)
            z = canvas.z
            distance = solid.distance(canvas.true_x[box], canvas.true_y[box], z)
            uneven = 0.08 * lesion.radius_mm * canvas.mottle[box]
            canvas.paint(distance + uneven, Tissue(lesion.hu, lesion.suv, 9.0, 0.08), box)


def table(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], pixel_mm: float) -> Array:
    """HU of the scanner's table alone: a curved shell of carbon fibre around foam.

    Args:
        x: (W,) columns in mm.
        y: (H,) rows in mm.
        pixel_mm: Width of the shell's edge.

    Returns:
        (H, W) float32, -1000 where there is no table.
    """
    px, py = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    upper = np.hypot(px, py - (TABLE_TOP_MM + 1.5 - 430.0)) - 430.0
    lower = np.hypot(px, py - (TABLE_TOP_MM + 46.0 - 330.0)) - 330.0
    body = np.maximum(np.maximum(-upper, lower), np.abs(px) - 214.0)
    hu = np.full(px.shape, -1000.0, dtype=np.float32)
    for depth, tissue in ((0.0, TABLE_SHELL), (2.0, TABLE_FOAM)):
        alpha = np.clip(0.5 - (body + depth) / pixel_mm, 0.0, 1.0)
        hu += alpha * (tissue.hu - hu)
    return hu


def _lesions(rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Five lesions at typical places, moved and sized a little at random."""

    def lesion(
        name: str, where: tuple[float, float, float], radius: float, suv: float, hu: float
    ) -> Lesion:
        x, y, z = (float(c + d) for c, d in zip(where, rng.uniform(-3.0, 3.0, 3), strict=True))
        return Lesion(
            name,
            (round(x, 2), round(y, 2), round(z, 2)),
            round(radius * float(rng.uniform(0.92, 1.12)), 2),
            round(suv * float(rng.uniform(0.9, 1.15)), 2),
            hu,
        )

    return (
        lesion("nodule in the right upper lobe", (-78, -12, 448), 11.0, 8.5, 35.0),
        lesion("lymph node under the carina", (-8, 18, 420), 9.0, 7.0, 48.0),
        lesion("metastasis in the right lobe of the liver", (-92, -12, 262), 13.0, 9.5, 42.0),
        lesion("lymph node in the left axilla", (132, -6, 452), 8.0, 6.0, 45.0),
        lesion("metastasis in a lumbar vertebra", (5, 33, 160), 9.0, 7.5, 420.0),
    )
