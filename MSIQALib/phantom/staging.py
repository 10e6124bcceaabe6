"""Several folders and files that appear in one place together, or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from MSIQALib.errors import OutputError


def refuse_to_overwrite(output: Path, names: tuple[str, ...]) -> None:
    """Stop when one of the folders ``names`` is there and not empty.

    Raises:
        OutputError: It is there, or it cannot be looked at.
    """
    try:
        for name in names:
            folder = output / name
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise OutputError(
                    folder, "it is there already", "Choose another folder, or allow overwriting"
                )
    except OSError as error:
        raise _output_error(output, error) from error


@contextlib.contextmanager
def moved_in_at_the_end(output: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """A temporary folder whose entries take their places in ``output`` when the block ends well.

    When anything fails, what was there before is there again.

    Args:
        output: The folder; made where it is missing.
        names: The entries that the block makes in the temporary folder.

    Yields:
        The temporary folder, which lies in ``output``.

    Raises:
        OutputError: The folder cannot be written, or the disk is full.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=output))
    except OSError as error:
        raise _output_error(output, error) from error
    aside = part / "before"
    placed: list[str] = []
    kept: list[str] = []
    try:
        yield part
        aside.mkdir()
        for name in names:
            if (output / name).exists():
                (output / name).rename(aside / name)
                kept.append(name)
            (part / name).rename(output / name)
            placed.append(name)
    except BaseException as error:
        for name in placed:
            (output / name).rename(part / name)
        for name in kept:
            (aside / name).rename(output / name)
        if isinstance(error, OSError):
            raise _output_error(output, error) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _output_error(output: Path, error: OSError) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        output,
        f"the phantom cannot be written ({reason})",
        "Choose another folder, or free space and check its permissions, and run again",
    )
