"""Ctrl-C and termination as a wish to stop after the current batch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def cancel_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a flag while the block runs.

    A second SIGINT interrupts at once, as usual.

    Yields:
        A function that says whether the user wants to stop.
    """
    wanted = threading.Event()
    interrupt = signal.getsignal(signal.SIGINT)

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        wanted.set()
        signal.signal(signal.SIGINT, interrupt)

    before = {number: signal.signal(number, ask_to_stop) for number in _SIGNALS}
    try:
        yield wanted.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
