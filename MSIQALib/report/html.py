"""report.html: one file for people, which opens without a network and prints well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from MSIQALib.assessment.result import SliceResult, StudyResult
from MSIQALib.atomic import atomic_path
from MSIQALib.likert import WORDS
from MSIQALib.report import chart as chart_layout
from MSIQALib.report import colours, wording
from MSIQALib.report.axis import PatientAxis
from MSIQALib.report.chart import build_chart
from MSIQALib.report.pictures import RGB, Box, ReportPictures, body_box, colour_bar, data_uri
from MSIQALib.report.summary import plain
from MSIQALib.version import __version__

ASPECT = 4 / 3
"""Width over height of the slices in the report; a torso lies well in it."""

_LONGEST = 640
_STRIP_HEIGHT = (70.0, 180.0)
"""Least and most; an overview that is higher in its own scale is squeezed, and said to be."""


@dataclass(frozen=True)
class Card:
    """A picture with its words."""

    uri: str
    alt: str
    title: str
    text: str
    score: str = ""
    word: str = ""


@dataclass(frozen=True)
class Step:
    """A Likert step and how many slices fall on it."""

    word: str
    colour: str
    slices: int
    share: float


def render_report(result: StudyResult, pictures: ReportPictures) -> str:
    """The report as HTML5; everything it shows lies in the text itself.

    Values of the result are escaped, so that a file name or a warning cannot become markup.
    """
    environment = Environment(
        loader=PackageLoader("MSIQALib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = wording.number
    environment.filters["percent"] = wording.percent
    environment.filters["mm"] = wording.millimetres
    environment.filters["count"] = wording.count
    return environment.get_template("report.html").render(
        result=result,
        chart=build_chart(result),
        box=chart_layout,
        colours=colours,
        wording=wording,
        description=_description(result),
        grid=_grid(result),
        partial=wording.partial_sentence(result).split(": ", 1),
        steps=_steps(result),
        strip=_strip(pictures.overview, result),
        record=record_groups(result.record),
        version=__version__,
        **_cards(pictures),
    )


def write_report(path: Path, result: StudyResult, pictures: ReportPictures) -> None:
    """Write the report as one HTML file.

    Raises:
        OutputError: The file cannot be written.
    """
    text = render_report(result, pictures)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def record_groups(
    record: Mapping[str, Any],
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Turn a nested record into tables: one for each branch, and first one for the loose values.

    Returns:
        Headings with their rows of name and value.
    """
    values = plain(record)
    loose = [(_label(name), _text(value)) for name, value in values.items() if not _nested(value)]
    groups = [("Run", tuple(loose))] if loose else []
    for name, value in values.items():
        if _nested(value):
            groups.append((_label(name), tuple(_flat(value))))
    return tuple(groups)


def _cards(pictures: ReportPictures) -> dict[str, Any]:
    shown = {row.index for row, _ in pictures.worst}
    best = [(row, rgb) for row, rgb in pictures.best if row.index not in shown]
    slices = [rgb for _, rgb in (*pictures.worst, *best)]
    one_shape = len({rgb.shape for rgb in slices}) == 1
    box = body_box(slices, aspect=ASPECT) if one_shape else None
    at = wording.slice_words(pictures.worst[0][0]).split(":")[0] if pictures.worst else "The slice"
    return {
        "same_part": box is not None and len(slices) > 1,
        "worst": [_slice_card(row, rgb, box) for row, rgb in pictures.worst],
        "best": [_slice_card(row, rgb, box) for row, rgb in best],
        "heatmaps": [
            Card(
                uri=data_uri(_crop(rgb, box), longest=_LONGEST),
                alt=f"{at} in grey with the feature map {name} laid over it. {meaning}".strip(),
                title=name,
                text=meaning,
            )
            for name, rgb in pictures.heatmaps
            for meaning in (wording.HEATMAP_MEANINGS.get(name, ""),)
        ],
        "heatmap_slice": at,
        "colour_bar": data_uri(colour_bar()),
    }


def _slice_card(row: SliceResult, rgb: RGB, box: Box | None) -> Card:
    return Card(
        uri=data_uri(_crop(rgb, box), longest=_LONGEST),
        alt=f"{wording.slice_words(row)}. Axial picture as the network sees it.",
        title=f"Slice {row.index}",
        text=wording.millimetres(row.position_mm),
        score="" if row.score is None else wording.number(row.score),
        word=row.word,
    )


def _crop(rgb: RGB, box: Box | None) -> RGB:
    return rgb if box is None else box.crop(rgb)


def _steps(result: StudyResult) -> list[Step]:
    words = [row.word for row in result.assessed]
    total = max(len(words), 1)
    return [
        Step(word, colour, words.count(word), words.count(word) / total)
        for word, colour in zip(WORDS, colours.likert_colours(), strict=True)
    ]


def _strip(overview: RGB | None, result: StudyResult) -> dict[str, Any] | None:
    if overview is None:
        return None
    axis = PatientAxis.of(result)
    unit_per_mm = (chart_layout.RIGHT - chart_layout.LEFT) / (axis.end_mm - axis.start_mm)
    box = body_box([overview], margin=0.02)
    body = overview[box.top : box.bottom]
    least, most = _STRIP_HEIGHT
    height = body.shape[0] * abs(result.geometry.spacing[0]) * unit_per_mm
    return {
        "uri": data_uri(body),
        "height": min(max(height, least), most),
        "caption": "Under the axis: coronal overview"
        + ("" if least <= height <= most else ", its height not to scale"),
        "alt": "Coronal overview of the fused slices, feet at the left, head at the right",
    }


def _grid(result: StudyResult) -> str:
    """The axial grid in words."""
    if not result.slices:
        return "no slices"
    columns, rows, _ = result.geometry.size
    if len(result.slices) == 1:
        return (
            f"One axial slice of {columns} × {rows} pixels at "
            f"{wording.millimetres(result.slices[0].position_mm)} along the patient axis"
        )
    axis = PatientAxis.of(result)
    return (
        f"{wording.count(len(result.slices), 'axial slice')} of {columns} × {rows} pixels, "
        f"{wording.millimetres(axis.step_mm, 2)} apart, from "
        f"{wording.millimetres(result.slices[0].position_mm, 0)} to "
        f"{wording.millimetres(result.slices[-1].position_mm, 0)} along the patient axis"
    )


def _description(result: StudyResult) -> str:
    """The chart for those who cannot see it."""
    parts = [
        f"Score from 0 to 4 over the position of {wording.count(len(result.slices), 'slice')}."
    ]
    parts.append(wording.verdict(result))
    if result.scores:
        worst = "; ".join(wording.slice_words(row) for row in result.worst())
        parts.append(f"Worst: {worst}.")
    return " ".join(parts)


def _nested(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, entry in value.items():
        label = f"{prefix}{_label(name)}"
        rows += _flat(entry, f"{label} · ") if _nested(entry) else [(label, _text(entry))]
    return rows


def _label(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    if value is None or value in ({}, []):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(entry) for entry in value)
    return str(value)
