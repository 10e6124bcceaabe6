"""A worker, from its parent's side: start, talk, end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from MSIQALib.viewer.redaction import Redaction

logger = logging.getLogger(__name__)

SECONDS_TO_START = 180.0
"""A busy machine with a cold disk takes a minute; what takes longer hangs."""

_SECONDS_TO_QUIT = 5.0
_SECONDS_TO_FALL_SILENT = 2.0
_LONGEST_LINE = 1 << 20
_LAST_LINES = 30


class WorkerProcess:
    """One worker process.

    It leads a process group of its own: Ctrl-C in the terminal reaches the front alone, which ends
    its workers in order, and what a worker has started ends with it.

    Attributes:
        number: For the log.
        busy: Whether it said that an assessment runs.
        seconds_to_start: How long it may take to listen.
        hung: Whether it was ended because it took longer.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        exited: asyncio.Event,
        number: int,
        redaction: Redaction,
    ) -> None:
        self.number = number
        self.busy = False
        self.seconds_to_start = SECONDS_TO_START
        self.hung = False
        self._process = process
        self._exited = exited
        self._redaction = redaction
        self._stopping = False
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._port: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._tasks = [
            asyncio.create_task(self._read_events()),
            asyncio.create_task(self._read_log()),
            asyncio.create_task(self._wait()),
            asyncio.create_task(self._limit_start()),
        ]

    @classmethod
    async def start(
        cls, command: Sequence[str], config: Path, number: int, redaction: Redaction
    ) -> WorkerProcess:
        """Start a worker.

        Args:
            command: The program and its arguments; ``--config`` and the file follow.
            config: File of a :class:`~MSIQALib.viewer.config.WorkerConfig`.
            number: For the log.
            redaction: Takes the places of patients' data out of what it says.
        """
        loop, exited = asyncio.get_running_loop(), asyncio.Event()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(loop, exited),
            *command,
            "--config",
            str(config),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        process = asyncio.subprocess.Process(transport, protocol, loop)
        logger.info("worker %d started", number)
        return cls(process, exited, number, redaction)

    @property
    def port(self) -> int | None:
        """Where it listens on 127.0.0.1; None as long as, or once, it does not."""
        if self.ended or not self._port.done():
            return None
        return self._port.result()

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.returncode is not None

    @property
    def pid(self) -> int:
        """The process, which leads the group of the same number."""
        return self._process.pid

    async def ready(self, seconds: float | None = None) -> bool:
        """Wait until it listens.

        Args:
            seconds: How long to wait; None for as long as it may take to start.

        Returns:
            Whether it does.
        """
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._port), seconds)
        return self.port is not None

    async def send(self, event: str, **values: Any) -> None:
        """Tell it something; one that has ended is not told."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.write(json.dumps({"event": event, **values}).encode() + b"\n")
            await stdin.drain()

    async def stop(self) -> None:
        """End it and all that it started; returns once that is done."""
        self._stopping = True
        await self.send("quit")
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._exited.wait(), _SECONDS_TO_QUIT)
        except asyncio.TimeoutError:
            logger.warning("worker %d did not quit and is killed", self.number)
            self._kill_group()
            await self._exited.wait()
        await asyncio.wait(self._tasks, timeout=_SECONDS_TO_FALL_SILENT)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self) -> None:
        await self._exited.wait()
        code = self._process.returncode
        self._kill_group()  # an assessment that has not noticed yet
        if not self._port.done():
            self._port.set_result(None)
        if self._stopping:
            logger.info("worker %d ended", self.number)
            return
        if not self.hung:  # which is logged already
            logger.error("worker %d ended by itself with code %s", self.number, code)
        await asyncio.sleep(0.1)  # its last words
        for line in self._last:
            logger.error("worker %d: %s", self.number, line)

    async def _limit_start(self) -> None:
        seconds = self.seconds_to_start
        done, _ = await asyncio.wait([self._port], timeout=seconds)
        if done or self._stopping:
            return
        self.hung = True
        logger.error(
            "worker %d did not start within %g seconds and is killed", self.number, seconds
        )
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            elif not self.ended:  # Windows has no groups
                self._process.kill()

    async def _read_events(self) -> None:
        async for line in _lines(self._process.stdout):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._take(json.loads(line))

    def _take(self, message: Mapping[str, Any]) -> None:
        if message["event"] == "ready" and not self._port.done():
            self._port.set_result(int(message["port"]))
        elif message["event"] == "busy":
            self.busy = bool(message["value"])

    async def _read_log(self) -> None:
        async for line in _lines(self._process.stderr):
            text = self._redaction.clean(line.decode("utf-8", errors="replace").rstrip())
            self._last.append(text)
            logger.info("worker %d: %s", self.number, text)


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells of the end of the process itself.

    Process.wait() waits, in some versions of Python, for the end of its pipes, too, which what it
    has started may hold open.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, exited: asyncio.Event) -> None:
        super().__init__(limit=_LONGEST_LINE, loop=loop)
        self._exited = exited

    def process_exited(self) -> None:
        super().process_exited()
        self._exited.set()


async def _lines(stream: asyncio.StreamReader | None) -> Any:
    assert stream is not None
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than anything that is meant
            continue
        if not line:
            return
        yield line
