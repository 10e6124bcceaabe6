"""What the page says when its worker has gone."""

from __future__ import annotations

import pytest
from chromium import chromium
from viewer_page import LAPTOP, ViewerPage, viewer, write_phantom

psutil = pytest.importorskip("psutil", reason="finds the worker's process")


def workers() -> list:
    """The workers of the viewers that this process started."""
    below = psutil.Process().children(recursive=True)
    return [one for one in below if "MSIQALib.viewer.worker" in one.cmdline()]


def test_a_worker_that_dies_is_said_and_can_be_replaced(tmp_path):
    phantom = write_phantom(tmp_path / "phantom", 4)
    paths = ("--ct", str(phantom / "CT"), "--pet", str(phantom / "PET"))
    with viewer(*paths) as url, chromium() as browser:
        page = ViewerPage(browser.new_context(viewport=LAPTOP), url)
        page.opened()
        assert page.errors == []
        (worker,) = workers()

        worker.kill()

        page.page.locator("h1", has_text="The viewer has stopped").wait_for()
        page.page.locator("a", has_text="Start again").click()
        page.opened()
        assert [one.pid for one in workers()] != [worker.pid]
        page.page.close()
