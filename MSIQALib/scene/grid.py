"""The grid that slices are counted on, and how it lies in the scene.

An assessment counts axial slices from feet to head. The CT in the scene may be acquired in another
plane or the other way round, so its own k says nothing: places are compared in the patient.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from MSIQALib.imaging.orientation import along_patient_axes
from MSIQALib.imaging.volume import Geometry, Volume

if TYPE_CHECKING:
    from slicer import vtkMRMLVolumeNode
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

RAS = tuple[float, float, float]

_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SliceGrid:
    """A CT's grid and the axial slices that an assessment makes of it.

    Attributes:
        ct: The CT's own axes, in LPS millimetres of the world (parent transforms applied).
    """

    ct: Geometry

    @cached_property
    def axial(self) -> Geometry:
        """The engine's grid: the same voxels, i to the left, j to the back, k to the head."""
        nothing = np.broadcast_to(np.float32(0), self.ct.size[::-1])
        volume = Volume(nothing, self.ct, "CT", "unknown", Path("scene"))
        return along_patient_axes(volume).geometry

    @cached_property
    def axis(self) -> int:
        """The CT's axis (0 = i) that the slices follow."""
        return int(np.abs(self._along).argmax())

    @property
    def flipped(self) -> bool:
        """True where the CT counts the slices from head to feet."""
        return bool(self._along[self.axis] < 0)

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.axial.size[2]

    @property
    def limits_mm(self) -> tuple[float, float]:
        """Positions of the lower face of the first and of the upper face of the last slice."""
        half = float(self.axial.ijk_to_lps[2, 2]) / 2
        return self.position_mm(0) - half, self.position_mm(self.count - 1) + half

    def centre(self, index: int) -> RAS:
        """RAS position of a slice's centre.

        Raises:
            IndexError: There is no such slice.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"slice {index} of {self.count}")
        width, height, _ = self.axial.size
        voxel = np.array([(width - 1) / 2, (height - 1) / 2, index, 1.0])
        right, anterior, superior, _ = _RAS_LPS @ self.axial.ijk_to_lps @ voxel
        return float(right), float(anterior), float(superior)

    def position_mm(self, index: int) -> float:
        """Position of a slice's centre along the patient axis, as the result's rows give it."""
        return self.centre(index)[2]

    def index_at(self, ras: RAS) -> int | None:
        """The slice that a RAS position lies in, however far aside; None above and below."""
        lps = _RAS_LPS @ np.array([*ras, 1.0])
        k = float((np.linalg.inv(self.axial.ijk_to_lps) @ lps)[2])
        index = math.floor(k + 0.5)
        return index if 0 <= index < self.count else None

    def same_as_axial(self, geometry: Geometry, tolerance_mm: float = 1e-2) -> bool:
        """True where another grid has the axial grid's voxels, corner for corner."""
        if geometry.size != self.axial.size:
            return False
        width, height, depth = self.axial.size
        corners = np.array(
            [
                (i, j, k, 1.0)
                for i in (0, width - 1)
                for j in (0, height - 1)
                for k in (0, depth - 1)
            ]
        )
        apart = corners @ (geometry.ijk_to_lps - self.axial.ijk_to_lps).T
        return bool(np.abs(apart).max() <= tolerance_mm)

    def to_json(self) -> str:
        """The grid as text, for an attribute of a node."""
        return json.dumps(asdict(self.ct))

    @classmethod
    def from_json(cls, text: str) -> SliceGrid:
        """What :meth:`to_json` wrote."""
        return cls(Geometry(**{key: tuple(value) for key, value in json.loads(text).items()}))

    @cached_property
    def _along(self) -> npt.NDArray[np.float64]:
        """Cosines between the CT's axes and the way from slice to slice."""
        ct, axial = (np.reshape(grid.direction, (3, 3)) for grid in (self.ct, self.axial))
        cosines: npt.NDArray[np.float64] = ct.T @ axial[:, 2]
        return cosines


def geometry_of(node: vtkMRMLVolumeNode) -> Geometry:
    """A volume node's grid in world coordinates, LPS, its parent transforms applied.

    Raises:
        ValueError: The node has no voxels, or a parent transform bends space, so that no grid
            describes it: harden the transform on a copy and give that.
    """
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    if node.GetImageData() is None or 0 in node.GetImageData().GetDimensions():
        raise ValueError(f"The volume {node.GetName()} has no voxels")
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    transform = node.GetParentTransformNode()
    if transform is not None:
        if not transform.IsTransformToWorldLinear():
            raise ValueError(f"The volume {node.GetName()} is under a non-linear transform")
        to_world = vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(to_world)
        vtkMatrix4x4.Multiply4x4(to_world, matrix, matrix)
    return _geometry(_RAS_LPS @ _array(matrix), node.GetImageData().GetDimensions())


def ijk_to_ras(geometry: Geometry) -> vtkMatrix4x4:
    """The matrix from voxel indices to RAS millimetres, as volume nodes take it."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    matrix = vtkMatrix4x4()
    matrix.DeepCopy((_RAS_LPS @ geometry.ijk_to_lps).ravel().tolist())
    return matrix


def _geometry(ijk_to_lps: npt.NDArray[np.float64], size: tuple[int, int, int]) -> Geometry:
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    direction: Any = tuple((ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    first, second, third = spacing.tolist()
    left, back, up = ijk_to_lps[:3, 3].tolist()
    return Geometry(size, (first, second, third), (left, back, up), direction)


def _array(matrix: vtkMatrix4x4) -> npt.NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
