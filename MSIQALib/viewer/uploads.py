"""Taking files from a browser: streamed to the session's folder, whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aiohttp import BodyPartReader, MultipartReader, web

from MSIQALib.viewer.limits import Budget, UploadError
from MSIQALib.viewer.safe_path import create, inside
from MSIQALib.viewer.sessions import Session
from MSIQALib.viewer.unpack import archive_stem, unpack

logger = logging.getLogger(__name__)

_PIECE = 1 << 18
_FOLDER = "uploads"


@dataclass(frozen=True)
class Upload:
    """What has arrived.

    Attributes:
        folder: Where it lies.
        files: Number of files, archives unpacked.
        bytes: Their size.
    """

    folder: Path
    files: int
    bytes: int


def say_limits(session: Session) -> web.Response:
    """What may still be sent, for a page that wants to know before it sends."""
    budget, limits = session.budget, session.budget.limits
    return web.json_response(
        {
            "bytes": max(0, min(limits.sent - budget.sent, limits.stored - budget.stored)),
            "files": max(0, limits.files - budget.files),
        }
    )


async def take_upload(request: web.Request, session: Session) -> web.Response:
    """Take a multipart upload and tell the worker where it lies.

    Each part with a file name is a file; the name may be a relative path, as browsers give it for
    folders. Archives are unpacked.

    Args:
        request: A POST, whose cookie was checked.
        session: The session of the cookie.

    Returns:
        JSON: ``{"files": N, "bytes": N}``, or ``{"error": "why and what to do"}`` with a status of
        4xx or 5xx.
    """
    if session.uploading.locked():
        return _refuse("Another upload of this browser is still running.", 409)
    async with session.uploading:
        try:
            upload = await _receive(request, session)
        except UploadError as error:
            logger.info("session %d: upload refused with %d", session.number, error.status)
            return _refuse(str(error), error.status)
        except OSError as error:
            logger.error("session %d: upload failed: %s", session.number, error.strerror)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return _refuse("There is no space left where the viewer runs.", 507)
            return _refuse("The upload could not be stored where the viewer runs.", 500)
    logger.info("session %d: %d files uploaded", session.number, upload.files)
    await session.worker.send(
        "uploaded", folder=str(upload.folder), files=upload.files, bytes=upload.bytes
    )
    return web.json_response({"files": upload.files, "bytes": upload.bytes})


def _refuse(message: str, status: int) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def _receive(request: web.Request, session: Session) -> Upload:
    if request.content_type != "multipart/form-data":
        raise UploadError("This is no upload of files.", 415)
    before = (session.budget.sent, session.budget.stored, session.budget.files)
    if request.content_length is not None:
        # Said before anything is sent where the browser says how much it will be. Parts are
        # counted as they come; here only the sum is looked at.
        _check(session.budget, request.content_length)
    folder = _new_folder(session.folder / _FOLDER)
    try:
        try:
            await _read_parts(await request.multipart(), folder, session.budget)
        except (ValueError, ConnectionError, AssertionError) as error:
            raise UploadError("The upload broke off. Send it again.") from error
        files, stored = session.budget.files - before[2], session.budget.stored - before[1]
        if files == 0:
            raise UploadError("No file was sent. Choose the files of a CT and a PET.")
        return Upload(folder, files, stored)
    except BaseException:
        session.budget.sent, session.budget.stored, session.budget.files = before
        # Not awaited in a thread: this may be a cancelled request.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _check(budget: Budget, length: int) -> None:
    trial = Budget(budget.limits)
    trial.sent = budget.sent
    # Names and boundaries count little; a body at the very limit must not fail for them.
    trial.send(max(0, length - (1 << 20)))


def _new_folder(parent: Path) -> Path:
    parent.mkdir(mode=0o700, exist_ok=True)
    number = 1
    while True:
        try:
            # Files that come without a folder are a study of this name.
            folder = parent / f"Upload {number}"
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            number += 1


async def _read_parts(reader: MultipartReader, folder: Path, budget: Budget) -> None:
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise UploadError("This is no upload of files.", 415)
        if part.filename is None:
            continue  # a field of the form; skipped by next()
        await _read_file(part, part.filename, folder, budget)


async def _read_file(part: BodyPartReader, name: str, folder: Path, budget: Budget) -> None:
    path = inside(folder, name)
    stem = archive_stem(path.name)
    if stem is None:
        budget.add_file()
    # An archive lies beside the files under a name that no upload can have.
    target = path if stem is None else folder.with_name(folder.name + ".archive")
    with os.fdopen(create(target), "wb") as stream:
        while piece := await part.read_chunk(_PIECE):
            budget.send(len(piece))
            if stem is None:
                budget.store(len(piece))
            stream.write(piece)
    if stem is not None:
        work = asyncio.ensure_future(
            asyncio.to_thread(unpack, target, path.name, path.with_name(stem), budget)
        )
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            budget.stopped = True
            await asyncio.wait([work])
            budget.stopped = False
            raise
        finally:
            target.unlink(missing_ok=True)
