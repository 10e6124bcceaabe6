"""Slices, heatmaps and the overview as pictures for the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from MSIQALib.assessment.result import SliceResult

RGB = npt.NDArray[np.uint8]
"""Rows, columns, three channels."""

HEAT_MAP = "inferno"
"""Perceptually uniform, and black where there is nothing to show."""

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, section 2.5.1
_BODY_LEVEL = 20.0  # of 255: over the noise around the patient, under fat in a soft-tissue window
_TABLE_RADIUS = 6  # pixels at 512: the opening takes away the table's sheets and loose noise


class SlicePicture(NamedTuple):
    """A slice and its fused picture (H, W, 3)."""

    row: SliceResult
    rgb: RGB


class HeatmapPicture(NamedTuple):
    """A feature map's name (F1 to F4, F_W, F_S) and its picture over the slice (H, W, 3)."""

    name: str
    rgb: RGB


@dataclass(frozen=True, eq=False)
class ReportPictures:
    """What the report shows of the images; whatever is missing is left out of it.

    Attributes:
        worst: Slices of lowest score, worst first.
        best: Slices of highest score, best first.
        heatmaps: The maps over the slice ``worst[0]``, as :func:`overlay_heatmap` makes them; all
            of that slice's shape.
        overview: What :func:`coronal_overview` makes, one column for each slice of the grid; it
            is laid under the curve.
    """

    worst: tuple[SlicePicture | tuple[SliceResult, RGB], ...] = ()
    best: tuple[SlicePicture | tuple[SliceResult, RGB], ...] = ()
    heatmaps: tuple[HeatmapPicture | tuple[str, RGB], ...] = ()
    overview: RGB | None = None


@dataclass(frozen=True)
class Box:
    """A part of a picture: rows top..bottom and columns left..right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def crop(self, picture: RGB) -> RGB:
        """The part itself."""
        return picture[self.top : self.bottom, self.left : self.right]


def grey_of(rgb: RGB) -> npt.NDArray[np.float64]:
    """Luma of a picture, shape (H, W), 0..255."""
    grey: npt.NDArray[np.float64] = rgb @ _LUMA
    return grey


def body_box(pictures: Iterable[RGB], *, margin: float = 0.04, aspect: float | None = None) -> Box:
    """The smallest box that holds the body in all pictures of a study, so that sizes compare.

    The body is the largest connected region that is not black, once thin things such as the table
    are gone.

    Args:
        pictures: Fused slices of one shape; at least one.
        margin: Added on each side, as a share of the box's longer side.
        aspect: Width over height that the box is widened to as far as the picture allows.

    Returns:
        The box; the whole picture where no body is found.

    Raises:
        ValueError: There is no picture, or shapes differ.
    """
    shapes = set()
    found: list[tuple[slice, slice]] = []
    for picture in pictures:
        shapes.add(picture.shape[:2])
        region = _body(picture)
        if region is not None:
            found.append(region)
    if len(shapes) != 1:
        raise ValueError(f"Pictures of one shape are needed, not of {sorted(shapes)}")
    height, width = shapes.pop()
    if not found:
        return Box(0, height, 0, width)
    top, bottom = min(rows.start for rows, _ in found), max(rows.stop for rows, _ in found)
    left, right = min(cols.start for _, cols in found), max(cols.stop for _, cols in found)
    extra = round(margin * max(bottom - top, right - left))
    top, bottom, left, right = top - extra, bottom + extra, left - extra, right + extra
    if aspect is not None:
        wider = max(round((bottom - top) * aspect) - (right - left), 0)
        higher = max(round((right - left) / aspect) - (bottom - top), 0)
        left, right = left - wider // 2, right + wider - wider // 2
        top, bottom = top - higher // 2, bottom + higher - higher // 2
    return Box(*_within(top, bottom, height), *_within(left, right, width))


def overlay_heatmap(rgb: RGB, heat: npt.NDArray[np.floating], *, opacity: float = 0.9) -> RGB:
    """Lay a feature map over a slice turned to grey; the stronger, the more it hides.

    Args:
        rgb: The fused slice, shape (H, W, 3).
        heat: The map, shape (H, W), 0..1; values outside are clipped, NaN shows nothing.
        opacity: Of the value 1; it falls with the value to 0.

    Returns:
        Shape (H, W, 3), uint8.

    Raises:
        ValueError: The shapes do not match.
    """
    if heat.shape != rgb.shape[:2]:
        raise ValueError(f"The map's shape {heat.shape} is not the slice's {rgb.shape[:2]}")
    value = np.clip(np.nan_to_num(heat, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    alpha = (opacity * value)[..., None]
    colour = mpl.colormaps[HEAT_MAP](value)[..., :3] * 255.0
    mixed = (1.0 - alpha) * grey_of(rgb)[..., None] + alpha * colour
    return np.rint(mixed).astype(np.uint8)


def colour_bar(width: int = 256, height: int = 12) -> RGB:
    """The heatmaps' colours from 0 (left) to 1 (right), shape (height, width, 3)."""
    colours = mpl.colormaps[HEAT_MAP](np.linspace(0.0, 1.0, width))[:, :3]
    return np.repeat(np.rint(colours * 255).astype(np.uint8)[None], height, axis=0)


def coronal_row(rgb: RGB) -> RGB:
    """What one axial slice adds to the coronal overview: its middle line, shape (W, 3).

    The mean over a tenth of the height calms the noise that one row alone would show.
    """
    height = rgb.shape[0]
    half = max(height // 20, 1)
    middle = rgb[max(height // 2 - half, 0) : height // 2 + half]
    return np.rint(middle.mean(axis=0)).astype(np.uint8)


def coronal_overview(rows: Iterable[RGB | None]) -> RGB | None:
    """Put the lines of all slices beside each other: feet at the left, head at the right.

    Args:
        rows: :func:`coronal_row` of each slice of the grid, inferior to superior; None where a
            slice has no picture.

    Returns:
        Shape (W, slices, 3), the patient's right at the top; None where no slice has a picture.
    """
    lines = list(rows)
    shape = next((line.shape for line in lines if line is not None), None)
    if shape is None:
        return None
    black = np.zeros(shape, np.uint8)
    return np.stack([black if line is None else line for line in lines], axis=1)


def data_uri(rgb: RGB, *, longest: int | None = None) -> str:
    """A picture as a ``data:`` address of a PNG, without loss: compression must not add to what
    the score complains about.

    Args:
        rgb: Shape (H, W, 3), uint8.
        longest: Reduce the longer side to so many pixels where it is longer.

    Returns:
        ``data:image/png;base64,…``
    """
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    if longest is not None and max(picture.size) > longest:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _body(rgb: RGB) -> tuple[slice, slice] | None:
    grey = ndimage.gaussian_filter(grey_of(rgb), 1.5)
    filled = ndimage.binary_fill_holes(grey > _BODY_LEVEL)
    radius = max(round(_TABLE_RADIUS * max(grey.shape) / 512), 1)
    opened = ndimage.binary_opening(filled, iterations=radius)
    labels, number = ndimage.label(opened)
    if number == 0:
        return None
    largest = int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    rows, columns = ndimage.find_objects(labels)[largest - 1]
    return rows, columns


def _within(start: int, stop: int, size: int) -> tuple[int, int]:
    """Shift a range into 0..size, and cut it only where it is longer."""
    if stop - start >= size:
        return 0, size
    shift = max(-start, 0) - max(stop - size, 0)
    return start + shift, stop + shift
