"""Signed distances to simple solids: negative inside, in mm, near enough at the surface.

Coordinates are LPS mm: x to the patient's left, y to the back, z to the head. All functions work on
arrays of any one shape, and on scalars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

Array = npt.NDArray[np.floating]
Point = tuple[float, float, float]


def superellipse(x: Array, y: Array, a: float, b: float) -> tuple[Array, Array]:
    """A rounded box: |x/a|^2.25 + |y/b|^2.25 = 1.

    Returns:
        Distance along the ray from the centre, and the level (0 at the centre, 1 at the rim).
    """
    u, v = np.abs(x) / a, np.abs(y) / b
    level = np.power(u * u * np.sqrt(np.sqrt(u)) + v * v * np.sqrt(np.sqrt(v)), 1 / 2.25)
    level = np.maximum(level, 1e-3)
    return np.sqrt(x * x + y * y) * (1.0 - 1.0 / level), level


def ellipse(x: Array, y: Array, a: float, b: float) -> Array:
    """Distance to an axis-parallel ellipse, to first order in the distance."""
    level = np.sqrt((x / a) ** 2 + (y / b) ** 2)
    slope = np.sqrt((x / (a * a)) ** 2 + (y / (b * b)) ** 2)
    return level * (level - 1.0) / np.maximum(slope, 1e-4)


def bar(x: Array, y: Array, start: tuple[float, float], end: tuple[float, float]) -> Array:
    """Distance to a straight line between two points of a plane (no thickness)."""
    ux, uy = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * ux + (y - start[1]) * uy) / (ux * ux + uy * uy), 0.0, 1.0)
    return np.hypot(x - start[0] - t * ux, y - start[1] - t * uy)


def smooth_union(first: Array, second: Array, blend_mm: float) -> Array:
    """Union of two solids with the crease filled over about ``blend_mm`` (polynomial minimum)."""
    h = np.maximum(blend_mm - np.abs(first - second), 0.0) / blend_mm
    return np.minimum(first, second) - h * h * (0.25 * blend_mm)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid that may be turned.

    Attributes:
        centre: LPS mm.
        radii: Half axes in mm, along the ellipsoid's own axes.
        axes: 3 x 3, rows are the own axes in LPS; None for axis-parallel.
    """

    centre: Point
    radii: Point
    axes: npt.NDArray[np.float32] | None = None

    @property
    def reach(self) -> Point:
        """Half size of the bounding box in mm."""
        if self.axes is None:
            return self.radii
        reach = np.sqrt(((self.axes * np.asarray(self.radii)[:, None]) ** 2).sum(axis=0))
        return float(reach[0]), float(reach[1]), float(reach[2])

    def local(self, x: Array, y: Array, z: Array | float) -> tuple[Array, Array, Array | float]:
        """Coordinates along the own axes, in mm from the centre."""
        x, y, z = x - self.centre[0], y - self.centre[1], z - self.centre[2]
        if self.axes is None:
            return x, y, z
        u, v, w = (row[0] * x + row[1] * y + row[2] * z for row in self.axes)
        return u, v, w

    def distance(self, x: Array, y: Array, z: Array | float) -> Array:
        """Signed distance, to first order."""
        own = self.local(x, y, z)
        level = np.sqrt(sum((c / r) ** 2 for c, r in zip(own, self.radii, strict=True)))
        slope = np.sqrt(sum((c / (r * r)) ** 2 for c, r in zip(own, self.radii, strict=True)))
        return level * (level - 1.0) / np.maximum(slope, 1e-4)


@dataclass(frozen=True)
class Tubes:
    """Rounded cones: straight pieces of vessels, bowel, long bones.

    Attributes:
        start: (N, 3) LPS mm.
        end: (N, 3) LPS mm.
        radii: (N, 2) radius at the start and at the end in mm.
    """

    start: npt.NDArray[np.float32]
    end: npt.NDArray[np.float32]
    radii: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.radii)

    def distance(self, n: int, x: Array, y: Array, z: Array | float) -> Array:
        """Signed distance to piece n."""
        ax, ay, az = self.start[n]
        ux, uy, uz = self.end[n] - self.start[n]
        r0, r1 = self.radii[n]
        px, py, pz = x - ax, y - ay, z - az
        length2 = max(ux * ux + uy * uy + uz * uz, np.float32(1e-6))
        t = np.clip((px * ux + py * uy + pz * uz) / length2, 0.0, 1.0)
        off = (px - t * ux) ** 2 + (py - t * uy) ** 2 + (pz - t * uz) ** 2
        return np.sqrt(off) - (r0 + t * (r1 - r0))

    def boxes(self, z: Array, margin: Array) -> tuple[npt.NDArray[np.intp], Array]:
        """Which pieces come near a plane, and the x and y range in which they do.

        Args:
            z: (N,) the plane's coordinate as each piece sees it.
            margin: (N,) how near counts.

        Returns:
            Indices (M,), and (M, 4) ranges x0, x1, y0, y1.
        """
        reach = self.radii.max(axis=1) + margin
        low = np.minimum(self.start[:, 2], self.end[:, 2]) - reach
        high = np.maximum(self.start[:, 2], self.end[:, 2]) + reach
        near = np.flatnonzero((low <= z) & (high >= z))
        a, b, reach = self.start[near], self.end[near], reach[near]
        rise = b[:, 2] - a[:, 2]
        rise = np.where(np.abs(rise) < 1e-3, 1e-3, rise)
        t = np.stack([(z[near] - reach - a[:, 2]) / rise, (z[near] + reach - a[:, 2]) / rise])
        t = np.clip(np.sort(t, axis=0), 0.0, 1.0)
        ends = a[None, :, :2] + t[:, :, None] * (b - a)[None, :, :2]
        low_xy = ends.min(axis=0) - reach[:, None]
        high_xy = ends.max(axis=0) + reach[:, None]
        return near, np.stack([low_xy[:, 0], high_xy[:, 0], low_xy[:, 1], high_xy[:, 1]], axis=1)

    def mirrored(self) -> Tubes:
        """These tubes and the same on the other side of the median plane."""
        flip = np.array([-1, 1, 1], dtype=np.float32)
        return Tubes.join(self, Tubes(self.start * flip, self.end * flip, self.radii))

    @staticmethod
    def join(*parts: Tubes) -> Tubes:
        """All pieces of several tubes."""
        return Tubes(
            np.concatenate([p.start for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.radii for p in parts]),
        )


def tube(points: list[tuple[float, float, float, float]], smooth: int = 1) -> Tubes:
    """A tube through (x, y, z, radius) points, each stretch cut into ``smooth`` pieces."""
    knots = np.asarray(points, dtype=float)
    if smooth > 1:
        at = np.arange(len(knots))
        fine = np.linspace(0, len(knots) - 1, (len(knots) - 1) * smooth + 1)
        knots = PchipInterpolator(at, knots)(fine)
    knots = knots.astype(np.float32)
    return Tubes(knots[:-1, :3], knots[1:, :3], np.stack([knots[:-1, 3], knots[1:, 3]], axis=1))


def turned(long_axis: Point) -> npt.NDArray[np.float32]:
    """Own axes of a solid whose first axis points along ``long_axis``."""
    first = np.asarray(long_axis, dtype=float)
    first /= np.linalg.norm(first)
    helper = np.array([0.0, 0.0, 1.0]) if abs(first[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    second = np.cross(helper, first)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)]).astype(np.float32)
