"""What the browser is given over HTTP: the page, its scripts, and downloads."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from MSIQALib.viewer.config import SECRET_HEADER, WorkerConfig
from MSIQALib.viewer.page.downloads import ROUTE as DOWNLOADS
from MSIQALib.viewer.page.downloads import Downloads

if TYPE_CHECKING:
    from trame_server import Server

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).with_name("static")
ROUTE = "__msiqa"
TITLE = "MSIQA"


def add_website(server: Server, config: WorkerConfig, downloads: Downloads) -> None:
    """Give a trame server the page's scripts, its own frame and its guard.

    Args:
        server: A server that was not started yet.
        config: Its secret is what every request must show in
            :data:`~MSIQALib.viewer.config.SECRET_HEADER`; empty for no such guard.
        downloads: Files for the browser to keep.
    """
    server.enable_module(
        {
            "serve": {ROUTE: str(STATIC)},
            "styles": [f"{ROUTE}/viewer.css"],
            "module_scripts": [f"{ROUTE}/viewer.js"],
            "vue_use": ["MSIQAViewer"],
            "state": {"trame__title": TITLE, "trame__favicon": f"{ROUTE}/icon.svg"},
        }
    )

    def bind(wslink: Any) -> None:
        application: web.Application = wslink.app
        if config.secret:
            application.middlewares.append(_guard(config.secret))
        frame = (STATIC / "index.html").read_text("utf-8")
        assets = _trame_assets(Path(server._www))
        page = frame.replace("<!-- trame -->", assets)

        async def index(_: web.Request) -> web.Response:
            return web.Response(text=page, content_type="text/html")

        application.router.add_get("/", index)
        application.router.add_get("/index.html", index)
        application.router.add_get(f"/{DOWNLOADS}/{{token}}/{{name}}", downloads.send)

    server.controller.on_server_bind.add(bind)


def _trame_assets(www: Path) -> str:
    """The lines of trame's own page that load its client."""
    lines = (www / "index.html").read_text("utf-8").splitlines()
    return "\n".join(
        line.strip() for line in lines if "<script src=" in line or "crossorigin" in line
    )


def _guard(secret: str) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(shown.encode(), secret.encode()):
            raise web.HTTPForbidden(text="Ask the viewer's own address.")
        return await handler(request)

    return guard
