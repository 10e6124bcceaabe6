"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from MSIQALib.errors import OutputError


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path that takes the target's place when the block ends well.

    The temporary file lies in the target's folder and keeps its suffixes, so that writers which
    look at the extension work. When the block raises, the temporary file goes and a target that
    was there before stays as it was.

    Args:
        target: The file to write. Its folder is made where it is missing.

    Yields:
        A path to write to.

    Raises:
        OutputError: The folder cannot be written, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=target.name, dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise output_error(target, error) from error
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes files private to their owner; a result gets what the user's umask allows.
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise output_error(target, error) from error
        raise


def output_error(target: Path, error: OSError) -> OutputError:
    """The error for a path that the system will not write, in words for the user."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        target,
        f"it cannot be written ({reason})",
        "Choose another folder, or free space and check its permissions, and run again",
    )
