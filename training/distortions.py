"""The distortions of PET-CT-IQA-DS: bright specks, Gaussian noise and JPEG, in this order.

Every pristine 8-bit RGB slice becomes

    x = clip(img + 255 * Poisson(lambda * img / 255), 0, 255)
    x = clip(x + Normal(0, sigma), 0, 255)
    JPEG(uint8(x), quality, chroma 4:2:0)

with 3 levels each, and (0, 0, 100) is the pristine picture itself (Section 3.1 of the MS-IQA paper;
the levels and the order were measured on the published images). The "Poisson" noise of the data
set is a rare jump of a pixel's channel to white, not the counting noise of a PET scan.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

LAMBDAS = (0.0, 0.005, 0.01)
SIGMAS = (0.0, 5.0, 10.0)
QUALITIES = (100, 70, 40)
BEST_QUALITY = QUALITIES[0]

_BANK_SIZE = 1 << 22


@dataclass(frozen=True)
class Distortion:
    """Strengths of the three distortions.

    Attributes:
        lam: Expected specks of a white channel value (a value v gets lam * v / 255).
        sigma: Standard deviation of the Gaussian noise, in grey levels of 0..255.
        quality: JPEG quality, 1..100.
    """

    lam: float
    sigma: float
    quality: int

    def __post_init__(self) -> None:
        if self.lam < 0 or self.sigma < 0 or not 1 <= self.quality <= 100:
            raise ValueError(f"strengths out of range: {self}")


COMBINATIONS = tuple(Distortion(*c) for c in itertools.product(LAMBDAS, SIGMAS, QUALITIES))
"""The 27 combinations of PET-CT-IQA-DS; quality varies fastest."""

UNLISTED = -1
"""Number of a distortion that is none of the data set's 27."""


def combination_number(distortion: Distortion) -> int:
    """Number of a distortion in COMBINATIONS, or UNLISTED."""
    return COMBINATIONS.index(distortion) if distortion in COMBINATIONS else UNLISTED


class NoiseBank:
    """Standard normal deviates drawn once and read from random places.

    Drawing 786,432 deviates for every picture would cost more than the JPEG coder. Runs that start
    at a random place of four million deviates, with a random sign and direction, repeat too seldom
    for a network to notice.
    """

    def __init__(self, seed: int = 0, size: int = _BANK_SIZE) -> None:
        self._deviates = np.random.default_rng(seed).standard_normal(size, dtype=np.float32)

    def draw(self, count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Give `count` deviates with mean 0 and standard deviation 1."""
        if count > self._deviates.size // 2:
            return rng.standard_normal(count, dtype=np.float32)
        start = int(rng.integers(0, self._deviates.size - count))
        run = self._deviates[start : start + count]
        flips = int(rng.integers(0, 4))
        if flips & 1:
            run = run[::-1]
        return -run if flips & 2 else run


def add_specks(img: Picture, lam: float, rng: np.random.Generator) -> Picture:
    """Add 255 * Poisson(lam * img / 255) to each channel on its own, clipped to 0..255.

    One count or many lift a value to white alike, so a channel jumps with probability
    1 - exp(-lam * img / 255). That is drawn by thinning: candidates at the rate of a white value,
    kept with the probability that a value's own rate leaves.

    Args:
        img: (H, W, 3) uint8.
        lam: Expected count of a white value.
        rng: Source of randomness.

    Returns:
        A new (H, W, 3) uint8 picture.
    """
    out = img.copy()
    if lam == 0:
        return out
    flat = out.reshape(-1)
    ceiling = -np.expm1(-lam)
    candidates = rng.integers(0, flat.size, size=rng.poisson(ceiling * flat.size))
    rate = -np.expm1(-lam * flat[candidates] / np.float64(255))
    flat[candidates[rng.random(candidates.size) * ceiling < rate]] = 255
    return out


def add_gaussian(
    img: Picture, sigma: float, rng: np.random.Generator, bank: NoiseBank | None = None
) -> Picture:
    """Add Normal(0, sigma) to each channel on its own, clip to 0..255, cut off the fraction.

    Args:
        img: (H, W, 3) uint8.
        sigma: Standard deviation in grey levels.
        rng: Source of randomness.
        bank: Deviates drawn beforehand; without it they are drawn from `rng`.
    """
    if sigma == 0:
        return img
    noise = bank.draw(img.size, rng) if bank else rng.standard_normal(img.size, dtype=np.float32)
    noisy = noise.reshape(img.shape) * np.float32(sigma)
    noisy += img
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def encode_jpeg(img: Picture, quality: int) -> bytes:
    """Code an RGB picture as a baseline JPEG with chroma 4:2:0 and the standard tables."""
    ok, coded = cv2.imencode(
        ".jpg",
        img[..., ::-1],
        [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ],
    )
    if not ok:
        raise ValueError(f"a picture of shape {img.shape} cannot be coded as JPEG")
    return coded.tobytes()


def decode_picture(coded: bytes) -> Picture:
    """Decode a picture file to (H, W, 3) uint8 RGB."""
    bgr = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("not a picture that OpenCV can decode")
    return np.asarray(bgr[..., ::-1], np.uint8)


def distort_to_jpeg(
    img: Picture, distortion: Distortion, rng: np.random.Generator, bank: NoiseBank | None = None
) -> bytes:
    """Distort a clean picture and give the JPEG file's bytes."""
    specked = add_specks(img, distortion.lam, rng)
    return encode_jpeg(add_gaussian(specked, distortion.sigma, rng, bank), distortion.quality)


def after_specks(
    specked: Picture,
    distortion: Distortion,
    rng: np.random.Generator,
    bank: NoiseBank | None = None,
    *,
    coded: bool = True,
) -> Picture:
    """Do what comes after the specks, and give the picture.

    Args:
        specked: (H, W, 3) uint8 RGB.
        distortion: The strengths.
        rng: Of the noise.
        bank: Deviates drawn beforehand, for speed.
        coded: As the data set's pictures are, all of them. Those fused from volumes are not.

    Raises:
        ValueError: Without coding there is no quality below 100.
    """
    if not coded and distortion.quality < BEST_QUALITY:
        raise ValueError(f"a picture of quality {distortion.quality} is a coded one")
    noisy = add_gaussian(specked, distortion.sigma, rng, bank)
    return decode_picture(encode_jpeg(noisy, distortion.quality)) if coded else noisy


def distort(
    img: Picture, distortion: Distortion, rng: np.random.Generator, bank: NoiseBank | None = None
) -> Picture:
    """Distort a clean picture as PET-CT-IQA-DS was, coded and decoded again.

    Args:
        img: (H, W, 3) uint8 RGB; on a grid of 16 pixels a crop has the same JPEG blocks.
        distortion: The strengths.
        rng: Source of randomness; the same state gives the same picture.
        bank: Deviates drawn beforehand, for speed.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return decode_picture(distort_to_jpeg(img, distortion, rng, bank))
