"""Varied fused pictures from clean slices: window, map, size, place, table, background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from MSIQALib.imaging.fusion import FusionOptions, fuse_rgb
from training.datasets.clean_slices import CleanSlice
from training.datasets.vessels import draw_vessels
from training.distortions import Picture

SOURCE_SIZE = 512
"""Height and width of the data set's pictures."""

WHOLE_FIELD = 0.8
"""Share of it from which on a slice counts as a whole field of view."""

WHOLE_ZOOM = (0.6, 1.3)

UNCHANGED = 0.3
"""Probability that a slice keeps its size: resized ones are smoother than any scanner's."""

MOST_PIECES = 6
WIDE = 300
"""Pixels from which on a picture has room for more slices."""


@dataclass(frozen=True)
class Variety:
    """How much the content of the pictures varies.

    Attributes:
        zoom: Smallest and largest magnification of a slice that is a crop; log-uniform.
        other_map: Probability of exchanged colour channels.
        no_pet: Probability of CT alone.
        table: Probability of a table under the patient.
        soften: Probability of a slight blur, as smoother reconstructions have.
        vessels: Probability of drawn vessels.
    """

    zoom: tuple[float, float] = (0.6, 2.4)
    other_map: float = 0.05
    no_pet: float = 0.08
    table: float = 0.4
    soften: float = 0.2
    vessels: float = 0.3


def random_options(rng: np.random.Generator) -> FusionOptions:
    """Draw a CT window, a PET range and an opacity."""
    return FusionOptions(
        ct_centre=float(rng.normal(40, 20)),
        ct_width=float(rng.uniform(220, 400)),
        suv_high=float(np.exp(rng.uniform(np.log(2.5), np.log(12)))),
        opacity=float(rng.uniform(0.35, 0.65)),
    )


def fuse_randomly(clean: CleanSlice, variety: Variety, rng: np.random.Generator) -> Picture:
    """Fuse one slice with a random window, PET range and opacity.

    Args:
        clean: The slice.
        variety: The probabilities.
        rng: Source of randomness.

    Returns:
        (H, W, 3) uint8.
    """
    options = random_options(rng)
    pet = clean.pet.astype(np.float32) if rng.random() >= variety.no_pet else None
    fused = fuse_rgb(clean.ct.astype(np.float32), pet, options)
    if rng.random() < variety.other_map:
        fused = fused[..., rng.permutation(3)]
    return fused


def compose(
    slices: tuple[CleanSlice, ...],
    size: int,
    variety: Variety,
    rng: np.random.Generator,
    worsen: Callable[[CleanSlice], CleanSlice] = lambda clean: clean,
) -> Picture:
    """Put one to six slices on black, as a picture of `size` pixels.

    Args:
        slices: Where to draw from.
        size: Height and width of the picture.
        variety: How much it varies.
        rng: Source of randomness; the same state gives the same picture.
        worsen: What is done to each slice before it is fused; it must keep the shape.

    Returns:
        (size, size, 3) uint8, undistorted.
    """
    canvas = np.zeros((size, size, 3), np.uint8)
    if rng.random() < variety.table:
        _draw_table(canvas, rng)
    room = 2 * int(size > WIDE and rng.random() < 0.5)
    for _ in range(min(int(rng.geometric(0.5)) + room, MOST_PIECES)):
        clean = worsen(slices[int(rng.integers(len(slices)))])
        piece = orient(fuse_randomly(clean, variety, rng), rng)
        # A whole field of view fills the picture as it is; crops are enlarged to body size.
        whole = max(piece.shape[:2]) >= WHOLE_FIELD * SOURCE_SIZE
        if rng.random() >= UNCHANGED:
            zooms = WHOLE_ZOOM if whole else variety.zoom
            piece = resize(piece, float(np.exp(rng.uniform(*np.log(zooms)))), rng)
        if rng.random() < variety.soften:
            blurred = cv2.GaussianBlur(piece, (0, 0), rng.uniform(0.4, 1.2))
            piece = np.asarray(blurred, np.uint8)
        _paste(canvas, piece, rng)
    if rng.random() < variety.vessels:
        draw_vessels(canvas, rng)
    return canvas


def resize(piece: Picture, zoom: float, rng: np.random.Generator) -> Picture:
    """Magnify or shrink, with one of three interpolations."""
    smooth = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, smooth)[int(rng.integers(3))]
    return np.asarray(cv2.resize(piece, None, fx=zoom, fy=zoom, interpolation=how), np.uint8)


def orient(piece: Picture, rng: np.random.Generator) -> Picture:
    """Mirror and transpose at random."""
    turn = int(rng.integers(8))
    if turn & 1:
        piece = piece[:, ::-1]
    if turn & 2:
        piece = piece[::-1]
    if turn & 4:
        piece = piece.transpose(1, 0, 2)
    return np.ascontiguousarray(piece)


def _paste(canvas: Picture, piece: Picture, rng: np.random.Generator) -> None:
    """Place a piece so that at least a third of it, or of the canvas, lies inside."""
    spans = []
    for have, want in zip(piece.shape[:2], canvas.shape[:2], strict=True):
        inside = max(1, int(min(have, want) * rng.uniform(0.5, 1.0)))
        start = int(rng.integers(inside - have, want - inside + 1))
        spans.append((max(start, 0), min(start + have, want), max(-start, 0)))
    (top, bottom, skip_rows), (left, right, skip_columns) = spans
    canvas[top:bottom, left:right] = piece[
        skip_rows : skip_rows + bottom - top, skip_columns : skip_columns + right - left
    ]


def _draw_table(canvas: Picture, rng: np.random.Generator) -> None:
    size = canvas.shape[0]
    centre = (int(rng.integers(0, size)), int(rng.integers(-size // 2, size)))
    axes = (int(size * rng.uniform(0.3, 1.2)), int(size * rng.uniform(0.1, 0.8)))
    for gap in range(0, 2 * int(rng.integers(4, 20)), max(1, int(rng.integers(6, 20)))):
        cv2.ellipse(
            canvas,
            centre,
            (axes[0] + gap, axes[1] + gap),
            90.0 * int(rng.integers(4)),
            0,
            180,
            (int(rng.integers(60, 180)),) * 3,
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
