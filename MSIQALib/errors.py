"""What can go wrong, in words that a user can act on."""

from __future__ import annotations

from pathlib import Path


class MSIQAError(Exception):
    """Base of every error that this package raises on purpose.

    The message is meant for the person who started the run: it names the cause and says what to do.
    The command line prints it as it is and ends with exit code 1.
    """


class InputError(MSIQAError):
    """An image or study that cannot be assessed.

    Args:
        source: The file or folder at fault.
        cause: What is wrong with it, as a sentence without a full stop.
        remedy: What the user can do about it, likewise.
    """

    def __init__(self, source: Path | str, cause: str, remedy: str) -> None:
        super().__init__(f"{source}: {cause}. {remedy}.")
        self.source = Path(source)
        self.cause = cause
        self.remedy = remedy


class ModelFileError(InputError):
    """A weights file that cannot be used."""


class OutputError(InputError):
    """A result that cannot be written."""
