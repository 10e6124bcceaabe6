"""What the viewer is opened on: named files, the studies of a folder, or a phantom."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.version import __version__
from MSIQALib.viewer.study_paths import StudyPaths

PHANTOM_SLICES = 40


def named_study(ct: Path, pet: Path | None) -> tuple[StudyPaths, ...]:
    """The study of two paths.

    Raises:
        InputError: One of them does not exist.
    """
    for path in (ct, pet):
        if path is not None and not path.exists():
            raise InputError(path, "there is no such file or folder", "Check the path")
    ct = ct.resolve()
    return (StudyPaths(ct.name, ct, None if pet is None else pet.resolve()),)


def phantom_study(
    folder: Path | None, *, say: Callable[[str], None], slices: int = PHANTOM_SLICES
) -> tuple[StudyPaths, ...]:
    """The phantom, made where it is not there yet.

    Args:
        folder: Where it lies or shall lie; None for a place under the temporary folder that it is
            found again in.
        say: Told that it is being made, which takes seconds.
        slices: Number of CT slices.

    Raises:
        OutputError: The folder cannot be written.
    """
    from MSIQALib.phantom import make_phantom

    output = _cache() / f"phantom-{__version__}-{slices}" if folder is None else folder.resolve()
    # make_phantom moves everything in at the end, the description last.
    if not all((output / name).exists() for name in ("CT", "PET", "phantom.json")):
        say("Making a PET/CT phantom...")
        make_phantom(output, slices=slices)
    return (StudyPaths("Phantom", output / "CT", output / "PET"),)


def _cache() -> Path:
    """A folder of this user's own under the temporary folder, which everybody can write to."""
    owner = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"msiqa-{owner}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        foreign = hasattr(os, "getuid") and found.st_uid != owner
        # Somebody else may have made it, or a link, to have us read or write what they choose.
        if foreign or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
            raise InputError(
                folder,
                "it belongs to somebody else, or others can write to it",
                "Name another folder for the phantom with --phantom-folder",
            ) from None
    return folder
