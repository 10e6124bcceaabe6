"""Archives as people send them, and as attackers do."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping


def make_zip(files: Mapping[str, bytes], *, kind: int = stat.S_IFREG, flags: int = 0) -> bytes:
    """A zip; ``kind`` is the type of the files as Unix stores it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (kind | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)
    data = stream.getvalue()
    if flags:  # in the central directory, which is what readers go by
        at = data.index(b"PK\x01\x02") + 8
        data = data[:at] + bytes([flags]) + data[at + 1 :]
    return data


def make_tar(
    files: Mapping[str, bytes], *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w"
) -> bytes:
    """A tar; ``kind`` is the type of its members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as packed:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = link
            regular = kind == tarfile.REGTYPE
            info.size = len(content) if regular else 0
            packed.addfile(info, io.BytesIO(content) if regular else None)
    return stream.getvalue()


def zip_that_lies(size: int) -> bytes:
    """A zip whose only file says that it has one byte."""
    data = make_zip({"a.dcm": bytes(size)})
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(signature) + offset
        data = data[:at] + (1).to_bytes(4, "little") + data[at + 4 :]
    return data


def tar_with_large_header(size: int) -> bytes:
    """A compressed tar whose first header would fill the memory."""
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = size
    import gzip

    return gzip.compress(info.tobuf() + bytes(size), compresslevel=1)
