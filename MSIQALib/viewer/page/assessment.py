"""One assessment in a process of its own, followed without blocking the page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import MSIQALib
from MSIQALib.assessment.result import Status
from MSIQALib.process.child import CANCEL
from MSIQALib.process.events import Ended, Event, EventReader, Refused
from MSIQALib.process.settings import MAPS, Settings
from MSIQALib.process.workspace import ENVIRONMENT_VARIABLE, Workspace
from MSIQALib.viewer.study_paths import StudyPaths

logger = logging.getLogger(__name__)

PIECE = 65536
NICENESS = 5
"""The page goes first: slices scroll while the network computes."""


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        status: Complete, cancelled or failed.
        message: Why it ended early; None where it is complete.
        warnings: What the user should know.
    """

    status: Status
    message: str | None = None
    warnings: tuple[str, ...] = ()


class Assessment:
    """A run of `msiqa assess` on a study.

    Args:
        paths: The study.
        device: "auto", "cuda", "mps" or "cpu".
        weights: Weights file; None for the shipped one.
        folder: Where the run's private folder is made.
        on_event: Called with what the process says, as it comes.

    Attributes:
        workspace: The private folder; the results stay in it.
        cancelling: True from the wish to stop on.
    """

    def __init__(
        self,
        paths: StudyPaths,
        *,
        device: str,
        weights: Path | None,
        folder: Path,
        on_event: Callable[[Event], None],
    ) -> None:
        self.workspace = Workspace.create(folder)
        self.cancelling = False
        self._paths = paths
        self._settings = Settings(device=device, weights=weights, maps=MAPS)
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None

    @property
    def results(self) -> Path:
        """Where the results are written to."""
        return self.workspace.results

    async def run(self) -> Ending:
        """Start the process, follow it, and wait for its end."""
        environment = dict(os.environ)
        package = str(Path(MSIQALib.__file__).resolve().parents[1])
        others = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package, others)))
        environment["PYTHONIOENCODING"] = "utf-8"
        environment[ENVIRONMENT_VARIABLE] = str(self.workspace.root)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            return Ending(Status.FAILED, f"The process could not be started: {error.strerror}.")
        self._process = process
        _step_back(process.pid)
        if self.cancelling:
            self._ask_to_stop()
        assert process.stdout is not None
        assert process.stderr is not None
        ending, _ = await asyncio.gather(self._follow(process.stdout), _drain(process.stderr))
        code = await process.wait()
        if ending is not None:
            return ending
        if self.cancelling:
            return Ending(Status.CANCELLED, "Cancelled before the first slice was done.")
        logger.warning("The assessment's process ended with code %s", code)
        return Ending(
            Status.FAILED,
            "The process was ended from outside, or crashed."
            if code < 0
            else f"The process ended unexpectedly (exit code {code}).",
        )

    def cancel(self) -> None:
        """Ask the process to stop after the batch it is at; what is finished stays."""
        if not self.cancelling:
            self.cancelling = True
            if self._process is not None:
                self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(CANCEL)

    def _arguments(self) -> list[str]:
        paths = self._paths
        arguments = self._settings.arguments(ct=paths.ct, pet=paths.pet, output=self.results)
        arguments.append("--accept-gaps")  # as the images are shown
        if paths.ct_series is not None:
            arguments += ["--ct-series", paths.ct_series]
        if paths.pet_series is not None:
            arguments += ["--pet-series", paths.pet_series]
        return arguments

    async def _follow(self, stream: asyncio.StreamReader) -> Ending | None:
        reader, ending = EventReader(), None
        while piece := await stream.read(PIECE):
            for event in reader.feed(piece):
                if isinstance(event, str):
                    continue
                if isinstance(event, Ended):
                    ending = Ending(event.status, event.stopped, event.warnings)
                elif isinstance(event, Refused):
                    ending = Ending(Status.FAILED, event.message)
                else:
                    self._on_event(event)
        return ending


async def _drain(stream: asyncio.StreamReader) -> None:
    """Read on, so that the process is not held up; what it says may name files."""
    while await stream.read(PIECE):
        pass


def _step_back(pid: int) -> None:
    # Before the process has threads: on Linux, those take the priority of the first.
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
