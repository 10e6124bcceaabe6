"""Files for the browser to keep, each under an address that cannot be guessed."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

ROUTE = "download"


class Downloads:
    """Files that were asked for and may be fetched, once each."""

    def __init__(self) -> None:
        self._files: dict[str, Path] = {}

    def offer(self, path: Path, name: str) -> str:
        """Make a file available.

        Args:
            path: The file.
            name: What the browser is to call it.

        Returns:
            A relative URL.
        """
        token = secrets.token_urlsafe(24)
        self._files[token] = path
        return f"{ROUTE}/{token}/{name}"

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a file."""
        path = self._files.pop(request.match_info["token"], None)
        if path is None or not path.is_file():
            raise web.HTTPNotFound(text="This file is no longer offered. Export it again.")
        return web.FileResponse(
            path, headers={"Content-Disposition": "attachment", "Cache-Control": "no-store"}
        )


def zip_files(target: Path, files: Iterable[Path]) -> None:
    """Put files into a zip, under their own names; they are compressed already."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            archive.write(path, path.name)
