"""A viewer as a user starts it, and what a test does with its page."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

LAPTOP = {"width": 1366, "height": 768}
SECONDS = 1000
START_MS = 300 * SECONDS
ASSESS_MS = 600 * SECONDS
"""Long enough for a machine that does other things, too; idle, it is a twentieth of it."""

VIEWS = ("Axial", "Coronal", "Sagittal")


@contextmanager
def viewer(*arguments: str) -> Iterator[str]:
    """`msiqa viewer` on a free port; gives its address."""
    command = [sys.executable, "-m", "MSIQALib", "viewer", "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            found = re.search(r"http://\S+", line)
            if found:
                yield found.group()
                break
        else:
            raise AssertionError(f"No address: {said}")
    finally:
        process.terminate()
        process.communicate(timeout=START_MS / SECONDS)


class ViewerPage:
    """A browser window with the viewer.

    Args:
        context: A context of Playwright's: a browser with cookies of its own.
        url: The viewer's address.
    """

    def __init__(self, context, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(START_MS)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._listen)
        self.page.goto(url)

    def _listen(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def find(self, name: str):
        """An element by its data-test."""
        return self.page.locator(f"[data-test={name}]")

    def state(self, name: str):
        """A value that the server told the page."""
        return self.page.evaluate(f"window.trame.state.get('msiqa_{name}')")

    def wait_for(self, expression: str, timeout: float = START_MS) -> None:
        """Wait until JavaScript is true; `state(name)` is known in it."""
        self.page.wait_for_function(
            "() => { const state = (name) => window.trame?.state?.get('msiqa_' + name);"
            f" return {expression}; }}",
            timeout=timeout,
        )

    def settle(self) -> None:
        """Wait until each view shows the full picture of what it should."""
        self.page.wait_for_function(
            "() => { const all = [...document.querySelectorAll('canvas[data-view]')];"
            " return all.length === 3 && all.every((one) => one.dataset.still === 'true'); }"
        )

    def opened(self) -> None:
        """Wait until a study is shown."""
        self.page.wait_for_selector("canvas[data-pictures]")
        self.settle()

    def change(self, action) -> None:
        """Do what changes the display, and wait until the pictures show it."""
        before = self.state("revision")
        action()
        self.wait_for(f"state('revision') > {before}")
        self.settle()

    def assess(self) -> None:
        """Click on Assess quality and wait for the end."""
        self.find("assess").click()
        self.find("state").wait_for(timeout=ASSESS_MS)

    def points(self) -> int:
        """How many points the curve has."""
        line = self.page.locator("[data-test=curve-line]")
        return int(line.get_attribute("data-points") or 0) if line.count() else 0

    def wait_for_points(self, count: int) -> None:
        """Wait until the curve has so many points."""
        line = "document.querySelector('[data-test=curve-line]')"
        self.wait_for(f"Number({line}?.dataset.points ?? 0) === {count}")

    def slice(self) -> int:
        """The current slice, as the curve says it to screen readers."""
        return int(self.find("curve").get_attribute("aria-valuenow"))

    def wait_for_slice(self, index: int) -> None:
        """Wait until a slice is the current one, and shown: browsers may pass input on late."""
        curve = "document.querySelector('[data-test=curve]')"
        self.wait_for(f"{curve}.getAttribute('aria-valuenow') === '{index}'")
        self.settle()

    def upload(self, *paths: Path) -> None:
        """Add files. The page takes none while others are on their way."""
        on_its_way = self.page.locator("[aria-label=Upload]")
        on_its_way.wait_for(state="detached")
        self.find("files").set_input_files([str(path) for path in paths])
        on_its_way.wait_for(state="detached")

    def go_to(self, index: int) -> None:
        """Go to a slice by keys."""
        self.page.locator("body").press("Home")
        for _ in range(index):
            self.page.locator("body").press("ArrowUp")
        self.wait_for_slice(index)

    def picture(self, view: str) -> np.ndarray:
        """A view's picture without what lies over it: RGB."""
        url = self.page.evaluate(
            f"document.querySelector('canvas[data-view={view}]').toDataURL('image/png')"
        )
        data = base64.b64decode(url.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.int16)


def differ(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the pixels that look different."""
    return float((np.abs(one - other).max(axis=2) > 12).mean())


def write_phantom(folder: Path, slices: int) -> Path:
    """A phantom's DICOM folder."""
    from MSIQALib.phantom import make_phantom

    make_phantom(folder, slices=slices)
    return folder
