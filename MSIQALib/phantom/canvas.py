"""One axial plane on which tissues are painted, CT and PET at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from MSIQALib.phantom.shapes import Array, Ellipsoid, Tubes
from MSIQALib.phantom.tissue import AIR, Tissue

Box = tuple[slice, slice]

EVERYWHERE: Box = (slice(None), slice(None))


class Canvas:
    """HU and SUV of an axial plane; later tissues cover earlier ones.

    Edges are as wide as a pixel (at least ``edge_mm``), so that no stair steps show and partial
    volume comes out about right.

    Args:
        x: (W,) true LPS coordinates of the columns in mm, evenly spaced.
        y: (H,) likewise of the rows.
        z: Coordinate of the plane.
        warp: Displacements (dx, dy, dz), each (H, W), in mm: anatomy at a pixel is looked up at its
            position plus the displacement, which turns ellipsoids into organs.
        grain: (H, W) unit-variance texture for HU.
        mottle: (H, W) unit-variance texture for SUV.
        edge_mm: Least width of an edge.
    """

    margin = 10.0  # greatest displacement that bounding boxes allow for, in mm

    def __init__(
        self,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[np.floating],
        z: float,
        warp: tuple[Array, Array, Array],
        grain: Array,
        mottle: Array,
        edge_mm: float = 0.9,
    ) -> None:
        self.x, self.y, self.z = x, y, z
        self.true_x, self.true_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        self.X = self.true_x + warp[0]
        self.Y = self.true_y + warp[1]
        self.Z = np.float32(z) + warp[2]
        self.grain, self.mottle = grain, mottle
        self.edge = max(edge_mm, float(x[1] - x[0]))
        shape = self.X.shape
        self.hu = np.full(shape, AIR.hu, dtype=np.float32)
        self.suv = np.zeros(shape, dtype=np.float32)

    def box(self, x0: float, x1: float, y0: float, y1: float) -> Box:
        """The pixels within a range of coordinates (may be empty)."""
        step = self.x[1] - self.x[0]
        i0, i1 = (int((v - self.x[0]) / step) for v in (x0, x1))
        j0, j1 = (int((v - self.y[0]) / step) for v in (y0, y1))
        return slice(max(j0, 0), max(j1 + 2, 0)), slice(max(i0, 0), max(i1 + 2, 0))

    def paint(
        self, distance: Array, tissue: Tissue, box: Box = EVERYWHERE, opacity: float | Array = 1.0
    ) -> None:
        """Cover what lies inside (negative distance) with a tissue."""
        alpha = np.clip(0.5 - distance / self.edge, 0.0, 1.0)
        self.blend(np.asarray(alpha * opacity, np.float32), tissue, box)

    def blend(self, alpha: Array, tissue: Tissue, box: Box = EVERYWHERE) -> None:
        """Mix a tissue in with a given share of each pixel (0 to 1)."""
        hu = np.float32(tissue.hu)
        suv = np.float32(tissue.suv)
        hu_target = hu + np.float32(tissue.hu_grain) * self.grain[box] if tissue.hu_grain else hu
        suv_target = (
            suv * np.maximum(1 + np.float32(tissue.suv_mottle) * self.mottle[box], 0.05)
            if tissue.suv_mottle
            else suv
        )
        hu_here, suv_here = self.hu[box], self.suv[box]
        hu_here += alpha * (hu_target - hu_here)
        suv_here += alpha * (suv_target - suv_here)

    def at(self, box: Box) -> tuple[Array, Array, Array]:
        """Anatomical coordinates of the pixels of a box."""
        return self.X[box], self.Y[box], self.Z[box]

    def ellipsoid_distance(self, solid: Ellipsoid, pad: float = 0.0) -> tuple[Array, Box] | None:
        """Distance to an ellipsoid and the box it was computed in; None where it is far away."""
        rx, ry, rz = (r + self.margin + pad for r in solid.reach)
        cx, cy, cz = solid.centre
        if abs(self.z - cz) > rz:
            return None
        box = self.box(cx - rx, cx + rx, cy - ry, cy + ry)
        return solid.distance(*self.at(box)), box

    def ellipsoid(
        self,
        solid: Ellipsoid,
        *layers: tuple[float, Tissue],
        keep: Array | None = None,
    ) -> None:
        """Paint an ellipsoid, outer layers first.

        Args:
            solid: The ellipsoid.
            layers: (depth in mm under the surface, tissue) pairs; a negative depth lies outside.
            keep: (H, W) distance of another solid; only what lies in both is painted.
        """
        found = self.ellipsoid_distance(solid, max(-layers[0][0], 0.0))
        if found is None:
            return
        distance, box = found
        for depth, tissue in layers:
            part = distance + depth
            self.paint(part if keep is None else np.maximum(part, keep[box]), tissue, box)

    def tubes(
        self,
        tubes: Tubes,
        *layers: tuple[float, Tissue],
        keep: Array | None = None,
    ) -> None:
        """Paint the union of all tubes, outer layers first (see ``ellipsoid``)."""
        found = self.tubes_distance(tubes, max(-layers[0][0], 0.0))
        if found is None:
            return
        distance, box = found
        for depth, tissue in layers:
            part = distance + depth
            self.paint(part if keep is None else np.maximum(part, keep[box]), tissue, box)

    def tubes_distance(self, tubes: Tubes, outside: float = 0.0) -> tuple[Array, Box] | None:
        """Distance to the nearest of the tubes and the box it was computed in.

        Args:
            tubes: The tubes.
            outside: How far from their surface the distance is wanted, in mm; 99 far from all.

        Returns:
            None where no tube comes near the plane.
        """
        met = self._tubes_met(tubes, outside)
        if not met:
            return None
        top = min(box[0].start for _, box in met)
        left = min(box[1].start for _, box in met)
        bottom = max(box[0].start + d.shape[0] for d, box in met)
        right = max(box[1].start + d.shape[1] for d, box in met)
        nearest = np.full((bottom - top, right - left), 99.0, dtype=np.float32)
        for distance, (rows, columns) in met:
            here = nearest[
                rows.start - top : rows.start - top + distance.shape[0],
                columns.start - left : columns.start - left + distance.shape[1],
            ]
            np.minimum(here, distance, out=here)
        return nearest, (slice(top, bottom), slice(left, right))

    def _tubes_met(self, tubes: Tubes, outside: float) -> list[tuple[Array, Box]]:
        """Distances to all pieces that come near the plane, each in its own box."""
        # Where the warp takes a piece: looked up once at its middle, so that boxes can be small.
        middle = (tubes.start + tubes.end) / 2
        step = self.x[1] - self.x[0]
        i = np.clip((middle[:, 0] - self.x[0]) / step, 0, len(self.x) - 1).astype(np.intp)
        j = np.clip((middle[:, 1] - self.y[0]) / step, 0, len(self.y) - 1).astype(np.intp)
        dx = self.X[j, i] - self.true_x[j, i]
        dy = self.Y[j, i] - self.true_y[j, i]
        length = np.linalg.norm(tubes.end - tubes.start, axis=1)
        margin = 2.0 + 0.12 * (length + tubes.radii.max(axis=1)) + outside
        near, ranges = tubes.boxes(self.Z[j, i], margin + self.edge)
        # What is much thinner than a pixel would cost time and change nothing.
        visible = tubes.radii.max(axis=1)[near] > 0.6 * step
        near, ranges = near[visible], ranges[visible]
        met = []
        for n, (x0, x1, y0, y1) in zip(near, ranges, strict=True):
            box = self.box(x0 - dx[n], x1 - dx[n], y0 - dy[n], y1 - dy[n])
            distance = tubes.distance(n, *self.at(box))
            if distance.size:
                met.append((distance, box))
        return met
