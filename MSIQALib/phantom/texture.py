"""Smooth random fields that can be evaluated on any plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

_LATTICE = 40
# Mean over phase of the sum of squared cubic B-spline weights: the integral of B3 squared.
_MEAN_SQUARED_WEIGHT = 151.0 / 315.0


class NoiseField:
    """A periodic Gaussian random field over space, with zero mean and unit variance.

    Random numbers on a lattice are interpolated by cubic B-splines (after Cook and DeRose, "Wavelet
    noise", 2005, without the wavelets), so that the value at a point does not depend on the grid on
    which it is asked for: CT and PET see the same texture.

    Args:
        rng: Source of the lattice's numbers.
        cell_mm: Distance between lattice points; structures are about twice as large.
    """

    def __init__(self, rng: np.random.Generator, cell_mm: float) -> None:
        self.cell_mm = cell_mm
        lattice = rng.standard_normal((_LATTICE,) * 3, dtype=np.float32)
        self._lattice = lattice / np.float32(_MEAN_SQUARED_WEIGHT**1.5)

    def plane(self, x: ArrayLike, y: ArrayLike, z: float) -> npt.NDArray[np.float32]:
        """The field on an axial plane.

        Args:
            x: (W,) coordinates in mm.
            y: (H,) coordinates in mm.
            z: The plane's coordinate in mm.

        Returns:
            (H, W) float32.
        """
        layer = np.tensordot(self._weights([z])[0], self._lattice, axes=1)
        return self._weights(y) @ layer @ self._weights(x).T

    def _weights(self, coordinates: ArrayLike) -> npt.NDArray[np.float32]:
        """(N, lattice) B-spline weights of each coordinate."""
        u = np.asarray(coordinates, dtype=np.float64) / self.cell_mm
        base = np.floor(u).astype(np.int64)
        t = u - base
        four = np.stack(
            [
                (1 - t) ** 3,
                3 * t**3 - 6 * t**2 + 4,
                -3 * t**3 + 3 * t**2 + 3 * t + 1,
                t**3,
            ],
            axis=1,
        )
        weights = np.zeros((len(u), _LATTICE), dtype=np.float32)
        rows = np.arange(len(u))
        for offset in range(4):
            weights[rows, (base + offset - 1) % _LATTICE] = four[:, offset] / 6.0
        return weights
