"""Running the viewer, from its start to an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from MSIQALib.viewer.access import Access, Hosts, is_loopback, new_token
from MSIQALib.viewer.front import make_front
from MSIQALib.viewer.listening import address, listen
from MSIQALib.viewer.sessions import SessionOptions
from MSIQALib.viewer.sweeper import PREFIX, start_sweeper

logger = logging.getLogger(__name__)

_SECONDS_TO_END = 2.0


@dataclass(frozen=True)
class ServingOptions:
    """Where the viewer is served, and to whom.

    Attributes:
        host: A name or an address of this machine.
        port: See :func:`MSIQALib.viewer.listening.listen`.
        token: Whether a token is needed on this machine, too; from others it always is.
        also: Further names under which browsers may ask, such as that of a reverse proxy.
        sessions: What the sessions are like.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    token: bool = False
    also: tuple[str, ...] = ()
    sessions: SessionOptions = field(default_factory=SessionOptions)


@dataclass(frozen=True)
class Address:
    """What to tell the user.

    Attributes:
        url: To open in a browser, with the token where one is needed.
        local: Whether only this machine can reach it.
    """

    url: str
    local: bool


def serve(options: ServingOptions, *, on_ready: Callable[[Address], None]) -> None:
    """Serve the viewer until SIGINT (Ctrl-C), SIGTERM or SIGHUP.

    Afterwards no process and no file is left: also where this process is killed, its workers end
    and a small process removes its folder.

    Args:
        options: Where and what to serve.
        on_ready: Called once with the address, when browsers can connect.

    Raises:
        MSIQAError: The address cannot be listened on.
    """
    local = is_loopback(options.host)
    token = new_token() if options.token or not local else None
    opened = listen(options.host, options.port)
    root = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700
    sweeper = start_sweeper(root)
    try:
        asyncio.run(_serve(options, opened, root, token, local, on_ready))
    finally:
        opened.close()
        shutil.rmtree(root, ignore_errors=True)
        assert sweeper.stdin is not None
        sweeper.stdin.close()
        sweeper.wait()


async def _serve(
    options: ServingOptions,
    opened: socket.socket,
    root: Path,
    token: str | None,
    local: bool,
    on_ready: Callable[[Address], None],
) -> None:
    port = opened.getsockname()[1]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP and no such handlers; there Ctrl-C ends asyncio.run by itself.
        with contextlib.suppress(NotImplementedError, AttributeError):
            loop.add_signal_handler(getattr(signal, name), stop.set)
    access = Access(Hosts.of(options.host, options.also), token, cookie=f"msiqa_{port}")
    runner = web.AppRunner(
        make_front(root, options.sessions, access),
        access_log=None,  # addresses may hold the token
        shutdown_timeout=_SECONDS_TO_END,
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, opened).start()
        on_ready(Address(address(options.host, port, token), local))
        await stop.wait()
        logger.info("ending")
    finally:
        await runner.cleanup()
