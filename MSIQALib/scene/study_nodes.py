"""The nodes of one assessment, tied to its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from MSIQALib.scene.grid import SliceGrid
from MSIQALib.scene.hierarchy import folder_of

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLNode,
        vtkMRMLPlotChartNode,
        vtkMRMLPlotSeriesNode,
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLTableNode,
        vtkMRMLVolumeNode,
    )

PREFIX = "MSIQA."
CT, PET = "CT", "PET"
"""Roles of the nodes that belong to the user."""

CHART, CURVE, THRESHOLD_LINE, MARKER = "Chart", "Curve", "ThresholdLine", "CurrentSlice"
THRESHOLD_TABLE, MARKER_TABLE = "ThresholdTable", "CurrentSliceTable"
QUALITY, LIKERT_COLOURS, SCORE_COLOURS = "Quality", "LikertColours", "ScoreColours"
HEATMAPS, HEAT_COLOURS = "Heatmaps", "HeatColours"
OWNED = (
    MARKER, THRESHOLD_LINE, CURVE, CHART, MARKER_TABLE, THRESHOLD_TABLE,
    QUALITY, HEATMAPS, LIKERT_COLOURS, SCORE_COLOURS, HEAT_COLOURS,
)  # fmt: skip
"""Roles of the nodes that go with the study."""

GRID, THRESHOLD, STATUS, STOPPED, WARNINGS = "Grid", "Threshold", "Status", "Stopped", "Warnings"
MAP_NAME = PREFIX + "Map"
"""Attribute of a heatmap volume: F1 to F4, F_W or F_S."""


@dataclass(frozen=True)
class StudyNodes:
    """A handle on the nodes of one assessment.

    It holds the table alone. All else hangs on the table by node references and attributes, which
    are saved with the scene, so that a handle on a restored scene is as good as the first one.

    Attributes:
        table: The table node with a row for each slice.
    """

    table: vtkMRMLTableNode

    @property
    def scene(self) -> vtkMRMLScene | None:
        """The scene; None once the study was removed or the scene was closed."""
        return self.table.GetScene()

    @property
    def exists(self) -> bool:
        """False once the study was removed, its table deleted, or the scene closed."""
        return self.scene is not None

    @property
    def name(self) -> str:
        """What the user sees it called."""
        name: str = self.table.GetName()
        return name

    @property
    def grid(self) -> SliceGrid:
        """The slices and where they lie, as they were when the study began."""
        return SliceGrid.from_json(self.attribute(GRID) or "")

    @property
    def threshold(self) -> float:
        """Likert score under which a slice counts as poor."""
        return float(self.attribute(THRESHOLD) or "nan")

    @property
    def folder(self) -> int:
        """Item of the subject-hierarchy folder; 0 where the user took the table out of it."""
        return folder_of(self.table)

    @property
    def ct(self) -> vtkMRMLVolumeNode | None:
        """The user's CT; None where it was deleted."""
        return self.referenced(CT)

    @property
    def pet(self) -> vtkMRMLVolumeNode | None:
        """The user's PET; None where there was none or it was deleted."""
        return self.referenced(PET)

    @property
    def chart(self) -> vtkMRMLPlotChartNode | None:
        """The chart; None where the user deleted it, as with all nodes below."""
        return self.referenced(CHART)

    @property
    def curve(self) -> vtkMRMLPlotSeriesNode | None:
        """The series of scores; its points are the rows of the table."""
        return self.referenced(CURVE)

    @property
    def threshold_line(self) -> vtkMRMLPlotSeriesNode | None:
        """The series of the threshold."""
        return self.referenced(THRESHOLD_LINE)

    @property
    def marker(self) -> vtkMRMLPlotSeriesNode | None:
        """The series of the current slice: one point, twice (VTK draws no line of one)."""
        return self.referenced(MARKER)

    @property
    def quality(self) -> vtkMRMLScalarVolumeNode | None:
        """The quality volume; None before the study is finished."""
        return self.referenced(QUALITY)

    @property
    def heatmaps(self) -> dict[str, vtkMRMLScalarVolumeNode]:
        """The heatmap volumes that were loaded, by their map's name."""
        role = PREFIX + HEATMAPS
        nodes = (
            self.table.GetNthNodeReference(role, at)
            for at in range(self.table.GetNumberOfNodeReferences(role))
        )
        return {node.GetAttribute(MAP_NAME): node for node in nodes if node is not None}

    def owned(self) -> tuple[vtkMRMLNode, ...]:
        """The study's nodes but for the table, in an order in which they can be removed."""
        found = []
        for role in OWNED:
            for at in range(self.table.GetNumberOfNodeReferences(PREFIX + role)):
                node = self.table.GetNthNodeReference(PREFIX + role, at)
                if node is not None:
                    found.append(node)
        return tuple(found)

    def referenced(self, role: str) -> Any:
        """The node of a role, or None."""
        return self.table.GetNodeReference(PREFIX + role)

    def refer(self, role: str, node: vtkMRMLNode | None) -> None:
        """Tie a node to the study in a role of which there is one."""
        self.table.SetNodeReferenceID(PREFIX + role, node.GetID() if node is not None else None)

    def attribute(self, name: str) -> str | None:
        """Text that is kept with the study, or None."""
        text: str | None = self.table.GetAttribute(PREFIX + name)
        return text

    def set_attribute(self, name: str, text: str | None) -> None:
        """Keep text with the study; None removes it."""
        if text is None:
            self.table.RemoveAttribute(PREFIX + name)
        else:
            self.table.SetAttribute(PREFIX + name, text)
