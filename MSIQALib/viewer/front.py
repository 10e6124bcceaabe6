"""The front: the door of the viewer, through which every browser comes to its own worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from MSIQALib.viewer import messages
from MSIQALib.viewer.access import Access, same_origin
from MSIQALib.viewer.headers import secure
from MSIQALib.viewer.proxy import Proxy
from MSIQALib.viewer.sessions import Session, SessionOptions, Sessions, TooManySessionsError
from MSIQALib.viewer.uploads import say_limits, take_upload

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGES = ("/", "/index.html")
_ICON = Path(__file__).with_name("page") / "static" / "icon.svg"
_SECONDS_TO_WAIT = 3.0
_LONGEST_IDLE_CHECK = 60.0


def make_front(root: Path, options: SessionOptions, access: Access) -> web.Application:
    """The web application.

    Args:
        root: A private folder for the sessions.
        options: What the sessions are like.
        access: Who may come in.
    """
    front = _Front(root, options, access)
    application = web.Application(middlewares=[front.guard])
    application.on_response_prepare.append(_set_headers)
    application.cleanup_ctx.append(front.run)
    # Open WebSockets would keep the server waiting for them.
    application.on_shutdown.append(front.close_sockets)
    for path in _PAGES:
        application.router.add_get(path, front.page)
    application.router.add_get("/favicon.ico", front.icon)
    application.router.add_get("/upload", front.limits)
    application.router.add_post("/upload", front.upload)
    application.router.add_get("/{path:.*}", front.other)
    return application


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    secure(response.headers, request.headers.get("Host", ""), request.path)
    response.headers.pop("Server", None)


class _Front:
    def __init__(self, root: Path, options: SessionOptions, access: Access) -> None:
        self._access = access
        self._options = options
        self._sessions = Sessions(root, options)

    async def run(self, application: web.Application) -> AsyncIterator[None]:
        """Be there while the application is."""
        self._proxy = Proxy()
        watch = asyncio.create_task(self._watch())
        yield
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await self._sessions.close()

    async def close_sockets(self, application: web.Application) -> None:
        """Let go of browsers and workers."""
        await self._proxy.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(_LONGEST_IDLE_CHECK, self._options.idle_seconds / 4))
            await self._sessions.end_idle()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn away what does not come from a page of this server."""
        host = request.headers.get("Host")
        if not self._access.hosts.allow(host):
            logger.warning("a request for another host was turned away")
            return _page(messages.wrong_host(), 403)
        changing = request.method not in ("GET", "HEAD") or _is_socket(request)
        if changing and not same_origin(request.headers.get("Origin"), host):
            logger.warning("a request of another site was turned away")
            return web.Response(status=403, text="This request came from another site.")
        return await handler(request)

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page itself: makes the browser a session, and waits for its worker."""
        key = self._access.session_of(request.cookies)
        if key is None:
            return self._welcome(request)
        session = self._sessions.get(key)
        if session is not None and session.worker.ended and "again" not in request.query:
            return _stopped(session)
        try:
            # A browser that goes away meanwhile must not leave a process that nobody knows of.
            session = await asyncio.shield(self._sessions.open(key))
        except TooManySessionsError:
            return _page(messages.too_many(), 503)
        return await self._show(request, session)

    async def _show(self, request: web.Request, session: Session) -> web.StreamResponse:
        session.touch()
        if not await session.worker.ready(_SECONDS_TO_WAIT):
            if session.worker.ended:
                return _stopped(session)
            return _page(messages.starting("./"))
        if request.query_string:
            raise web.HTTPSeeOther("./")
        try:
            return await self._proxy.pass_on(request, session)
        except web.HTTPBadGateway:  # it has just gone
            return _stopped(session)

    def _welcome(self, request: web.Request) -> web.StreamResponse:
        """The first answer to a browser. Its worker starts once the cookie has come back."""
        if not self._access.knows(request.query):
            return _page(messages.token_needed(), 403)
        # A link on another site does not bring the cookie that there may be; the browser brings
        # it when this page sends it on.
        if _from_elsewhere(request) and "here" not in request.query:
            return _page(messages.starting("./?" + urlencode({**request.query, "here": ""})))
        if "here" in request.query and "set" in request.query:
            return _page(messages.cookie_needed(), 403)
        response = _page(messages.starting("./?set&here"))
        response.set_cookie(
            self._access.cookie,
            self._access.new_cookie(),
            httponly=True,
            samesite="Strict",
            path="/",
        )
        return response

    async def icon(self, request: web.Request) -> web.StreamResponse:
        """The icon that browsers ask for by themselves where a page names none.

        The pages of :mod:`MSIQALib.viewer.messages` name none, and they are shown just when there
        is no worker that could be asked.
        """
        return web.Response(body=_ICON.read_bytes(), content_type="image/svg+xml")

    async def other(self, request: web.Request) -> web.StreamResponse:
        """Whatever else the worker serves, and its WebSocket."""
        session = self._session(request)
        # A tab that was open before may ask while another one's visit starts a new worker.
        if not await session.worker.ready():
            raise web.HTTPServiceUnavailable(text="The viewer has stopped. Reload the page.")
        if _is_socket(request):
            return await self._proxy.connect(request, session)
        return await self._proxy.pass_on(request, session)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take files."""
        try:
            session = self._session(request)
        except web.HTTPException as error:
            return web.json_response({"error": error.text}, status=error.status)
        return await take_upload(request, session)

    async def limits(self, request: web.Request) -> web.StreamResponse:
        """Say how much may be uploaded."""
        return say_limits(self._session(request))

    def _session(self, request: web.Request) -> Session:
        key = self._access.session_of(request.cookies)
        session = None if key is None else self._sessions.get(key)
        if session is None:
            raise web.HTTPForbidden(text="There is no such session. Reload the page.")
        if session.worker.ended:
            raise web.HTTPServiceUnavailable(text="The viewer has stopped. Reload the page.")
        session.touch()
        return session


def _stopped(session: Session) -> web.Response:
    worker = session.worker
    text = messages.hung(worker.seconds_to_start) if worker.hung else messages.ended()
    return _page(text, 503)


def _page(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _is_socket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _from_elsewhere(request: web.Request) -> bool:
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
