"""A volume in patient space, as the readers hand it on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Modality = Literal["CT", "PT"]
"""DICOM's words (0008,0060): CT, and PT for PET."""

Unit = Literal["HU", "SUVbw", "unknown"]


@dataclass(frozen=True)
class Geometry:
    """Where a volume's voxels lie in the patient, in LPS millimetres (DICOM PS3.3 C.7.6.2.1.1).

    Attributes:
        size: Number of voxels along i, j, k.
        spacing: Millimetres between voxel centres along i, j, k.
        origin: LPS position of the centre of voxel (0, 0, 0).
        direction: 3 x 3 direction cosines in row-major order; column c is the LPS direction of
            axis c (SimpleITK's convention).
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, float, float, float, float, float, float, float, float]

    @property
    def ijk_to_lps(self) -> npt.NDArray[np.float64]:
        """The 4 x 4 matrix from voxel indices (i, j, k, 1) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D image with its geometry and what is known of where it came from.

    Attributes:
        array: float32, shape (k, j, i), in ``unit``.
        geometry: Position in the patient.
        modality: "CT" or "PT"; None where the file does not say.
        unit: Unit of the voxel values.
        source: The folder or file it was read from.
        patient: A one-way digest of the patient's identifiers, to compare two series without
            keeping a name; None where the file does not say.
        frame_of_reference: The Frame of Reference UID (0020,0052); None where there is none.
        series_uid: The Series Instance UID; None where there is none.
        description: What the series is, for a person, without anything that identifies a patient.
        warnings: What the reader noticed and mended or let pass, one sentence each.
        missing_slices: Indices k of slices that the series lacks; their voxels are NaN.
    """

    array: npt.NDArray[np.float32]
    geometry: Geometry
    modality: Modality | None
    unit: Unit
    source: Path
    patient: str | None = None
    frame_of_reference: str | None = None
    series_uid: str | None = None
    description: str = ""
    warnings: tuple[str, ...] = field(default=())
    missing_slices: tuple[int, ...] = field(default=())

    def warn(self, *sentences: str) -> Volume:
        """The same volume with more warnings."""
        return replace(self, warnings=(*self.warnings, *sentences))
