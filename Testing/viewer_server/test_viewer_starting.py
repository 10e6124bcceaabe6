"""What a browser gets while its worker starts: the page it waits on, and never a refusal."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from fronts import SECONDS, WORKER, Browser, front


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file; workers start once it exists. The front does not wait long before it says so."""
    path = tmp_path / "gate"
    monkeypatch.setenv("START_WHEN", str(path))
    monkeypatch.setattr("MSIQALib.viewer.front._SECONDS_TO_WAIT", 0.2)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The front's folder."""
    path = tmp_path / "front"
    path.mkdir()
    return path


async def _meet(browser: Browser) -> None:
    """Come for the first time, and be told that the worker starts."""
    for path in ("/", "/?set&here"):
        status, page = await browser.text(path)
        assert status == 200
        assert "Starting the viewer" in page


async def _talk(browser: Browser) -> str:
    async with browser.socket() as socket:
        await socket.send_str("hello")
        return await socket.receive_str()


def test_what_is_asked_for_meanwhile_waits_for_the_worker(gate: Path, root: Path) -> None:
    async def scenario() -> None:
        async with front(root) as browser:
            visitor = browser()
            await _meet(visitor)
            asked = [
                asyncio.create_task(visitor.text("/program.js")),
                asyncio.create_task(_talk(visitor)),
            ]
            # Whatever comes before the gate is open is a refusal.
            done, _ = await asyncio.wait(asked, timeout=1.0)
            assert not done, [task.result() for task in done]

            gate.touch()

            program, answer = await asyncio.wait_for(asyncio.gather(*asked), SECONDS)
            assert program == (200, "let x = 1")
            assert answer.endswith("hello")

    asyncio.run(scenario())


def test_browsers_that_want_an_icon_get_one_at_any_time(gate: Path, root: Path) -> None:
    """They ask for it by themselves where a page names none; a refusal is an error in their log."""

    async def icon(browser: Browser) -> tuple[int, str]:
        async with browser.client.get(browser.base + "/favicon.ico") as answer:
            assert b"<svg" in await answer.read()
            return answer.status, answer.content_type

    async def scenario() -> None:
        async with front(root, token="t") as browser:
            stranger, visitor = browser(), browser()
            assert await icon(stranger) == (200, "image/svg+xml")
            assert not list(root.iterdir())  # nothing was started for it
            await visitor.text("/?token=t")
            await visitor.text("/?set&here")
            assert await icon(visitor) == (200, "image/svg+xml")
            gate.touch()
            await visitor.open()
            assert await icon(visitor) == (200, "image/svg+xml")

    asyncio.run(scenario())


def test_a_worker_that_never_starts_is_ended_and_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limit = "MSIQALib.viewer.worker_process.SECONDS_TO_START"
    monkeypatch.setattr(limit, 2.0)
    monkeypatch.setattr("MSIQALib.viewer.front._SECONDS_TO_WAIT", 0.2)
    # Unlike Python, the shell says something within the limit on the slowest machine.
    mended = root.with_name("mended")
    script = f'echo looks for its display >&2; [ -e "{mended}" ] || exec sleep 600; exec "$@"'
    command = ("/bin/sh", "-c", script, "sh", *WORKER)

    async def scenario() -> None:
        async with front(root, command=command) as browser:
            visitor = browser()
            await _meet(visitor)
            waiting = asyncio.create_task(visitor.text("/program.js"))
            with pytest.raises(AssertionError, match="The viewer does not start") as said:
                await visitor.open()
            assert "within 2 seconds" in str(said.value)
            assert "terminal" in str(said.value), "where to look"
            assert 'href="./?again"' in str(said.value), "what to do"
            assert (await asyncio.wait_for(waiting, SECONDS))[0] == 503
            assert "Starting" not in (await visitor.text("/"))[1], "a reload alone tries nothing"

            mended.touch()
            monkeypatch.setattr(limit, SECONDS)
            assert (await visitor.open("/?again"))["pid"]

    asyncio.run(scenario())

    said = "\n".join(caplog.messages)
    assert "worker 1 did not start within 2 seconds" in said
    assert "worker 1: looks for its display" in said
    assert "ended by itself" not in said


def test_a_worker_that_dies_over_its_page_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAGILE", "1")

    async def scenario() -> None:
        async with front(root) as browser:
            with pytest.raises(AssertionError, match="The viewer has stopped"):
                await browser().open()

    asyncio.run(scenario())
