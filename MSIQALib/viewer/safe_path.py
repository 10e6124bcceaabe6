"""Names that come from outside, and where they may lead."""

from __future__ import annotations

import os
import re
from pathlib import Path

from MSIQALib.viewer.limits import UploadError

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_PARTS = 32
_MOST_BYTES = 255


def inside(folder: Path, name: str) -> Path:
    """Where a file with a name from outside goes.

    Args:
        folder: The folder that it must not leave.
        name: A relative path with "/" or, from Windows, backslashes.

    Returns:
        A path below the folder.

    Raises:
        UploadError: The name is absolute, goes up, or is none.
    """
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UploadError(_refusal("an absolute path"))
    if _CONTROL.search(name):
        raise UploadError(_refusal("control characters"))
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
    if ".." in parts:
        raise UploadError(_refusal('a path with ".."'))
    if not parts or len(parts) > _MOST_PARTS:
        raise UploadError(_refusal("an empty or a very deep path"))
    if any(len(os.fsencode(_encodable(part))) > _MOST_BYTES for part in parts):
        raise UploadError(_refusal("a very long name"))
    return folder.joinpath(*parts)


def create(path: Path) -> int:
    """Make a new file for its owner alone, and the folders above it.

    Returns:
        A file descriptor to write to.

    Raises:
        UploadError: There is something of this name.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL follows no link, and there are none: nothing here ever makes one.
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except (FileExistsError, NotADirectoryError) as error:
        raise UploadError(_refusal("the same name twice")) from error


def _encodable(part: str) -> str:
    try:
        os.fsencode(part)
    except UnicodeEncodeError as error:
        raise UploadError(_refusal("a name that is not Unicode")) from error
    return part


def _refusal(what: str) -> str:
    return f"The upload holds {what}, and nothing of it was kept. Send the files as they are."
