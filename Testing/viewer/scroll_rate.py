"""How many pictures a second the axial view shows while a reader scrolls with a heatmap on.

    python Testing/viewer/scroll_rate.py [--slices 48] [--seconds 6] [--map F3]

It starts the viewer on a phantom, assesses it, and scrolls by 30 keys a second. What is counted are
pictures that were drawn, in headless Chromium on the same machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from chromium import chromium
from viewer_page import LAPTOP, ViewerPage, viewer, write_phantom

SCROLL = """async ({ seconds }) => {
  const canvas = document.querySelector("canvas[data-view=Axial]");
  const shown = () => Number(canvas.dataset.pictures);
  const last = Number(document.querySelector("[data-test=curve]").getAttribute("aria-valuemax"));
  const [start, began] = [performance.now(), shown()];
  let at = 0, step = 1;
  while (performance.now() - start < seconds * 1000) {
    at += step;
    if (at >= last || at <= 0) step = -step;
    const key = step > 0 ? "ArrowUp" : "ArrowDown";
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await new Promise((resolve) => setTimeout(resolve, 33));
  }
  return (shown() - began) / ((performance.now() - start) / 1000);
}"""


def main() -> None:
    """Read the command line, measure, say it."""
    parser = argparse.ArgumentParser(description="Measure the viewer's pictures a second.")
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--map", default="F3")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom = write_phantom(Path(folder) / "phantom", arguments.slices)
        paths = ("--ct", str(phantom / "CT"), "--pet", str(phantom / "PET"))
        with viewer(*paths) as url, chromium() as browser:
            for name, size in (("1366 x 768", LAPTOP), ("4K", {"width": 3840, "height": 2160})):
                page = ViewerPage(browser.new_context(viewport=size), url)
                page.opened()
                page.assess()
                page.find(f"map-{arguments.map}").click()
                page.settle()
                rate = page.page.evaluate(SCROLL, {"seconds": arguments.seconds})
                print(f"{name}: {rate:.1f} pictures a second")  # noqa: T201


if __name__ == "__main__":
    main()
