"""Archives from outside become files, or are refused as a whole.

Nothing that an archive says about itself is believed: names go through
:mod:`MSIQALib.viewer.safe_path`, sizes are counted while the bytes arrive, and only plain files are
written. Archives inside archives stay packed.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from MSIQALib.viewer.limits import Budget, UploadError
from MSIQALib.viewer.safe_path import create, inside

_PIECE = 1 << 20
_MOST_AT_ONCE = 16 << 20
"""No honest archive has a header or a directory this large; the modules read those whole."""

_OPENERS: dict[tuple[str, ...], Callable[[Path], Any]] = {
    (".tar",): lambda path: path.open("rb"),
    (".tar.gz", ".tgz"): gzip.GzipFile,
    (".tar.bz2", ".tbz2"): bz2.BZ2File,
    (".tar.xz", ".txz"): lzma.LZMAFile,
}
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    UnicodeError,
)


def archive_stem(name: str) -> str | None:
    """The name without its suffix where it is that of an archive; None for other files."""
    lower = name.lower()
    suffixes = [".zip", *(suffix for group in _OPENERS for suffix in group)]
    for suffix in suffixes:
        if lower.endswith(suffix):
            return name[: -len(suffix)] or "archive"
    return None


def unpack(archive: Path, name: str, folder: Path, budget: Budget) -> None:
    """Write the files of an archive.

    Args:
        archive: The file.
        name: Its name, whose suffix says what it is.
        folder: Where the files go; made where it is missing.
        budget: What may still be stored.

    Raises:
        UploadError: It is damaged or encrypted, holds anything but plain files and folders below
            itself, or is too large.
    """
    try:
        if name.lower().endswith(".zip"):
            _unpack_zip(archive, folder, budget)
        else:
            _unpack_tar(archive, name.lower(), folder, budget)
    except _DAMAGES as error:
        raise _damaged() from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged() from error  # bz2 says so


def _unpack_zip(archive: Path, folder: Path, budget: Budget) -> None:
    with archive.open("rb") as stream, zipfile.ZipFile(cast("IO[bytes]", _Wary(stream))) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_plain_file()
            if member.flag_bits & 0x1:
                raise UploadError("The archive is encrypted. Send it without a password.")
            path = inside(folder, member.filename) if not _is_root(member.filename) else folder
            if member.is_dir():
                continue  # folders come with their files
            with packed.open(member) as source:
                _write(source, path, budget)


def _unpack_tar(archive: Path, name: str, folder: Path, budget: Budget) -> None:
    opener = next(opener for suffixes, opener in _OPENERS.items() if name.endswith(suffixes))
    with (
        opener(archive) as stream,
        tarfile.open(fileobj=cast("IO[bytes]", _Wary(stream)), mode="r:") as packed,
    ):
        for member in packed:
            if not (member.isreg() or member.isdir()):
                raise _no_plain_file()
            path = inside(folder, member.name) if not _is_root(member.name) else folder
            if member.isdir():
                continue
            source = packed.extractfile(member)
            if source is None:
                raise _no_plain_file()
            with source:
                _write(source, path, budget)


def _is_root(name: str) -> bool:
    return name in (".", "./")


def _write(source: IO[bytes], path: Path, budget: Budget) -> None:
    budget.add_file()
    with os.fdopen(create(path), "wb") as target:
        while piece := source.read(_PIECE):
            budget.store(len(piece))
            target.write(piece)


def _damaged() -> UploadError:
    return UploadError("The archive is damaged. Pack and send it again.")


def _no_plain_file() -> UploadError:
    return UploadError(
        "The archive holds links or devices, and nothing of it was kept. Pack plain files only."
    )


class _Wary:
    """A file that refuses to be read into memory as a whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, count: int = -1) -> bytes:
        most = _MOST_AT_ONCE + 1
        piece = self._stream.read(most if count < 0 else min(count, most))
        if len(piece) == most:
            raise zipfile.BadZipFile("a header is too large")
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
