"""A headless Chromium for the tests of the page: Debian's, else Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """A Chromium of the system."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def chromium() -> Iterator:
    """A browser of Playwright's.

    Where there is none, tests are skipped with the reason; they fail where CI is set.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("Playwright for Python is not installed")
    with sync_playwright() as playwright:
        executable = find_chromium()
        if executable is None and not Path(playwright.chromium.executable_path).exists():
            _without("there is no Chromium: install the package or run `playwright install`")
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def _without(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
