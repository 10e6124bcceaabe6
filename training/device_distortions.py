"""The distortions of PET-CT-IQA-DS on the training device, for a whole batch at once.

On a GPU the network is faster than a few processor cores can add noise to pictures and code them
as JPEG. This does the same in PyTorch; what is left of the JPEG coder is what it does to the
picture, without the lossless coding of its coefficients (ITU-T T.81, annexes A and K).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.distortions import Distortion

BLOCK = 8
UNIT = 16
"""Pixels of a coded unit with chroma 4:2:0."""

# Table K.1 for luminance and K.2 for chrominance, row by row.
_LUMINANCE = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 "
    "62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 "
    "98 112 100 103 99"
)
_CHROMINANCE = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 "
    "99" + " 99" * 32
)

# JFIF 1.02: Y, Cb, Cr from R, G, B.
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


def distort_on_device(
    pictures: Tensor,
    distortions: Sequence[Distortion | None],
    seeds: Sequence[Sequence[int]],
    size: int,
) -> Tensor:
    """Add specks and noise, code as JPEG and decode again, and resize for the network.

    Args:
        pictures: (n, 3, H, W) uint8, H and W multiples of 16.
        distortions: Of each; None leaves it as it is but for the size.
        seeds: Of each: the same numbers give the same noise on the same kind of device,
            whatever else is in the batch.
        size: Height and width of the result.

    Returns:
        (n, 3, size, size) uint8.
    """
    done = pictures.float()
    chosen = [i for i, distortion in enumerate(distortions) if distortion is not None]
    if chosen:
        steps = [d for d in distortions if d is not None]
        noisy = [_add_noise(done[i], d, seeds[i]) for i, d in zip(chosen, steps, strict=True)]
        done[chosen] = code_jpeg(torch.stack(noisy), [d.quality for d in steps])
    # PyTorch's bicubic has OpenCV's kernel and alignment.
    resized = F.interpolate(done, size=(size, size), mode="bicubic", align_corners=False)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def _add_noise(picture: Tensor, distortion: Distortion, seed: Sequence[int]) -> Tensor:
    generator = torch.Generator(picture.device)
    generator.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    if distortion.lam:
        drawn = torch.rand(picture.shape, generator=generator, device=picture.device)
        picture = picture.masked_fill(drawn < -torch.expm1(picture * (-distortion.lam / 255)), 255)
    if distortion.sigma:
        noise = torch.randn(picture.shape, generator=generator, device=picture.device)
        picture = (picture + noise * distortion.sigma).clamp(0, 255).floor()
    return picture


def code_jpeg(pictures: Tensor, qualities: Sequence[int]) -> Tensor:
    """Do to pictures what a baseline JPEG with chroma 4:2:0 and the standard tables does.

    Args:
        pictures: (n, 3, H, W) float, whole numbers 0..255, RGB; H and W multiples of 16.
        qualities: Of each, 1..100.

    Returns:
        The decoded pictures, likewise.

    Raises:
        ValueError: The size is no multiple of 16.
    """
    if pictures.shape[2] % UNIT or pictures.shape[3] % UNIT:
        raise ValueError(f"height and width must be multiples of {UNIT}: {pictures.shape[2:]}")
    matrix = torch.tensor(_TO_YCC, device=pictures.device)
    ycc = torch.einsum("ij,njhw->nihw", matrix, pictures)
    luma, chroma = ycc[:, :1].round() - 128, F.avg_pool2d(ycc[:, 1:].round(), 2)
    luma = _code_plane(luma, _tables(_LUMINANCE, qualities, pictures))
    chroma = _code_plane(chroma.round(), _tables(_CHROMINANCE, qualities, pictures))
    # The usual decoders interpolate chroma linearly between the centres of its pixels.
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False).round()
    rgb = torch.einsum("ij,njhw->nihw", matrix.inverse(), torch.cat((luma + 128, chroma), 1))
    return rgb.round().clamp(0, 255)


def _code_plane(plane: Tensor, tables: Tensor) -> Tensor:
    """Quantise (n, c, H, W), centred on 0, by (n, 8, 8) tables in the cosine domain."""
    n, c, height, width = plane.shape
    basis = _cosines().to(plane.device)
    blocks = plane.view(n, c, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    blocks = torch.einsum("ui,ncaibj,vj->ncaubv", basis, blocks, basis)
    table = tables[:, None, None, :, None, :]
    blocks = (blocks / table).round() * table
    back = torch.einsum("ui,ncaubv,vj->ncaibj", basis, blocks, basis)
    return back.reshape(n, c, height, width).round().clamp(-128, 127)


def _tables(numbers: str, qualities: Sequence[int], like: Tensor) -> Tensor:
    """Scale a table to qualities as libjpeg does: (n, 8, 8)."""
    table = torch.tensor([int(v) for v in numbers.split()]).view(1, BLOCK, BLOCK)
    scales = [5000 // q if q < 50 else 200 - 2 * q for q in qualities]
    scaled = (table * torch.tensor(scales).view(-1, 1, 1) + 50) // 100
    return scaled.clamp(1, 255).to(like)


@lru_cache(maxsize=1)
def _cosines() -> Tensor:
    """The orthonormal 8-point cosine transform (T.81, A.3.3)."""
    rows = [
        [
            math.sqrt((1 if u == 0 else 2) / BLOCK) * math.cos((2 * i + 1) * u * math.pi / 16)
            for i in range(BLOCK)
        ]
        for u in range(BLOCK)
    ]
    return torch.tensor(rows, dtype=torch.float32)
