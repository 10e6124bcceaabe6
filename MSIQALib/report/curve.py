"""quality_curve.png: the score along the patient, for slides and print."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch, Patch

from MSIQALib.assessment.result import StudyResult
from MSIQALib.atomic import atomic_path
from MSIQALib.likert import SCORE_RANGE
from MSIQALib.report.axis import PatientAxis, scored_stretches, spread, unscored_stretches
from MSIQALib.report.colours import (
    ALARM,
    CURVE,
    INK,
    MUTED,
    likert_bands,
    likert_tints,
)
from MSIQALib.report.wording import (
    DISCLAIMER,
    count,
    number,
    partial_sentence,
    percent,
    reason_words,
)
from MSIQALib.version import __version__

SIZE_INCHES = (11.0, 5.6)
DPI = 160

HATCHES = ("////", "\\\\\\\\", "xxxx", "....", "----", "||||")
"""One for each reason why slices were not assessed; they repeat where there are more reasons."""

_DOTS_UP_TO = 150
_LEGEND_CHARACTERS = 165  # that go beside each other
_FONT = "DejaVu Sans"  # comes with matplotlib, so that the picture is the same everywhere
_GAP = "#8a95a1"
_VEIL = "#ffffffd8"


def quality_curve(result: StudyResult, *, title: str = "PET/CT image quality") -> Figure:
    """Draw the quality curve.

    Horizontally the position of the slices in mm from feet to head (the slice index above),
    vertically the score, always from 0 to 4. Shown are the Likert bands with their words, the
    threshold and what lies under it, the worst slices by their index, and the slices without a
    score with the reason. The curve is broken where slices are missing.

    Args:
        result: An assessment; partial and empty ones are drawn and said to be so.
        title: Heading of the picture.

    Returns:
        A figure of :data:`SIZE_INCHES` at :data:`DPI` with an Agg canvas, unknown
        to pyplot.
    """
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2, 1, height_ratios=(10, 1), hspace=0, left=0.06, right=0.92, top=0.75, bottom=0.165
    )
    plot = figure.add_subplot(grid[0])
    lane = figure.add_subplot(grid[1], sharex=plot)
    axis = PatientAxis.of(result)
    _frame(plot, lane, axis)
    _bands(plot, axis)
    _curve(plot, result)
    legend: list[Line2D | Patch] = [
        *_threshold(plot, result),
        *_worst(plot, lane, result, axis),
        *_gaps(plot, result),
    ]
    _texts(figure, plot, result, title)
    _legend(plot, legend)
    return figure


def write_quality_curve(path: Path, result: StudyResult) -> None:
    """Draw the quality curve into a PNG of 1760 x 896 pixels.

    Raises:
        OutputError: The file cannot be written.
    """
    figure = quality_curve(result)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=DPI, metadata={"Description": DISCLAIMER})


def _font(size: float, weight: str = "normal") -> dict[str, Any]:
    return {"family": _FONT, "size": size, "weight": weight}


def _frame(plot: Axes, lane: Axes, axis: PatientAxis) -> None:
    plot.set_xlim(axis.start_mm, axis.end_mm)
    plot.set_ylim(*SCORE_RANGE)
    plot.set_yticks(range(int(SCORE_RANGE[0]), int(SCORE_RANGE[1]) + 1))
    plot.set_ylabel("Score", color=INK, fontdict=_font(10))
    plot.tick_params(axis="x", bottom=False, labelbottom=False)
    lane.set_yticks([])
    lane.set_ylim(0, 1)
    lane.set_xticks(axis.position_ticks())
    lane.set_xlabel(
        "← feet      Position along the patient axis (mm)      head →",
        color=INK,
        fontdict=_font(10),
    )
    top = plot.twiny()
    top.set_xlim(axis.index(axis.start_mm), axis.index(axis.end_mm))
    top.set_xticks(axis.index_ticks())
    top.annotate(
        "Slice",
        (0, 1),
        (-8, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontfamily=_FONT,
        fontsize=9,
    )
    for spine in top.spines.values():
        spine.set_visible(False)
    for part, colour in ((plot, INK), (lane, INK), (top, MUTED)):
        part.tick_params(labelsize=9, colors=colour, labelfontfamily=_FONT)
    for name, spine in (*plot.spines.items(), *lane.spines.items()):
        spine.set_visible(name == "bottom")
        spine.set_color(_GAP)


def _bands(plot: Axes, axis: PatientAxis) -> None:
    for (word, low, high), tint in zip(likert_bands(), likert_tints(), strict=True):
        plot.axhspan(low, high, color=tint, linewidth=0, zorder=0)
        plot.annotate(
            word,
            (axis.end_mm, (low + high) / 2),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontfamily=_FONT,
            fontsize=9.5,
            annotation_clip=False,
        )


def _curve(plot: Axes, result: StudyResult) -> None:
    dots = len(result.slices) <= _DOTS_UP_TO
    for run in scored_stretches(result):
        positions = [row.position_mm for row in run.rows]
        scores = [row.score for row in run.rows if row.score is not None]
        plot.fill_between(
            positions,
            scores,
            result.threshold,
            where=[score < result.threshold for score in scores],
            interpolate=True,
            color=ALARM,
            alpha=0.22,
            linewidth=0,
            zorder=2,
        )
        plot.plot(
            positions,
            scores,
            color=CURVE,
            linewidth=1.8 if dots else 1.2,
            marker="o" if dots or run.count == 1 else "",
            markersize=3,
            solid_joinstyle="round",
            zorder=4,
            clip_on=False,
            gid="curve",
        )


def _threshold(plot: Axes, result: StudyResult) -> list[Line2D]:
    line = plot.axhline(
        result.threshold, color=ALARM, linewidth=1.4, linestyle=(0, (5, 3)), zorder=3
    )
    line.set_label(f"threshold {number(result.threshold, 1)}")
    return [line]


def _gaps(plot: Axes, result: StudyResult) -> list[Patch]:
    gaps = unscored_stretches(result)
    totals: dict[str, int] = {}
    for gap in gaps:
        totals[gap.kind] = totals.get(gap.kind, 0) + gap.count
    hatch_of = {reason: HATCHES[at % len(HATCHES)] for at, reason in enumerate(totals)}
    for gap in gaps:
        plot.axvspan(
            gap.start_mm,
            gap.end_mm,
            facecolor=_VEIL,
            edgecolor=_GAP,
            linewidth=0,
            hatch=hatch_of[gap.kind],
            zorder=1,
        )
    return [
        Patch(
            facecolor=_VEIL,
            edgecolor=_GAP,
            linewidth=0,
            hatch=hatch_of[reason],
            label=f"{textwrap.shorten(reason_words(reason), 70, placeholder='…')} "
            f"({count(total, 'slice')})",
        )
        for reason, total in totals.items()
    ]


def _worst(plot: Axes, lane: Axes, result: StudyResult, axis: PatientAxis) -> list[Line2D]:
    worst = [(row, row.score) for row in result.worst() if row.score is not None]
    if not worst:
        return []
    width = axis.end_mm - axis.start_mm
    centres = spread(
        [row.position_mm for row, _ in worst],
        gap=0.045 * width,
        low=axis.start_mm + 0.02 * width,
        high=axis.end_mm - 0.02 * width,
    )
    for (row, score), centre in zip(worst, centres, strict=True):
        plot.plot(
            [row.position_mm] * 2, [0, score], color=ALARM, linewidth=0.8, zorder=3, alpha=0.8
        )
        lane.add_artist(
            ConnectionPatch(
                (row.position_mm, 1), (centre, 0.62), "data", color=ALARM, linewidth=0.8, alpha=0.8
            )
        )
        lane.text(
            centre, 0.3, str(row.index), color=ALARM, ha="center", va="center",
            fontdict=_font(9, "bold"),
        )  # fmt: skip
    (marks,) = plot.plot(
        [row.position_mm for row, _ in worst],
        [score for _, score in worst],
        linestyle="",
        marker="o",
        markersize=6.5,
        markerfacecolor="white",
        markeredgecolor=ALARM,
        markeredgewidth=1.8,
        zorder=5,
        clip_on=False,
        gid="worst",
    )
    marks.set_label("worst slices, by index")
    return [marks]


def _legend(plot: Axes, entries: list[Line2D | Patch]) -> None:
    plot.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=(0, 1.085),
        ncols=_columns([len(str(entry.get_label())) for entry in entries]),
        frameon=False,
        prop=_font(8.5),
        labelcolor=INK,
        borderpad=0,
        borderaxespad=0,
        handlelength=2.2,
        columnspacing=2.2,
    )


def _columns(lengths: list[int]) -> int:
    """The greatest number of legend columns that go beside each other; they fill downwards."""
    for columns in range(len(lengths), 1, -1):
        rows, longer = divmod(len(lengths), columns)
        ends = [at * rows + min(at, longer) for at in range(columns + 1)]
        widths = (max(lengths[start:end]) + 8 for start, end in itertools.pairwise(ends))
        if sum(widths) <= _LEGEND_CHARACTERS:
            return columns
    return 1


def _texts(figure: Figure, plot: Axes, result: StudyResult, title: str) -> None:
    figure.text(0.06, 0.95, title, color=INK, va="center", fontdict=_font(15, "bold"))
    figure.text(0.06, 0.902, _numbers(result), color=INK, va="center", fontdict=_font(10))
    figure.text(0.06, 0.03, DISCLAIMER, color=MUTED, va="center", fontdict=_font(8))
    figure.text(0.92, 0.03, f"MSIQA {__version__}", color=MUTED, va="center", ha="right",
                fontdict=_font(8))  # fmt: skip
    if result.partial:
        figure.text(
            0.92, 0.95, "PARTIAL RESULT", color="white", va="center", ha="right",
            fontdict=_font(10, "bold"),
            bbox={"facecolor": ALARM, "edgecolor": "none", "boxstyle": "round,pad=0.4"},
        )  # fmt: skip
    if not result.scores:
        plot.text(
            0.5, 0.5, "No slice was assessed", transform=plot.transAxes, ha="center", va="center",
            color=INK, fontdict=_font(16, "bold"), zorder=6,
            bbox={"facecolor": "white", "edgecolor": _GAP, "boxstyle": "round,pad=0.6"},
        )  # fmt: skip


def _numbers(result: StudyResult) -> str:
    mean, median, share = result.mean, result.median, result.share_below
    if mean is None or median is None or share is None:
        return partial_sentence(result) or count(len(result.slices), "slice")
    return "   ·   ".join(
        (
            f"mean {number(mean)}",
            f"median {number(median)}",
            f"{percent(share)} under {number(result.threshold, 1)}",
            f"{len(result.scores):,} of {count(len(result.slices), 'slice')} assessed",
        )
    )
