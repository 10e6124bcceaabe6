"""The paper's Fig. 2 for any picture: input, detail, F1 to F4, F_W and F_S.

    python -m training.figures.fig2 IMAGE [IMAGE ...] --output fig2.png
    python -m training.figures.fig2 CLEAN_IMAGE --distort --output fig2.png
    python -m training.figures.fig2 --phantom --distort --output fig2.png

Each picture is a row. `--distort` shows one clean picture at growing distortions, as the paper
does. A column has one colour scale, so that its rows compare. The file's suffix decides its format.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.heatmaps import HIGH_PERCENTILE, LOW_PERCENTILE, HeatScale, enlarge
from MSIQALib.assessment.scorer import NetworkScorer, PictureScore
from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.picture import read_picture
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.shipped import find_weights
from MSIQALib.phantom import build_phantom
from training.batched_scores import score_in_batches
from training.command import run_command
from training.distortions import Distortion, Picture, distort

logger = logging.getLogger(__name__)

LADDER = (
    Distortion(0.0, 0.0, 100),
    Distortion(0.0, 5.0, 70),
    Distortion(0.005, 10.0, 70),
    Distortion(0.01, 10.0, 40),
)
"""Growing distortions, all of them combinations of PET-CT-IQA-DS."""

HEAT_MAP = "inferno"
CELL_INCHES = 1.75
DOTS_PER_INCH = 160
DETAIL_SHARE = 0.2
PHANTOM_SLICES = 9


@dataclass(frozen=True, eq=False)
class Row:
    """A picture to show.

    Attributes:
        title: In a few words.
        picture: (H, W, 3) uint8.
    """

    title: str
    picture: Picture


@dataclass(frozen=True)
class Detail:
    """The part of each picture that is magnified: left, top and side in pixels."""

    left: int
    top: int
    side: int

    @classmethod
    def busiest(cls, picture: Picture) -> Detail:
        """The square with the most contrast, of a fifth of the shorter side."""
        height, width = picture.shape[:2]
        side = max(8, round(min(height, width) * DETAIL_SHARE))
        grey = picture.mean(2)
        best, place = -1.0, (0, 0)
        for top in range(0, height - side + 1, max(1, side // 4)):
            for left in range(0, width - side + 1, max(1, side // 4)):
                contrast = float(grey[top : top + side, left : left + side].std())
                if contrast > best:
                    best, place = contrast, (left, top)
        return cls(*place, side)

    def of(self, picture: Picture) -> Picture:
        """The part itself.

        Raises:
            ValueError: It does not lie inside the picture.
        """
        part = picture[self.top : self.top + self.side, self.left : self.left + self.side]
        inside = self.left >= 0 and self.top >= 0 and part.shape[:2] == (self.side, self.side)
        if not inside or self.side <= 0:
            raise ValueError(f"{self} does not lie inside a picture of {picture.shape[:2]}")
        return part


def ladder(picture: Picture, seed: int = 0) -> list[Row]:
    """A clean picture at growing distortions."""
    rows = []
    for step in LADDER:
        title = f"λ {step.lam:g}, σ {step.sigma:g}, q {step.quality}"
        clean = step == LADDER[0]
        done = picture if clean else distort(picture, step, np.random.default_rng(seed))
        rows.append(Row("as it is" if clean else title, done))
    return rows


def phantom_row() -> Row:
    """A slice of a clean phantom."""
    images = build_phantom(slices=PHANTOM_SLICES, recipe=())
    rgb = fuse_study(images.ct, images.pet)[PHANTOM_SLICES // 2].rgb
    assert rgb is not None
    return Row("phantom", rgb)


def column_scales(scores: Sequence[PictureScore]) -> dict[str, HeatScale]:
    """One scale for each feature map over all rows."""
    scales = {}
    for name in scores[0].heatmaps:
        values = np.concatenate([score.heatmaps[name].ravel() for score in scores])
        low, high = np.percentile(values, [LOW_PERCENTILE, HIGH_PERCENTILE])
        scales[name] = HeatScale(float(low), float(high))
    return scales


def draw(rows: Sequence[Row], scores: Sequence[PictureScore], detail: Detail | None) -> Figure:
    """Lay the pictures and their feature maps out.

    Args:
        rows: Pictures.
        scores: Theirs, with heatmaps.
        detail: What to magnify in each; None takes the busiest part of the first.
    """
    detail = detail or Detail.busiest(rows[0].picture)
    scales = column_scales(scores)
    names = ["input", "detail", *scales]
    figure = Figure(
        figsize=(CELL_INCHES * len(names), CELL_INCHES * len(rows) + 0.6), layout="constrained"
    )
    axes: Any = figure.subplots(
        len(rows) + 1,
        len(names),
        squeeze=False,
        height_ratios=[*([1.0] * len(rows)), 0.05],
    )
    for place, (row, score) in enumerate(zip(rows, scores, strict=True)):
        own = axes[place]
        own[0].imshow(row.picture)
        frame = Rectangle((detail.left, detail.top), detail.side, detail.side, fill=False, ec="w")
        own[0].add_patch(frame)
        own[0].set_ylabel(f"{row.title}\nscore {score.score:.2f}", fontsize=8)
        own[1].imshow(detail.of(row.picture), interpolation="nearest")
        for axis, (name, scale) in zip(own[2:], scales.items(), strict=True):
            heat = enlarge(score.heatmaps[name], row.picture.shape[:2])
            axis.imshow(scale.apply(heat), cmap=HEAT_MAP, vmin=0, vmax=1)
        for axis in own:
            axis.set_xticks([])
            axis.set_yticks([])
    for column, name in enumerate(names):
        letter = f"({chr(ord('a') + column)})"
        axes[0][column].set_title(f"{letter} {_title(name)}", fontsize=9)
    _colour_bars(figure, axes[-1], scales)
    return figure


def _colour_bars(figure: Figure, axes: Any, scales: Mapping[str, HeatScale]) -> None:
    for axis in axes[:2]:
        axis.axis("off")
    for axis, scale in zip(axes[2:], scales.values(), strict=True):
        colours = ScalarMappable(Normalize(scale.low, scale.high), mpl.colormaps[HEAT_MAP])
        bar = figure.colorbar(colours, cax=axis, orientation="horizontal")
        bar.set_ticks([scale.low, scale.high], labels=[f"{scale.low:.2g}", f"{scale.high:.2g}"])
        bar.ax.tick_params(labelsize=7)
    caption = figure.text(0.005, 0.02, "colour: mean of |activation| over the channels", fontsize=7)
    caption.set_in_layout(False)


def _title(name: str) -> str:
    return f"${name[0]}_{name[-1]}$" if name.startswith("F") else name


def make_figure(
    rows: Sequence[Row], weights: Path | None, output: Path, detail: Detail | None = None
) -> None:
    """Score pictures and write the figure, whole or not at all.

    Args:
        rows: Pictures.
        weights: A weights file; None takes the shipped one.
        output: PNG, SVG or PDF.
        detail: What to magnify.

    Raises:
        OutputError: The file cannot be written.
    """
    scorer = NetworkScorer(load_model(find_weights(weights)), choose_device())
    pictures = [row.picture for row in rows]
    scores = score_in_batches(scorer, pictures, scorer.device.batch_size, heatmaps=True)
    figure = draw(rows, scores, detail)
    with atomic_path(output) as part:
        figure.savefig(part, dpi=DOTS_PER_INCH, format=output.suffix.lstrip(".") or "png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="*", metavar="IMAGE", help="fused slices")
    parser.add_argument("--phantom", action="store_true", help="show a slice of a phantom, too")
    parser.add_argument("--distort", action="store_true", help="show the first at 4 distortions")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="weights, else the shipped ones")
    parser.add_argument("--detail", type=int, nargs=3, metavar=("LEFT", "TOP", "SIDE"))
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = [Row(path.name, read_picture(path)) for path in given.images]
    rows += [phantom_row()] if given.phantom else []
    if not rows:
        parser.error("name at least one picture, or --phantom")
    if given.distort:
        rows = ladder(rows[0].picture)
    detail = Detail(*given.detail) if given.detail else None
    if detail:
        _check(detail, rows, given.images)
    make_figure(rows, given.model, given.output, detail)
    logger.info("wrote %s", given.output)


def _check(detail: Detail, rows: Sequence[Row], images: Sequence[Path]) -> None:
    try:
        for row in rows:
            detail.of(row.picture)
    except ValueError as error:
        source = images[0] if images else Path("phantom")
        raise InputError(source, str(error), "Give another --detail") from error


if __name__ == "__main__":
    run_command(main)
