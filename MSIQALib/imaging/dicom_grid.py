"""Putting the slices of a series in order and finding what is missing, twice there or uneven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MSIQALib.errors import InputError
from MSIQALib.imaging.dicom_scan import DicomFile
from MSIQALib.imaging.volume import Geometry

_SAME_POSITION_MM = 0.01
_SHEAR_MM = 0.5
_EVEN = 0.01
_UNEVEN = 0.05
"""Shares of the spacing: up to the first, slices count as evenly spaced; up to the second they are
taken with a warning (whole-body PET has such steps where bed positions meet: 0.08 mm of 3.27)."""


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """The slices of a series in order.

    Attributes:
        geometry: Of the whole volume, missing slices included.
        slots: For each k the files at that position: one, several (duplicates), or none (missing).
        warnings: What is not as it should be and was let pass.
    """

    geometry: Geometry
    slots: tuple[tuple[DicomFile, ...], ...]
    warnings: tuple[str, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """The k without a file."""
        return tuple(k for k, files in enumerate(self.slots) if not files)


def slice_grid(files: Sequence[DicomFile], source: Path, *, accept_gaps: bool) -> SliceGrid:
    """Sort slices along their normal and check that they make a regular grid.

    Neither file names nor Instance Numbers are looked at (DICOM PS3.3 C.7.6.2.1.1).

    Args:
        files: The slices of one series.
        source: Where they were found, for the messages.
        accept_gaps: Take missing slices as missing instead of refusing the series.

    Returns:
        The grid.

    Raises:
        InputError: Slices are missing or unevenly spaced, differ in matrix, pixel spacing or
            orientation, or are sheared (gantry tilt); there is only one.
    """
    orientation, spacing, matrix = _common_plane(files, source)
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    places = np.asarray([file.header.ImagePositionPatient for file in files], dtype=np.float64)
    along = places @ normal
    order = np.argsort(along, kind="stable")
    groups: list[list[int]] = []
    for index in order:
        if groups and along[index] - along[groups[-1][0]] < _SAME_POSITION_MM:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    if len(groups) < 2:
        raise InputError(
            source,
            "the series has only one slice position",
            "Give the folder with the whole series",
        )
    first, last = places[groups[0][0]], places[groups[-1][0]]
    _refuse_shear(places, normal, first, last, source)

    positions = np.asarray([along[group[0]] for group in groups])
    steps, uneven = _steps(positions, source)
    warnings: list[str] = []
    if uneven:
        warnings.append(uneven)
    slots: list[tuple[DicomFile, ...]] = []
    gaps: list[str] = []
    for number, group in enumerate(groups):
        slots.append(tuple(files[index] for index in group))
        lost = int(steps[number]) - 1 if number < len(steps) else 0
        if lost:
            slots.extend([()] * lost)
            gaps.append(
                f"{lost} between {positions[number]:.1f} and {positions[number + 1]:.1f} mm"
            )
    if gaps:
        missing = sum(not files_here for files_here in slots)
        cause = f"{missing} slices are missing: " + ", ".join(gaps)
        if not accept_gaps:
            raise InputError(
                source,
                cause,
                "Export the series again, or add --accept-gaps to assess the slices that are there",
            )
        warnings.append(f"{cause}; they are marked as not assessed.")
    depth = float((positions[-1] - positions[0]) / (len(slots) - 1))
    geometry = Geometry(
        size=(matrix[1], matrix[0], len(slots)),
        spacing=(spacing[1], spacing[0], depth),
        origin=(float(first[0]), float(first[1]), float(first[2])),
        direction=tuple(  # type: ignore[arg-type]
            float(cosine) for cosine in np.stack([row, column, normal], axis=1).ravel()
        ),
    )
    return SliceGrid(geometry, tuple(slots), tuple(warnings))


def _common_plane(
    files: Sequence[DicomFile], source: Path
) -> tuple[npt.NDArray[np.float64], tuple[float, float], tuple[int, int]]:
    """Orientation (6 cosines), pixel spacing (rows, columns) and matrix that all slices share."""
    for file in files:
        for tag, name in (
            ("ImageOrientationPatient", "Image Orientation (Patient) (0020,0037)"),
            ("PixelSpacing", "Pixel Spacing (0028,0030)"),
            ("Rows", "Rows (0028,0010)"),
            ("Columns", "Columns (0028,0011)"),
        ):
            if not file.header.get(tag):
                raise InputError(file.path, f"the header lacks {name}", "Export the series again")
    headers = [file.header for file in files]
    for values, what in (
        (np.asarray([h.ImageOrientationPatient for h in headers], float), "orientations"),
        (np.asarray([h.PixelSpacing for h in headers], float), "pixel spacings"),
        (np.asarray([(h.Rows, h.Columns) for h in headers], float), "matrix sizes"),
    ):
        differing = int((np.abs(values - values[0]) > 1e-3).any(axis=1).sum())
        if differing:
            raise InputError(
                source,
                f"the slices of this series have different {what} ({differing} of {len(files)} "
                "differ from the first)",
                "Give one acquisition at a time",
            )
    first = headers[0]
    # Rounded cosines of some exports are not quite orthonormal.
    row, column = np.reshape(np.asarray(first.ImageOrientationPatient, dtype=np.float64), (2, 3))
    row = row / np.linalg.norm(row)
    column = column - row * (row @ column)
    column = column / np.linalg.norm(column)
    spacing = (float(first.PixelSpacing[0]), float(first.PixelSpacing[1]))
    return np.concatenate([row, column]), spacing, (int(first.Rows), int(first.Columns))


def _refuse_shear(
    places: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    first: npt.NDArray[np.float64],
    last: npt.NDArray[np.float64],
    source: Path,
) -> None:
    sideways = places - first
    sideways = sideways - np.outer(sideways @ normal, normal)
    worst = float(np.linalg.norm(sideways, axis=1).max())
    if worst <= _SHEAR_MM:
        return
    stack = last - first
    cosine = float(abs(stack @ normal) / np.linalg.norm(stack))
    raise InputError(
        source,
        f"the slices are not stacked along their normal (gantry tilt of "
        f"{np.degrees(np.arccos(min(cosine, 1.0))):.1f} degrees, or a table that moved sideways by "
        f"{worst:.1f} mm)",
        "Resample the series to a regular grid first",
    )


def _steps(positions: npt.NDArray[np.float64], source: Path) -> tuple[npt.NDArray[np.int_], str]:
    """How many grid steps lie between neighbours, and a warning where they are not quite even."""
    distances = np.diff(positions)
    spacing = float(np.median(distances))
    # With every second slice missing in most places the median is a multiple of the true step.
    smallest = float(distances.min())
    if spacing > 1.5 * smallest and np.allclose(
        distances / smallest, np.rint(distances / smallest), atol=_UNEVEN
    ):
        spacing = smallest
    steps = np.maximum(np.rint(distances / spacing), 1).astype(int)
    off = np.abs(distances - steps * spacing)
    worst = int(off.argmax())
    if off[worst] > max(_UNEVEN * spacing, 0.01):
        raise InputError(
            source,
            f"the slices are unevenly spaced: {distances[worst]:.3f} mm between "
            f"{positions[worst]:.1f} and {positions[worst + 1]:.1f} mm, {spacing:.3f} mm elsewhere",
            "Resample the series to even spacing first, or export it again",
        )
    if off[worst] > max(_EVEN * spacing, 0.01):
        return steps, (
            f"The slice spacing is not quite even: {distances[worst]:.3f} mm instead of "
            f"{spacing:.3f} mm in one place; it was taken as even."
        )
    return steps, ""
