"""quality_curve.png: the figure's data, and the picture's pixels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from MSIQALib.assessment.result import NOT_REACHED, Status
from MSIQALib.errors import OutputError
from MSIQALib.report.curve import quality_curve, write_quality_curve


def lines_of(figure: Figure, gid: str) -> list[tuple[list[float], list[float]]]:
    return [
        (list(line.get_xdata()), list(line.get_ydata()))
        for line in plot_of(figure).lines
        if line.get_gid() == gid
    ]


def plot_of(figure: Figure) -> Axes:
    return figure.axes[0]


def legend_of(figure: Figure) -> list[str]:
    legend = plot_of(figure).get_legend()
    return [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in legend.get_texts()]


def words_of(figure: Figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(text.get_text() for text in texts)


def test_the_curve_is_broken_at_gaps_and_lies_at_the_positions(study):
    assert lines_of(quality_curve(study), "curve") == [
        ([-97.5, -94.5, -91.5], [3.0, 2.5, 1.75]),
        ([-85.5, -82.5, -79.5, -76.5], [0.4375, 1.0, 3.5, 4.0]),
    ]


def test_the_score_axis_is_always_the_same(study, make):
    for result in (study, make([3.9, 4.0]), make(["outside the PET"])):
        assert plot_of(quality_curve(result)).get_ylim() == (0, 4)


def test_worst_slices_are_marked_and_named(study):
    figure = quality_curve(study)
    ((positions, scores),) = lines_of(figure, "worst")
    assert positions[0] == -85.5
    assert scores == [0.4375, 1.0, 1.75, 2.5, 3.0]
    assert {text.get_text() for text in figure.axes[1].texts} == {"5", "6", "3", "2", "1"}


def test_indices_stand_over_their_positions(study):
    figure = quality_curve(study)
    top = next(axes for axes in figure.axes if axes.xaxis.get_ticks_position() == "top")
    figure.canvas.draw()
    # The pixel at which index 4 lies is that of its position.
    above = top.transData.transform((4, 0))[0]
    below = plot_of(figure).transData.transform((-88.5, 0))[0]
    assert above == pytest.approx(below, abs=0.01)


def test_words_threshold_and_reasons_are_told(study):
    figure = quality_curve(study)
    for word in ("bad", "poor", "fair", "good", "excellent", "not for diagnosis"):
        assert word in words_of(figure)
    assert legend_of(figure) == [
        "threshold 2.0",
        "worst slices, by index",
        "not assessed: outside the PET (2 slices)",
        "not assessed: missing from the CT series (1 slice)",
    ]


def test_a_partial_run_says_so(make):
    result = make([3.0, 3.0, NOT_REACHED], status=Status.CANCELLED, stopped="cancelled")
    figure = quality_curve(result)
    assert "PARTIAL RESULT" in words_of(figure)
    assert "not reached (1 slice)" in legend_of(figure)
    assert "PARTIAL" not in words_of(quality_curve(make([3.0])))


def test_nothing_assessed_is_said(make):
    figure = quality_curve(make(["outside the PET"] * 4))
    assert "No slice was assessed" in words_of(figure)
    assert lines_of(figure, "curve") == []


@pytest.mark.parametrize(
    "scores",
    [
        [2.5],
        ["outside the PET"] * 3,
        [0.0, 4.0],
        [*np.linspace(0, 4, 1500).tolist(), *["outside the PET"] * 500],
    ],
    ids=["one", "none", "ends", "2000"],
)
def test_the_file_is_a_picture_with_something_on_it(make, tmp_path: Path, scores):
    path = tmp_path / "quality_curve.png"
    write_quality_curve(path, make(scores))
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1760, 896)
        colours = picture.convert("RGB").getcolors(maxcolors=picture.width * picture.height)
    # Paper covers less than the whole, and the rest is more than one wash of colour.
    assert max(share for share, _ in colours) < 0.7 * 1760 * 896
    assert len(colours) > 50


def test_a_curve_under_the_threshold_shows_where(make, tmp_path: Path):
    """The vermilion of the poor stretch is drawn under the threshold, and not over it."""
    figure = quality_curve(make([3.0, 3.0, 1.0, 1.0, 3.0, 3.0]))
    polygons = [
        path.vertices
        for area in plot_of(figure).collections
        for path in area.get_paths()
        if path.vertices.size
    ]
    heights = np.concatenate(polygons)[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 2.0)


def test_pyplot_is_left_alone(study):
    quality_curve(study)
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_unwritable_place(study, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_quality_curve(tmp_path / "file" / "quality_curve.png", study)
