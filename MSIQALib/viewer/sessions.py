"""One session for each browser: its worker, its private folder, and when they end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from MSIQALib.viewer.config import WorkerConfig
from MSIQALib.viewer.limits import Budget, UploadLimits
from MSIQALib.viewer.redaction import Redaction
from MSIQALib.viewer.study_paths import StudyPaths
from MSIQALib.viewer.worker_process import WorkerProcess

logger = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "MSIQALib.viewer.worker")


class TooManySessionsError(Exception):
    """No further browser can be served now."""


@dataclass(frozen=True)
class SessionOptions:
    """What all sessions of a front have in common.

    Attributes:
        studies: What can be chosen.
        open_first: Whether the first study is shown at once.
        assess_first: Whether it is assessed at once, too.
        device: "auto", "cuda", "mps" or "cpu".
        weights: Weights file; None for the shipped one.
        limits: For uploads.
        most: Sessions at the same time; each has a process with a study in memory.
        idle_seconds: A session that no page has been connected to for so long ends, unless it is
            assessing.
        command: The worker's program.
    """

    studies: tuple[StudyPaths, ...] = ()
    open_first: bool = True
    assess_first: bool = False
    device: str = "auto"
    weights: Path | None = None
    limits: UploadLimits = field(default_factory=UploadLimits)
    most: int = 8
    idle_seconds: float = 2 * 3600.0
    command: tuple[str, ...] = WORKER


class Session:
    """One browser's worker and folder.

    Attributes:
        number: For the log.
        folder: Private to the session.
        worker: The process.
        secret: What the worker wants to be shown.
        connections: Open WebSockets.
        uploading: Held while an upload runs.
        budget: What uploads have used.
    """

    def __init__(
        self, number: int, folder: Path, worker: WorkerProcess, secret: str, limits: UploadLimits
    ) -> None:
        self.number = number
        self.folder = folder
        self.worker = worker
        self.secret = secret
        self.connections = 0
        self.uploading = asyncio.Lock()
        self.budget = Budget(limits)
        self._seen = time.monotonic()

    def touch(self) -> None:
        """Note that the browser was here."""
        self._seen = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """How long nobody has wanted anything; 0 while somebody does."""
        starting = self.worker.port is None and not self.worker.ended
        if self.connections or self.worker.busy or self.uploading.locked() or starting:
            self.touch()
        return time.monotonic() - self._seen


class Sessions:
    """All sessions of a front.

    Args:
        root: The front's private folder.
        options: See :class:`SessionOptions`.
    """

    def __init__(self, root: Path, options: SessionOptions) -> None:
        self._root = root
        self._options = options
        self._sessions: dict[str, Session] = {}
        self._opening = asyncio.Lock()
        self._number = 0
        self._closed = False
        images = [path for study in options.studies for path in (study.ct, study.pet) if path]
        self._redaction = Redaction([root, *images])

    def get(self, key: str) -> Session | None:
        """The session of a cookie, if it was opened; its worker may have ended."""
        return self._sessions.get(key)

    async def open(self, key: str) -> Session:
        """The session of a cookie, opened where it is not yet or where its worker has ended.

        Args:
            key: What the cookie says.

        Raises:
            TooManySessionsError: There are as many as there may be.
        """
        async with self._opening:
            session = self._sessions.get(key)
            if session is not None and not session.worker.ended:
                session.touch()  # here, so that the end of idle sessions cannot come in between
                return session
            if session is not None:
                await self._close(key)
            if self._closed or len(self._sessions) >= self._options.most:
                raise TooManySessionsError
            self._number += 1
            session = await self._start(self._number)
            self._sessions[key] = session
            return session

    async def end_idle(self) -> None:
        """End the sessions that nobody has come back to."""
        for key, session in list(self._sessions.items()):
            if session.idle_seconds > self._options.idle_seconds:
                async with self._opening:
                    # The browser may have come back while this waited.
                    replaced = self._sessions.get(key) is not session
                    if replaced or session.idle_seconds <= self._options.idle_seconds:
                        continue
                    logger.info("session %d was idle and ends", session.number)
                    await self._close(key)

    async def close(self) -> None:
        """End all."""
        async with self._opening:
            self._closed = True
            await asyncio.gather(*(self._close(key) for key in list(self._sessions)))

    async def _start(self, number: int) -> Session:
        folder = self._root / f"session-{number}"
        folder.mkdir(mode=0o700)
        secret = secrets.token_urlsafe(32)
        config = WorkerConfig(
            folder=folder,
            studies=self._options.studies,
            open_first=self._options.open_first and bool(self._options.studies),
            assess_first=self._options.assess_first,
            device=self._options.device,
            weights=self._options.weights,
            secret=secret,
        )
        path = folder / "worker.json"
        config.write(path)
        worker = await WorkerProcess.start(self._options.command, path, number, self._redaction)
        return Session(number, folder, worker, secret, self._options.limits)

    async def _close(self, key: str) -> None:
        session = self._sessions.pop(key, None)
        if session is None:
            return
        session.budget.stopped = True
        await session.worker.stop()
        await asyncio.to_thread(shutil.rmtree, session.folder, ignore_errors=True)
