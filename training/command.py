"""Runs a command so that what is refused on purpose ends in words, not in a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from MSIQALib.errors import MSIQAError


def run_command(main: Callable[[], object]) -> None:
    """Run a command's `main` from the command line.

    Every other error keeps its traceback: it is a mistake of the program's.

    Args:
        main: Reads the command line itself.

    Raises:
        SystemExit: `main` raised an MSIQAError; the message is the error's and the exit code 1.
    """
    try:
        main()
    except MSIQAError as error:
        sys.exit(str(error))
