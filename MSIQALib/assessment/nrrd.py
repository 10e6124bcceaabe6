"""Heatmaps as NRRD volumes, written slice by slice.

SimpleITK holds a whole volume to write it; six maps on a whole-body CT grid would be gigabytes.
The format is described at https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MSIQALib.atomic import atomic_path
from MSIQALib.imaging.volume import Geometry

COMPRESSION = 1
"""Heatmaps are smooth; higher levels cost time and save little."""

LEVELS = 255


def write_heatmap_volume(
    path: Path,
    slices: Iterable[npt.NDArray[np.float32]],
    geometry: Geometry,
    fields: Mapping[str, str],
) -> None:
    """Write one map of a study as an 8-bit NRRD volume on the CT's grid.

    Args:
        path: The file, with the suffix .nrrd.
        slices: size[2] slices of shape (size[1], size[0]), 0..1; 1 becomes 255.
        geometry: The grid, LPS.
        fields: Key/value pairs for the header, such as the activations that 0 and 255 stand for.

    Raises:
        OutputError: The file cannot be written.
        ValueError: Number or shape of the slices does not fit the grid.
    """
    width, height, depth = geometry.size
    with atomic_path(path) as part, part.open("wb") as file:
        file.write(_header(geometry, fields).encode("utf-8"))
        count = 0
        # mtime 0 keeps the file the same for the same content.
        with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as stream:
            for values in slices:
                if values.shape != (height, width):
                    raise ValueError(f"Slice {count} is {values.shape}, not {(height, width)}")
                stream.write(np.rint(values * LEVELS).astype(np.uint8).tobytes())
                count += 1
        if count != depth:
            raise ValueError(f"{count} slices for a grid of {depth}")


def _header(geometry: Geometry, fields: Mapping[str, str]) -> str:
    axes = geometry.ijk_to_lps[:3, :3].T
    lines = [
        "NRRD0005",
        "type: uint8",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, geometry.size))}",
        f"space directions: {' '.join(_vector(axis) for axis in axes)}",
        "kinds: domain domain domain",
        "encoding: gzip",
        f"space origin: {_vector(geometry.origin)}",
        *(f"{key}:={value}" for key, value in fields.items()),
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: Iterable[float]) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"
