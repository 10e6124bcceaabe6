"""A viewer as a program: where it listens, and that its end leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fronts import SECONDS, Browser, alive

from MSIQALib.errors import MSIQAError
from MSIQALib.viewer.listening import address, listen
from MSIQALib.viewer.sweeper import PREFIX, main, start_sweeper

_PROGRAM = Path(__file__).with_name("serve_stand_in.py")


def _start(temporary: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, str(_PROGRAM)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    return process, url.rstrip("/")


def _use(url: str) -> list[int]:
    """Open the page, upload and start something; the processes that then run."""

    async def scenario() -> list[int]:
        browser = Browser(url)
        try:
            pids = [(await browser.open())["pid"], (await browser.json("/child"))["pid"]]
            assert (await browser.upload([("CT.nii", b"x")]))[0] == 200
            return pids
        finally:
            await browser.client.close()

    return asyncio.run(scenario())


def _until(condition: object, seconds: float = SECONDS) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_the_end_leaves_no_process_and_no_folder(name: str, tmp_path: Path) -> None:
    process, url = _start(tmp_path)
    pids = _use(url)
    (root,) = tmp_path.glob(f"{PREFIX}*")
    assert root.stat().st_mode & 0o777 == 0o700
    assert list(root.glob("session-1/uploads/*/CT.nii"))

    process.send_signal(getattr(signal, name))

    killed = name == "SIGKILL"
    assert process.wait(SECONDS) == (-signal.SIGKILL if killed else 0)
    if killed:  # others than the front tidy up
        assert _until(lambda: not alive(pids[0]))
        assert _until(lambda: not root.exists())
        os.kill(pids[1], signal.SIGKILL)  # nothing but the worker knows of it
    else:
        # What the front has killed may still be on its way out.
        assert _until(lambda: not any(alive(pid) for pid in pids))
        assert not root.exists()


def test_the_sweeper_removes_nothing_else(tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.mkdir()
    sweeper = start_sweeper(other)
    assert sweeper.stdin is not None
    sweeper.stdin.close()

    assert sweeper.wait(SECONDS) == 0
    assert other.exists()
    assert callable(main)


def test_a_taken_port_is_stepped_over_unless_it_was_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MSIQAError, match=rf"Port {port} is taken.*--port"):
            listen("127.0.0.1", port)
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert 8080 <= first.getsockname()[1] < second.getsockname()[1] < 8100


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(MSIQAError, match=r"cannot listen on 192\.0\.2\.1.*--host"):
        listen("192.0.2.1", 0)


def test_listening_is_on_the_named_address_alone() -> None:
    with listen("127.0.0.1", 0) as opened:
        assert opened.getsockname()[0] == "127.0.0.1"
        assert opened.family == socket.AF_INET


def test_addresses_are_to_be_opened() -> None:
    assert address("127.0.0.1", 8080, None) == "http://127.0.0.1:8080/"
    assert address("::1", 8080, None) == "http://[::1]:8080/"
    parts = urlsplit(address("0.0.0.0", 1, "secret"))
    assert parts.hostname != "0.0.0.0"
    assert parse_qs(parts.query) == {"token": ["secret"]}
