"""The child's side: it listens to its parent and does not outlive it.

Programs that start Python through a launcher cannot rely on signals: the launcher may keep them to
itself, and Windows has none to ask a console program to stop. Standard input reaches the child in
every case (Slicer's launcher forwards it), and it ends when the parent does, however that came
about.
"""

from __future__ import annotations

import os
import signal
import threading

from MSIQALib.process.workspace import named_workspace

CANCEL = b"cancel\n"
"""What the parent writes to ask for a stop after the current batch."""

PARENT_GONE = 129
"""Exit code where the parent ended first (as a shell reports SIGHUP)."""


def listen_to_parent() -> None:
    """Start to obey standard input, which must be a pipe from the parent."""
    threading.Thread(target=_listen, name="parent", daemon=True).start()


def _listen() -> None:
    # Unbuffered: a buffered reader would hold a lock that the interpreter wants when it ends.
    stdin = 0
    received = b""
    while piece := os.read(stdin, 64):
        received += piece
        while CANCEL in received:
            received = received.partition(CANCEL)[2]
            # The command line takes SIGTERM as the wish to stop and to write what there is.
            signal.raise_signal(signal.SIGTERM)
    workspace = named_workspace()
    if workspace is not None:
        workspace.remove()
    os._exit(PARENT_GONE)
