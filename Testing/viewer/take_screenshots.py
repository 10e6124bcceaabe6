"""Pictures of the viewer for the README: each state, on a phantom.

    python Testing/viewer/take_screenshots.py [--output Resources/Screenshots] [--slices 48]

Pictures larger than 500 KB take 256 colours, and if need be half the size.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from chromium import chromium
from PIL import Image
from viewer_page import ASSESS_MS, LAPTOP, ViewerPage, viewer, write_phantom

LARGEST = 500_000
READING_DISPLAY = {"width": 3840, "height": 2160}


class Camera:
    """Takes pictures into a folder."""

    def __init__(self, output: Path) -> None:
        self.output = output
        output.mkdir(parents=True, exist_ok=True)

    def take(self, page: ViewerPage, name: str) -> None:
        """Save what the window shows as viewer-NAME.png."""
        path = self.output / f"viewer-{name}.png"
        picture = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
        picture.save(path, optimize=True)
        while path.stat().st_size > LARGEST:
            picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
            picture = picture.reduce(2)
        print(f"{path}: {path.stat().st_size / 1000:.0f} KB")  # noqa: T201


def take_all(camera: Camera, browser, url: str) -> None:
    """Go through the states."""
    page = ViewerPage(browser.new_context(viewport=LAPTOP), url)
    page.opened()
    camera.take(page, "opened")
    page.find("assess").click()
    page.wait_for("state('rows').length >= 0.4 * state('study').count", ASSESS_MS)
    camera.take(page, "assessing")
    page.find("state").wait_for(timeout=ASSESS_MS)
    page.page.keyboard.press("w")
    page.settle()
    point = page.page.locator("[data-test=worst-point]").nth(2).bounding_box()
    page.page.mouse.move(point["x"] + 5, point["y"] + 5)
    camera.take(page, "result")
    page.page.mouse.move(5, 5)
    page.change(lambda: page.find("map-F3").click())
    camera.take(page, "heatmap")
    page.change(lambda: page.find("map-off").click())
    page.change(lambda: page.find("pet-colours").select_option("gray_r"))
    page.change(lambda: page.find("pet-opacity").fill("1"))
    page.change(lambda: page.find("tint").check())
    camera.take(page, "pet-and-tint")
    page.page.close()
    large = ViewerPage(browser.new_context(viewport=READING_DISPLAY), url)
    large.opened()
    large.assess()
    large.page.keyboard.press("w")
    large.change(lambda: large.find("map-F3").click())
    camera.take(large, "4k")


def main() -> None:
    """Read the command line, take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the viewer.")
    parser.add_argument("--output", type=Path, default=Path("Resources/Screenshots"))
    parser.add_argument("--slices", type=int, default=48)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom = write_phantom(Path(folder) / "Phantom", arguments.slices)
        with viewer("--study", str(phantom.parent)) as url, chromium() as browser:
            take_all(Camera(arguments.output), browser, url)


if __name__ == "__main__":
    main()
