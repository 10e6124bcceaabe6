"""What the browser is told of studies, slices and results: plain values for trame's state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from MSIQALib.assessment.result import DEFAULT_THRESHOLD, SliceResult, StudyResult
from MSIQALib.imaging.volume import Geometry
from MSIQALib.likert import SCORE_RANGE, WORDS
from MSIQALib.process.settings import MAPS
from MSIQALib.report.wording import (
    DISCLAIMER,
    HEATMAP_MEANINGS,
    count,
    number,
    percent,
    reason_words,
    verdict,
)
from MSIQALib.scene import colours, study_nodes
from MSIQALib.scene.grid import SliceGrid, geometry_of
from MSIQALib.scene.heatmaps import ACTIVATIONS
from MSIQALib.viewer.page.display import CT_WINDOWS
from MSIQALib.viewer.page.pet_colours import PET_COLOURS, stops

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from MSIQALib.viewer.page.study_images import ImageNodes, Images


def constants() -> dict[str, Any]:
    """What never changes: words, colours, presets."""
    return {
        "words": list(WORDS),
        "scoreRange": list(SCORE_RANGE),
        "threshold": DEFAULT_THRESHOLD,
        "scoreColours": list(colours.RD_YL_BU),
        "heatColours": list(colours.INFERNO),
        "windows": [
            {"name": name, "centre": centre, "width": width}
            for name, (centre, width) in CT_WINDOWS.items()
        ],
        "petColours": [
            {"key": key, "name": name, "stops": stops(key)} for key, name in PET_COLOURS.items()
        ],
        "maps": [
            {"key": name, "name": name.replace("_", ""), "meaning": HEATMAP_MEANINGS[name]}
            for name in MAPS
        ],
        "disclaimer": DISCLAIMER,
    }


def study_values(name: str, images: Images, nodes: ImageNodes, *, swapped: bool) -> dict[str, Any]:
    """A study that is shown, its place in the patient in RAS millimetres."""
    grid = SliceGrid(geometry_of(nodes.ct))
    bounds = [0.0] * 6
    nodes.ct.GetRASBounds(bounds)
    low, high = grid.limits_mm
    return {
        "name": name,
        "hasPet": nodes.pet is not None,
        "swapped": swapped,
        "ct": _grid_words(images.ct.geometry),
        "pet": _grid_words(images.pet.geometry) if images.pet is not None else "",
        "count": grid.count,
        "firstMm": grid.position_mm(0),
        "stepMm": (high - low) / grid.count,
        "bounds": bounds,
        "spacing": list(grid.axial.spacing),
        "warnings": [*images.ct.warnings, *(images.pet.warnings if images.pet else ())],
    }


def row_values(rows: Iterable[SliceResult]) -> list[list[Any]]:
    """Index, position, score, word and why there is none, of each slice."""
    return [
        [
            row.index,
            round(row.position_mm, 3),
            None if row.score is None else round(row.score, 4),
            row.word,
            "" if row.assessed else reason_words(row.state),
        ]
        for row in rows
    ]


def summary_values(result: StudyResult) -> dict[str, Any]:
    """The study in numbers and words."""
    mean, median, share = result.mean, result.median, result.share_below
    return {
        "mean": None if mean is None else number(mean),
        "median": None if median is None else number(median),
        "below": None if share is None else percent(share),
        "threshold": result.threshold,
        "assessed": len(result.scores),
        "slices": count(len(result.slices), "slice"),
        "partial": result.partial,
        "verdict": verdict(result),
        "worst": [row.index for row in result.worst(len(result.scores))],
    }


def activation_range(heatmap: vtkMRMLScalarVolumeNode) -> list[float] | None:
    """What the first and the last colour of a heatmap stand for; None where its file is silent."""
    ends = [heatmap.GetAttribute(study_nodes.PREFIX + key) for key in ACTIVATIONS]
    return [float(end) for end in ends] if all(ends) else None


def _grid_words(geometry: Geometry) -> str:
    size = " × ".join(str(n) for n in geometry.size)
    spacing = " × ".join(f"{mm:.3g}" for mm in geometry.spacing)
    return f"{size} voxels of {spacing} mm"
