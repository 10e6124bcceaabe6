"""A front in this process, and browsers that keep to what browsers do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from MSIQALib.viewer.access import Access, Hosts
from MSIQALib.viewer.front import make_front
from MSIQALib.viewer.sessions import SessionOptions

WORKER = (sys.executable, str(Path(__file__).with_name("stand_in_worker.py")))

SECONDS = 300.0
"""How long to wait for what takes a second: a machine may have much else to do."""


class Browser:
    """Keeps cookies, follows what pages say, and sends its Origin as browsers do."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.origin = {"Origin": base}
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def text(self, path: str, **options: Any) -> tuple[int, str]:
        async with self.client.get(self.base + path, **options) as answer:
            return answer.status, await answer.text()

    async def json(self, path: str) -> Any:
        async with self.client.get(self.base + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)

    async def open(self, path: str = "/") -> dict[str, Any]:
        """Open the page and go on where it says so; what the stand-in says about itself."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            async with self.client.get(self.base + path) as answer:
                if answer.content_type == "application/json":
                    return await answer.json()
                page = await answer.text()
            go_on = re.search(r'content="0; url=\./([^"]*)"', page)
            if not go_on:
                raise AssertionError(page)
            path = "/" + go_on[1].replace("&amp;", "&")
        raise AssertionError("the page goes round in circles")

    async def told(self) -> list[dict[str, Any]]:
        """What the worker has heard, once that is anything: the front tells it by another way."""
        end = time.monotonic() + SECONDS
        while not (told := await self.json("/told")) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return told

    async def upload(self, files: Iterable[tuple[str, bytes]]) -> tuple[int, dict[str, Any]]:
        form = aiohttp.FormData(quote_fields=False)
        for name, content in files:
            form.add_field("files", content, filename=name)
        async with self.client.post(
            f"{self.base}/upload", data=form, headers=self.origin
        ) as answer:
            return answer.status, await answer.json()

    def socket(self, **options: Any) -> Any:
        options.setdefault("headers", self.origin)
        return self.client.ws_connect(f"{self.base}/ws", max_msg_size=0, **options)


@contextlib.asynccontextmanager
async def front(
    root: Path, *, token: str | None = None, hosts: Hosts | None = None, **options: Any
) -> AsyncIterator[Any]:
    """A running front; gives a function that makes browsers."""
    options.setdefault("command", WORKER)
    access = Access(hosts or Hosts.of("127.0.0.1"), token, cookie="msiqa_test")
    runner = web.AppRunner(
        make_front(root, SessionOptions(**options), access),
        shutdown_timeout=1.0,
        handler_cancellation=True,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    browsers: list[Browser] = []

    def new_browser() -> Browser:
        browsers.append(Browser(base))
        return browsers[-1]

    try:
        yield new_browser
    finally:
        for browser in browsers:
            await browser.client.close()
        await runner.cleanup()


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet asked about does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return status.parent.exists() or not Path("/proc").exists()


async def until(condition: Callable[[], object]) -> bool:
    """Wait until something is so; False where it does not come to that."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True


async def gone(pid: int) -> bool:
    """Wait for the end of a process."""
    return await until(lambda: not alive(pid))
