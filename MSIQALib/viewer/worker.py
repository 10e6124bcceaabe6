"""The worker: one browser's page, its scene and its assessments, in a process of its own.

    python -m MSIQALib.viewer.worker --config FILE

The front starts it (see :mod:`MSIQALib.viewer.config`). On standard output it says, a JSON object a
line, ``{"event": "ready", "port": 40123}`` once the page is served on 127.0.0.1, and
``{"event": "busy", "value": true}`` when an assessment begins, false when it ends. From standard
input it takes ``{"event": "uploaded", "folder": ...}`` and ``{"event": "quit"}``; it ends when that
ends. Everything else that is said goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from MSIQALib.viewer.config import WorkerConfig

logger = logging.getLogger(__name__)


class Front:
    """The way to and from the process that started this one.

    Libraries that print, and programs that this one starts, must not be heard as the worker: the
    stream is kept aside, and what they take for standard output leads to standard error.
    """

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def tell(self, event: str, **values: Any) -> None:
        """Say something to the front."""
        with self._lock:
            self._lines.write(json.dumps({"event": event, **values}) + "\n")

    def listen(
        self, take: Callable[[Mapping[str, Any]], object], gone: Callable[[], object]
    ) -> None:
        """Read what the front says, in a thread of its own.

        Args:
            take: Called with each message.
            gone: Called once the front asked to quit or is no more.
        """
        threading.Thread(target=self._listen, args=(take, gone), name="front", daemon=True).start()

    @staticmethod
    def _listen(take: Callable[[Mapping[str, Any]], object], gone: Callable[[], object]) -> None:
        # Unbuffered, as in MSIQALib.process.child: the interpreter can end while this waits.
        stdin, rest = 0, b""
        while piece := os.read(stdin, 4096):
            *lines, rest = (rest + piece).split(b"\n")
            for line in filter(None, lines):
                message = json.loads(line)
                if message["event"] == "quit":
                    gone()
                    return
                take(message)
        gone()


def main() -> None:
    """Read the command line and serve until the front goes."""
    parser = argparse.ArgumentParser(prog="python -m MSIQALib.viewer.worker")
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the front")
    arguments = parser.parse_args()
    front = Front()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # trame reads the command line, too, and would not know this one's option.
    sys.argv = sys.argv[:1]
    from MSIQALib.viewer.page.application import serve

    serve(WorkerConfig.read(arguments.config), front)


if __name__ == "__main__":
    main()
