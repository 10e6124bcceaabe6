"""What a CT and a PET scanner make of the torso: blur, noise, sampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter

from MSIQALib.imaging.volume import Geometry
from MSIQALib.phantom import recipe as recipes
from MSIQALib.phantom.anatomy import Torso, table
from MSIQALib.phantom.recipe import Degradation
from MSIQALib.phantom.shapes import Array

_SIGMA_OF_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def axial_geometry(
    matrix: int,
    field_mm: float,
    centre_mm: tuple[float, float],
    first_z: float,
    step: float,
    n: int,
) -> Geometry:
    """An axial LPS grid whose slice 0 is the lowest."""
    pixel = field_mm / matrix
    corner = -(matrix - 1) / 2.0 * pixel
    return Geometry(
        size=(matrix, matrix, n),
        spacing=(pixel, pixel, step),
        origin=(centre_mm[0] + corner, centre_mm[1] + corner, first_z),
        direction=_AXIAL,
    )


def slice_positions(geometry: Geometry) -> npt.NDArray[np.floating]:
    """LPS z in mm of every slice of an axial grid."""
    return geometry.origin[2] + geometry.spacing[2] * np.arange(geometry.size[2])


def _axes(geometry: Geometry) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    x = geometry.origin[0] + geometry.spacing[0] * np.arange(geometry.size[0])
    y = geometry.origin[1] + geometry.spacing[1] * np.arange(geometry.size[1])
    return x, y


@dataclass(frozen=True)
class CTProtocol:
    """How the CT is acquired.

    Attributes:
        matrix: Pixels along a row.
        field_mm: Reconstructed field of view.
        psf_mm: In-plane full width at half maximum.
        noise_hu: Standard deviation of the noise in the middle of the body.
        cutoff_per_mm: Where the reconstruction kernel has fallen to 1/e.
    """

    matrix: int = 512
    field_mm: float = 500.0
    psf_mm: float = 0.9
    noise_hu: float = 12.0
    cutoff_per_mm: float = 0.42


class CTScanner:
    """Scans one slice at a time, each from its own stream of random numbers.

    Args:
        torso: The patient.
        geometry: The CT grid.
        protocol: How it is acquired.
        recipe: Ranges of poorer quality.
        seed: Of the noise.
    """

    def __init__(
        self,
        torso: Torso,
        geometry: Geometry,
        protocol: CTProtocol,
        recipe: tuple[Degradation, ...],
        seed: int,
    ) -> None:
        self.geometry = geometry
        self._torso, self._protocol, self._recipe, self._seed = torso, protocol, recipe, seed
        self._x, self._y = _axes(geometry)
        self._table = table(self._x, self._y, geometry.spacing[0])
        self._kernel, self._wedge = self._noise_filters()

    def scan(self, k: int) -> Array:
        """HU of slice k, (matrix, matrix) float32."""
        z = float(slice_positions(self.geometry)[k])
        here = recipes.at(self._recipe, z)
        rng = np.random.default_rng([self._seed, 0x4354, k])
        hu = np.maximum(self._breathing(z, here.motion_mm), self._table)
        blur = self._protocol.psf_mm * _SIGMA_OF_FWHM / self.geometry.spacing[0]
        hu = gaussian_filter(hu, blur, mode="nearest", truncate=3.0)
        # Photons are lost in the body, so its middle is noisier than the air around.
        density = gaussian_filter((hu > -300).astype(np.float32)[::4, ::4], 6.0)
        local = np.repeat(np.repeat(0.25 + 0.75 * density, 4, axis=0), 4, axis=1)
        local = local[: hu.shape[0], : hu.shape[1]]
        noise = self._filtered(rng, self._kernel) * (self._protocol.noise_hu * here.ct_noise)
        if here.ct_streak_hu > 0:
            noise += self._streaks(rng, hu) * here.ct_streak_hu
        hu += noise * local
        return np.clip(hu, -1024.0, 3071.0).astype(np.float32)

    def _breathing(self, z: float, motion_mm: float) -> Array:
        if motion_mm <= 0:
            return self._torso.plane(self._x, self._y, z)[0]
        # The diaphragm rests longest at the ends of a breath: two positions outweigh the middle.
        total = np.zeros((len(self._y), len(self._x)), dtype=np.float32)
        for share, phase in ((0.42, -0.5), (0.23, 0.1), (0.35, 0.5)):
            offset = phase * motion_mm
            # As the chest rises, the front wall moves forward by about a quarter of that.
            total += (
                np.float32(share)
                * self._torso.plane(self._x, self._y - 0.25 * offset, z + offset)[0]
            )
        return total

    def _noise_filters(self) -> tuple[Array, Array]:
        """A ramp with Gaussian apodisation, and the same kept to left-right streaks."""
        n, pixel = self._protocol.matrix, self.geometry.spacing[0]
        fy = np.fft.fftfreq(n, pixel)[:, None]
        fx = np.fft.rfftfreq(n, pixel)[None, :]
        f = np.hypot(fx, fy)
        kernel = np.sqrt(f) * np.exp(-((f / self._protocol.cutoff_per_mm) ** 2))
        angle = np.arctan2(np.abs(fx), np.abs(fy) + 1e-9)
        wedge = np.sqrt(f) * np.exp(-((f / 0.3) ** 2)) * np.exp(-((angle / 0.035) ** 2))
        return self._unit(kernel), self._unit(wedge)

    def _unit(self, half: npt.NDArray[np.floating]) -> Array:
        weights = np.full(half.shape[1], 2.0)
        weights[0] = 1.0
        weights[-1] = 1.0
        power = float((half**2 * weights).sum()) / self._protocol.matrix**2
        return (half / math.sqrt(power)).astype(np.float32)

    def _filtered(self, rng: np.random.Generator, kernel: Array) -> Array:
        n = self._protocol.matrix
        white = rng.standard_normal((n, n), dtype=np.float32)
        return np.fft.irfft2(np.fft.rfft2(white) * kernel, s=(n, n)).astype(np.float32)

    def _streaks(self, rng: np.random.Generator, hu: Array) -> Array:
        """Streaks of unit deviation in the row that attenuates most, weaker elsewhere."""
        water_mm = np.clip(1.0 + hu / 1000.0, 0.0, 2.5).sum(axis=1) * self.geometry.spacing[0]
        # Noise of a projection grows with exp(attenuation / 2); 0.0195 per mm of water at 70 keV.
        weight = np.exp(0.5 * 0.0195 * (water_mm - water_mm.max()))
        return self._filtered(rng, self._wedge) * weight[:, None].astype(np.float32)


@dataclass(frozen=True)
class PETProtocol:
    """How the PET is acquired and reconstructed.

    Attributes:
        matrix: Pixels along a row.
        field_mm: Reconstructed field of view.
        centre_mm: Where that field's middle lies; off the CT's, as on real scanners.
        detector_mm: Full width at half maximum of the detectors' blur.
        filter_mm: Likewise of the filter after reconstruction; with the pixels' own width the
            images come to about 6 mm.
        counts_per_mm3: Counts for each SUV in each cubic millimetre.
        background: SUV of scatter and randoms that correction leaves as noise.
    """

    matrix: int = 128
    field_mm: float = 650.0
    centre_mm: tuple[float, float] = (2.3, -1.4)
    detector_mm: float = 2.5
    filter_mm: float = 4.5
    counts_per_mm3: float = 0.16
    background: float = 0.02


def scan_pet(
    torso: Torso,
    geometry: Geometry,
    protocol: PETProtocol,
    recipe: tuple[Degradation, ...],
    seed: int,
    tick: Callable[[], None],
) -> Array:
    """PET of the whole torso in SUV.

    Activity is laid out on half the pixel size, blurred by the detectors, counted (Poisson),
    filtered and binned: noise follows the counts and has the filter's texture.

    Args:
        torso: The patient.
        geometry: The PET grid.
        protocol: How it is acquired.
        recipe: Ranges of poorer quality.
        seed: Of the counts.
        tick: Called once a slice.

    Returns:
        (slices, matrix, matrix) float32, not negative.
    """
    fine = geometry.spacing[0] / 2.0
    n = protocol.matrix * 2
    x = geometry.origin[0] - fine / 2.0 + fine * np.arange(n)
    y = geometry.origin[1] - fine / 2.0 + fine * np.arange(n)
    positions = slice_positions(geometry)
    here = [recipes.at(recipe, float(z)) for z in positions]
    activity = np.empty((len(positions), n, n), dtype=np.float32)
    for k, z in enumerate(positions):
        motion = here[k].motion_mm
        phases = (-0.5, -0.15, 0.2, 0.5) if motion > 0 else (0.0,)
        activity[k] = 0.0
        for phase in phases:
            shift = phase * motion
            activity[k] += torso.plane(x, y - 0.25 * shift, float(z) + shift)[1]
        activity[k] /= len(phases)
        tick()
    widths = (geometry.spacing[2], fine, fine)
    _blur(activity, protocol.detector_mm, widths)
    voxel_mm3 = fine * fine * geometry.spacing[2]
    for k in range(len(activity)):
        plane = activity[k]
        rng = np.random.default_rng([seed, 0x5054, k])
        body = uniform_filter((plane > 0.08).astype(np.float32), 49, mode="constant")
        # Pairs from deep inside are attenuated most.
        counts = protocol.counts_per_mm3 * voxel_mm3 * here[k].pet_counts * (2.0 - 1.35 * body)
        plane += protocol.background * (body > 0)
        plane[:] = rng.poisson(plane * counts) / counts
    _blur(activity, protocol.filter_mm, widths)
    shape = (len(positions), protocol.matrix, 2, protocol.matrix, 2)
    return activity.reshape(shape).mean(axis=(2, 4), dtype=np.float32)


def _blur(volume: Array, fwhm_mm: float, spacing: tuple[float, float, float]) -> None:
    """Gaussian blur in place; axes are k, j, i."""
    for axis, step in enumerate(spacing):
        sigma = fwhm_mm * _SIGMA_OF_FWHM / step
        gaussian_filter1d(volume, sigma, axis=axis, output=volume, mode="nearest", truncate=3.5)
