"""Passing requests and WebSockets on to a session's worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiohttp import ClientError, ClientSession, ClientTimeout, WSCloseCode, WSMsgType, web
from aiohttp.client_ws import ClientWebSocketResponse
from multidict import CIMultiDict

from MSIQALib.viewer.config import SECRET_HEADER
from MSIQALib.viewer.sessions import Session

logger = logging.getLogger(__name__)

_PIECE = 1 << 16
_LARGEST_MESSAGE = 16 << 20
"""Of a browser; wslink cuts its messages into pieces of 4 MiB."""

_PASSED_ON = ("Accept", "Accept-Language", "If-None-Match", "If-Modified-Since", "Range")
_PASSED_BACK = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Disposition",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
    "Location",
)


class Proxy:
    """The way from browsers to workers."""

    def __init__(self) -> None:
        self._client = ClientSession(
            timeout=ClientTimeout(total=None, sock_connect=5), auto_decompress=False
        )
        self._sockets: set[web.WebSocketResponse] = set()

    async def pass_on(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Answer a GET or HEAD with what the worker answers.

        Only headers that are known to matter go either way: no cookie of the browser reaches the
        worker, and none of the worker's reaches the browser.

        Raises:
            web.HTTPBadGateway: The worker does not answer.
        """
        headers = CIMultiDict({SECRET_HEADER: session.secret, "Accept-Encoding": "identity"})
        for name in _PASSED_ON:
            if name in request.headers:
                headers[name] = request.headers[name]
        response: web.StreamResponse | None = None
        try:
            async with self._client.request(
                request.method,
                f"{_address('http', session)}{request.rel_url.raw_path_qs}",
                headers=headers,
                allow_redirects=False,
            ) as answer:
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                for name in _PASSED_BACK:
                    if name in answer.headers:
                        response.headers[name] = answer.headers[name]
                await response.prepare(request)
                async for piece in answer.content.iter_chunked(_PIECE):
                    await response.write(piece)
                await response.write_eof()
                return response
        except (ClientError, asyncio.TimeoutError) as error:
            logger.info("worker %d did not answer: %s", session.number, type(error).__name__)
            if response is not None and response.prepared:
                # The browser must see that the answer is not whole.
                if request.transport is not None:
                    request.transport.close()
                return response
            raise web.HTTPBadGateway(text="The viewer does not answer.") from error

    async def connect(self, request: web.Request, session: Session) -> web.WebSocketResponse:
        """Connect a browser's WebSocket with the worker's, until either closes.

        Raises:
            web.HTTPBadGateway: The worker does not answer.
        """
        try:
            inner = await self._client.ws_connect(
                f"{_address('ws', session)}{request.rel_url.raw_path_qs}",
                headers={SECRET_HEADER: session.secret},
                max_msg_size=0,
                autoping=True,
            )
        except (ClientError, asyncio.TimeoutError) as error:
            raise web.HTTPBadGateway(text="The viewer does not answer.") from error
        # The pictures are compressed already.
        outer = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, heartbeat=30.0, compress=False)
        session.connections += 1
        try:
            async with inner:
                await outer.prepare(request)
                self._sockets.add(outer)
                await _both_ways(outer, inner)
        finally:
            self._sockets.discard(outer)
            session.connections -= 1
            session.touch()
            with contextlib.suppress(OSError, RuntimeError):
                await outer.close()
        return outer

    async def close(self) -> None:
        """Close all connections."""
        for socket in list(self._sockets):
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(
                    socket.close(code=WSCloseCode.GOING_AWAY, message=b"The viewer has ended"), 1.0
                )
        await self._client.close()


async def _both_ways(outer: web.WebSocketResponse, inner: ClientWebSocketResponse) -> None:
    ways = [asyncio.create_task(_copy(outer, inner)), asyncio.create_task(_copy(inner, outer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


_Socket = web.WebSocketResponse | ClientWebSocketResponse


async def _copy(source: _Socket, target: _Socket) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await target.send_str(message.data)


def _address(scheme: str, session: Session) -> str:
    return f"{scheme}://127.0.0.1:{session.worker.port or 0}"
