"""PET on the CT's grid: linear in physical space, one slice at a time."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from MSIQALib.imaging.volume import Geometry, Volume

_PARALLEL_COSINE = 1e-5
"""Direction cosines that differ by less count as equal: 0.005 mm over 500 mm."""

_EDGE = 1e-3
"""Tolerance, in voxels, for a point on the outermost voxel's face."""


class SliceResampler:
    """Interpolates a volume at the voxel centres of another grid's slices.

    Follows ITK's rules: linear between voxel centres, constant from the outermost centres to the
    voxels' faces, zero outside. Where the axes of both are parallel, which is the rule for
    PET/CT, interpolation along i, j and k is separable, and each slice costs two products with
    sparse weights; otherwise the slice's points are looked up one by one.

    Args:
        volume: What is interpolated; its axes run along the patient's (see
            :func:`MSIQALib.imaging.orientation.along_patient_axes`).
        grid: Where it is wanted.
    """

    def __init__(self, volume: Volume, grid: Geometry) -> None:
        self._volume = volume
        self._grid = grid
        # Grid indices (i, j, k, 1) to the volume's continuous indices.
        self._to_index = np.linalg.inv(volume.geometry.ijk_to_lps) @ grid.ijk_to_lps
        mine = np.asarray(volume.geometry.direction)
        self._parallel = bool(np.abs(mine - grid.direction).max() < _PARALLEL_COSINE)

    def corners(self, k: int) -> npt.NDArray[np.float64]:
        """Continuous indices (i, j, k) in the volume of the four corner voxels of slice ``k``."""
        width, height, _ = self._grid.size
        points = [(i, j, k, 1.0) for i in (0, width - 1) for j in (0, height - 1)]
        return (self._to_index @ np.asarray(points, dtype=np.float64).T)[:3].T

    def covers(self, k: int) -> bool:
        """Whether all of slice ``k`` lies between the volume's outermost faces along k."""
        depth = self.corners(k)[:, 2]
        count = self._volume.geometry.size[2]
        return bool(depth.min() >= -0.5 - _EDGE and depth.max() <= count - 0.5 + _EDGE)

    def neighbours(self, k: int) -> range:
        """The volume's slices that slice ``k`` is interpolated from."""
        depth = self.corners(k)[:, 2]
        last = self._volume.geometry.size[2] - 1
        lowest = np.clip(np.floor(depth.min() + _EDGE), 0, last)
        highest = np.clip(np.ceil(depth.max() - _EDGE), 0, last)
        return range(int(lowest), int(highest) + 1)

    def __call__(self, k: int) -> npt.NDArray[np.float32]:
        """The volume at the voxel centres of slice ``k``, float32, shape (H, W)."""
        if not self._parallel:
            return self._pointwise(k)
        depth = self.corners(k)[0, 2]
        span = self.neighbours(k)
        source = self._volume.array[span[0]]
        if len(span) > 1:
            weight = np.float32(depth - span[0])
            source = source * (1 - weight) + self._volume.array[span[-1]] * weight
        across, down = self._weights
        return np.ascontiguousarray((across @ (down @ source).T).T)

    @cached_property
    def _weights(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Sparse weights along i, shape (W, volume's W), and along j, shape (H, volume's H)."""
        return self._axis_weights(0), self._axis_weights(1)

    def _axis_weights(self, axis: int) -> sparse.csr_array:
        wanted, available = self._grid.size[axis], self._volume.geometry.size[axis]
        start, step = self._to_index[axis, 3], self._to_index[axis, axis]
        at = start + step * np.arange(wanted)
        rows = np.flatnonzero((at >= -0.5 - _EDGE) & (at <= available - 0.5 + _EDGE))
        inside = np.clip(at[rows], 0, available - 1)
        lower = np.minimum(np.floor(inside).astype(int), max(available - 2, 0))
        upper = np.minimum(lower + 1, available - 1)
        share = inside - lower
        return sparse.csr_array(
            (
                np.concatenate([1 - share, share]).astype(np.float32),
                (np.concatenate([rows, rows]), np.concatenate([lower, upper])),
            ),
            shape=(wanted, available),
        )

    def _pointwise(self, k: int) -> npt.NDArray[np.float32]:
        width, height, _ = self._grid.size
        j, i = np.mgrid[0:height, 0:width].reshape(2, -1)
        points = np.stack([i, j, np.full_like(i, k), np.ones_like(i)])
        index = (self._to_index @ points)[2::-1]  # rows k, j, i, as the array has them
        count = np.reshape(self._volume.array.shape, (3, 1))
        outside = ((index < -0.5 - _EDGE) | (index > count - 0.5 + _EDGE)).any(axis=0)
        span = self.neighbours(k)
        index[0] -= span[0]
        slab = self._volume.array[span[0] : span[-1] + 1]
        values = ndimage.map_coordinates(slab, index, order=1, mode="nearest")
        values[outside] = 0.0
        return values.reshape(height, width).astype(np.float32, copy=False)
