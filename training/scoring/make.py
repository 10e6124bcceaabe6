"""Writes the sheets for rating a built set: a page for a browser and a CSV for each rater.

    python -m training.scoring.make --set DIR --raters 5 --seed 1

`DIR/scoring/rater-1.html` opens without a network and shows the images of `DIR/images` in an order
of the rater's own; the file names say nothing of patient or distortion. `rater-1.csv` is the same
for a spreadsheet.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.likert import WORDS
from MSIQALib.report.colours import likert_colours
from training.datasets.manifest import IMAGES, read_manifest
from training.scoring.sheets import shuffled, write_sheet

logger = logging.getLogger(__name__)

FOLDER = "scoring"

MEANINGS = (
    "what is looked for cannot be seen",
    "no diagnosis is possible",
    "a diagnosis is possible within limits",
    "fit for diagnosis",
    "anatomy and uptake are shown plainly",
)
"""What the five steps mean for a diagnosis."""


def render_page(files: Sequence[str], rater: str, images: str) -> str:
    """The page for one rater.

    Args:
        files: In the order in which they are shown.
        rater: Name of the sheet.
        images: Where the images lie, relative to the page.

    Returns:
        HTML that needs nothing but the images.
    """
    environment = Environment(
        loader=PackageLoader("training.scoring"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    steps = [
        {"score": score, "word": word, "meaning": meaning, "colour": colour}
        for score, (word, meaning, colour) in enumerate(
            zip(WORDS, MEANINGS, likert_colours(), strict=True)
        )
    ]
    # What is kept in the browser belongs to this list in this order.
    identity = hashlib.sha256("\n".join(files).encode()).hexdigest()[:12]
    return environment.get_template("sheet.html").render(
        files=list(files), rater=rater, images=images, steps=steps, identity=identity
    )


def make_sheets(folder: Path, raters: int, seed: int) -> tuple[Path, ...]:
    """Write a page and a blank CSV for each rater into `folder/scoring`.

    Args:
        folder: A built set.
        raters: How many.
        seed: Of the orders.

    Returns:
        The pages.

    Raises:
        InputError: The folder is no built set, or a sheet there holds ratings already.
        OutputError: A file cannot be written.
    """
    files = [row.file for row in read_manifest(folder)]
    pages = []
    for number in range(1, raters + 1):
        name = f"rater-{number}"
        page, sheet = (folder / FOLDER / f"{name}{end}" for end in (".html", ".csv"))
        order = shuffled(files, seed, name)
        if sheet.is_file():
            raise InputError(
                sheet, "a sheet of this name is there already", "Move the old sheets away"
            )
        write_sheet(sheet, order)
        with atomic_path(page) as part:
            part.write_text(render_page(order, name, f"../{IMAGES}"), encoding="utf-8")
        pages.append(page)
    return tuple(pages)


def main() -> None:
    """Write sheets from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, dest="folder", help="a built set")
    parser.add_argument("--raters", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="of the orders (default: 1)")
    arguments = parser.parse_args()
    if arguments.raters < 1 or arguments.seed < 0:
        parser.error("there must be a rater, and the seed must not be negative")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        pages = make_sheets(arguments.folder, arguments.raters, arguments.seed)
    except MSIQAError as error:
        raise SystemExit(str(error)) from error
    for page in pages:
        logger.info("%s", page)


if __name__ == "__main__":
    main()
