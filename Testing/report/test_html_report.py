"""report.html, read as a browser and a screen reader would."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from MSIQALib.assessment.result import NOT_REACHED, Status
from MSIQALib.report.html import record_groups, render_report
from MSIQALib.report.pictures import HeatmapPicture, ReportPictures, SlicePicture, overlay_heatmap

MAPS = ("F1", "F2", "F3", "F4", "F_W", "F_S")
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Tags, texts and nesting of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts).replace("\N{NO-BREAK SPACE}", " "))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def chart_of(text: str) -> ET.Element:
    return ET.fromstring(re.search(r'<svg class="chart" viewBox="0 0 1120.*?</svg>', text, re.S)[0])


@pytest.fixture
def pictures(study, body) -> ReportPictures:
    heat = np.linspace(0, 1, body.shape[1])[None].repeat(body.shape[0], axis=0)
    return ReportPictures(
        worst=tuple(SlicePicture(row, body) for row in study.worst()),
        best=tuple((row, body) for row in study.best()),
        heatmaps=tuple(HeatmapPicture(name, overlay_heatmap(body, heat)) for name in MAPS),
        overview=np.full((40, 10, 3), 90, np.uint8),
    )


@pytest.fixture
def page(study, pictures) -> Page:
    return Page(render_report(study, pictures))


def test_it_is_one_well_formed_page_in_english(study, pictures):
    text = render_report(study, pictures)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) >= 1


def test_it_opens_without_a_network(study, pictures):
    text = render_report(study, pictures)
    for tag, attributes in Page(text).tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/png;base64,", "#"))
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    assert set(re.findall(r"url\((.)", text)) == {"#"}


def test_all_pictures_are_real_and_described(page):
    images = page.all("img")
    assert len(images) == 5 + 2 + 6 + 1  # worst; best that are not among them; maps; colour bar
    for image in images:
        assert len(image["alt"]) > 20
        picture = Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        assert len(np.unique(np.asarray(picture))) > 2
    assert "Slice 5 at −85.5 mm: score 0.44, bad" in images[0]["alt"].replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert len({image["alt"] for image in images}) == len(images)


def test_numbers(study, page):
    text = page.text
    assert f"{study.mean:.2f}" == "2.31"
    for words in (
        "2.31 of 4",
        "fair on average",
        "Median 2.50",
        "0.44 slice 5",
        "Under threshold 2.0 43 %",
        "7 of 10 slices",
        "10 axial slices of 64 × 48 pixels, 3.00 mm apart",
        "F1 Early stage: edges",
        "0123abcd",
        "Li, S., Hui, C.",
        "Research software, not a medical device: not for diagnosis or treatment decisions.",
    ):
        assert words in text, words


def test_worst_come_first_and_best_do_not_repeat_them(page):
    order = [int(index) for index in re.findall(r"Slice (\d+) · ", page.text)]
    assert order == [5, 6, 3, 2, 1, 8, 7]


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_points_of_the_curve_lie_where_the_scores_say(study, pictures):
    chart = chart_of(render_report(study, pictures))
    lines = [line for line in chart.iter("polyline") if "line" in line.get("class", "").split()]
    points = [
        tuple(float(value) for value in pair.split(","))
        for line in lines
        for pair in line.get("points").split()
    ]
    assert [len(line.get("points").split()) for line in lines] == [3, 4]
    bands = [band for band in chart.iter("rect") if band.get("class") == "band"]
    left, width = float(bands[0].get("x")), float(bands[0].get("width"))
    top = min(float(band.get("y")) for band in bands)
    bottom = max(float(band.get("y")) + float(band.get("height")) for band in bands)
    for (x, y), row in zip(points, study.assessed, strict=True):
        assert x == pytest.approx(left + width * (row.index + 0.5) / 10, abs=0.01)
        assert y == pytest.approx(bottom - (bottom - top) * row.score / 4, abs=0.01)


def test_bands_lie_between_the_half_steps(study, pictures):
    chart = chart_of(render_report(study, pictures))
    bands = [band for band in chart.iter("rect") if band.get("class") == "band"]
    heights = [float(band.get("height")) for band in bands]
    assert np.allclose(np.array(heights) / sum(heights), [1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8])


def test_each_scored_slice_answers_the_pointer(study, pictures):
    chart = chart_of(render_report(study, pictures))
    slices = [group for group in chart.iter("g") if group.get("class") == "slice"]
    assert [int(group.get("data-slice")) for group in slices] == [1, 2, 3, 5, 6, 7, 8]
    assert slices[3].find("title").text.endswith("score 0.44, bad")


def test_gaps_and_their_reasons(study, pictures):
    text = render_report(study, pictures)
    gaps = [gap for gap in chart_of(text).iter("g") if gap.get("class") == "gap"]
    assert [gap.find("title").text for gap in gaps] == [
        "Slice 0: not assessed: outside the PET",
        "Slice 4: not assessed: missing from the CT series",
        "Slice 9: not assessed: outside the PET",
    ]
    assert "not assessed: outside the PET (2 slices)" in Page(text).text


@pytest.mark.parametrize(("rows", "squeezed"), [(1, False), (40, True)])
def test_the_overview_lies_under_the_curve_at_the_same_scale(study, rows, squeezed):
    """Pixels are 4 mm wide and slices 3 mm apart: one row keeps its scale, forty cannot."""
    overview = np.full((rows, 10, 3), 90, np.uint8)
    text = render_report(study, ReportPictures(overview=overview))
    chart = chart_of(text)
    image = chart.find("image")
    band = next(rect for rect in chart.iter("rect") if rect.get("class") == "band")
    assert (image.get("x"), image.get("width")) == (band.get("x"), band.get("width"))
    assert image.find("title").text.startswith("Coronal overview")
    expected = rows * 4.0 / 30.0 * float(image.get("width"))
    assert (float(image.get("height")) == pytest.approx(expected)) is not squeezed
    assert ("not to scale" in Page(text).text) is squeezed


def test_hostile_words_stay_words(study, pictures):
    evil = "<script>alert('1')</script><img src=https://evil.example/x onerror=alert(1)>"
    result = dataclasses.replace(
        study,
        warnings=(evil,),
        stopped=evil,
        status=Status.FAILED,
        slices=(dataclasses.replace(study.slices[0], state=evil), *study.slices[1:]),
        record={evil: {evil: [evil, {"a": evil}]}, "loose": evil},
    )
    page = Page(
        render_report(
            result, dataclasses.replace(pictures, heatmaps=((evil, pictures.worst[0][1]),))
        )
    )
    assert page.all("script") == []
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert page.text.count("alert('1')") >= 6


def test_partial_runs_have_a_banner(make):
    result = make(
        [3.0, 2.0, NOT_REACHED], status=Status.CANCELLED, stopped="cancelled after 2 of 3 slices"
    )
    text = Page(render_report(result, ReportPictures())).text
    assert "Partial result: cancelled after 2 of 3 slices. All numbers here are of the 2" in text
    assert "not reached (1 slice)" in text


def test_complete_runs_have_none(page):
    assert "Partial" not in page.text


@pytest.mark.parametrize("scores", [["outside the PET"] * 5, [1.5], [], [2.0] * 2000])
def test_unusual_studies_have_a_report(make, scores):
    text = render_report(make(scores), ReportPictures())
    page = Page(text)
    assert page.open == []
    assert page.all("img") == []
    chart_of(text)
    if 1.5 in scores:
        assert "The one assessed slice rates fair. It is under the threshold of 2.0." in page.text
        assert [dot.get("class") for dot in chart_of(text).iter("circle")].count("lone") == 1
    if not scores or scores[0] == "outside the PET":
        assert "No slice was assessed" in page.text


def test_pictures_of_different_shapes_are_shown_whole(study, body):
    rows = study.worst(2)
    pictures = ReportPictures(worst=((rows[0], body), (rows[1], body[:50])))
    page = Page(render_report(study, pictures))
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))).size
        for image in page.all("img")
    ]
    assert sizes == [(128, 96), (128, 50)]


def test_record_becomes_tables():
    groups = record_groups(
        {"created": "today", "inputs": {"CT": {"size": [512, 512, 3]}, "PET": None}, "fast": True}
    )
    assert groups == (
        ("Run", (("created", "today"), ("fast", "yes"))),
        ("inputs", (("CT · size", "512, 512, 3"), ("PET", "–"))),
    )


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_inks_are_readable_on_paper_and_on_the_bands():
    """WCAG 2.2, 1.4.3: text needs a contrast of 4.5 to 1; 1.4.11: lines need 3 to 1."""
    from MSIQALib.report import colours

    def contrast(ink: str, paper: str) -> float:
        light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for ink in (colours.INK, colours.MUTED, colours.ALARM):
        for paper in ("#ffffff", "#fdf3ee"):
            assert contrast(ink, paper) >= 4.5
    for tint in colours.likert_tints():
        assert contrast(colours.CURVE, tint) >= 3
        assert contrast(colours.ALARM, tint) >= 3
