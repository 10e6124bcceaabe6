"""Runs a command so that what is refused on purpose ends in words, not in a traceback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from MSIQALib.errors import MSIQAError


def run_parser(description: str) -> argparse.ArgumentParser:
    """Give a parser of what every command on a run takes: its configuration and where runs lie.

    Args:
        description: A module's docstring, whose first line is shown.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    return parser


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
