"""One browser's viewer, from its settings to a page that is served."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trame_client.ui.html import DivLayout
from trame_client.widgets.html import HtmlElement
from trame_server.core import Server

from MSIQALib.viewer.config import WorkerConfig
from MSIQALib.viewer.page.downloads import Downloads
from MSIQALib.viewer.page.page_state import PageState
from MSIQALib.viewer.page.pictures import PictureProtocol
from MSIQALib.viewer.page.website import add_website

if TYPE_CHECKING:
    from MSIQALib.viewer.page.session import Session
    from MSIQALib.viewer.worker import Front

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"

BROKEN = "Something went wrong in the viewer. Reload the page; results are kept."

ACTIONS = ("open", "swap", "assess", "cancel", "set_display", "remember", "export")
"""Methods of the session that the page may call."""


def serve(config: WorkerConfig, front: Front) -> None:
    """Serve the page; returns when the front is gone.

    Args:
        config: What the front wants.
        front: The front, to be told of the port and of assessments.
    """
    # Pictures are compressed already, and this would be the slowest step on their way.
    os.environ.setdefault("WSLINK_WS_COMPRESS", "0")
    os.environ["WSLINK_READY_MSG"] = ""
    _hush()
    Application(config, front).run()


class Application:
    """trame's server, and the session behind it.

    3D Slicer's core takes seconds to load. The page is there before it, and says so.
    """

    def __init__(self, config: WorkerConfig, front: Front) -> None:
        self._config, self._front = config, front
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._downloads = Downloads()
        self._server = Server("msiqa", client_type="vue3")
        self._page = PageState(self._server.state)
        add_website(self._server, config, self._downloads)
        with DivLayout(self._server) as layout, layout.root:
            HtmlElement("msiqa-viewer", trame_server=self._server)
        self._server.add_protocol_to_configure(self._add_protocol)
        for name in ACTIONS:
            self._server.trigger(f"msiqa_{name}")(self._action(name))
        self._server.trigger("msiqa_dismiss")(lambda: self._page.tell(message=None))
        self._server.controller.on_server_ready.add(self._ready)

    def run(self) -> None:
        """Serve until the front is gone."""
        self._server.start(
            port=0,
            host=HOST,
            timeout=0,
            open_browser=False,
            show_connection_info=False,
            disable_logging=True,
        )

    def _add_protocol(self, root: Any) -> None:
        session = lambda: self._session.views if self._session else None  # noqa: E731
        root.registerLinkProtocol(PictureProtocol(session))

    def _ready(self, **_: Any) -> None:
        loop = asyncio.get_running_loop()
        self._front.listen(
            lambda message: loop.call_soon_threadsafe(self._take, message),
            lambda: loop.call_soon_threadsafe(_quit),
        )
        self._front.tell("ready", port=self._server.port)
        self._spawn(self._begin())

    async def _begin(self) -> None:
        await asyncio.to_thread(importlib.import_module, "MSIQALib.viewer.page.session")
        from MSIQALib.viewer.page.session import Session
        from MSIQALib.viewer.page.wire import constants

        self._page.tell(constants=constants())
        self._session = Session(
            self._config,
            self._page,
            self._downloads,
            lambda value: self._front.tell("busy", value=value),
        )
        await self._session.begin()

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("event") == "uploaded" and self._session is not None:
            self._spawn(self._session.uploaded(Path(message["folder"])))

    def _action(self, name: str) -> Callable[..., Any]:
        async def act(*arguments: Any) -> Any:
            if self._session is None:
                return None
            try:
                answer = getattr(self._session, name)(*arguments)
                return await answer if inspect.isawaitable(answer) else answer
            except (ValueError, TypeError, KeyError):
                # The page asks for nothing of the kind; a script may.
                logger.warning("The page asked for what there is not: %s", name)
                return None
            except Exception:
                logger.exception("At the page's wish: %s", name)
                self._page.complain(BROKEN)
                return None

        return act

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("In the background", exc_info=task.exception())
            self._page.tell(loading="", message=BROKEN)


def _hush() -> None:
    """Browsers that go while a picture is on its way are no errors.

    wslink reports each of them, and what its methods raise, which is caught before.
    """
    logging.getLogger("wslink").setLevel(logging.CRITICAL)
    logging.getLogger("aiohttp.server").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], ConnectionError))
    )


def _quit() -> None:
    # Without VTK's farewell, which depends on the order in which Python lets go of things. Child
    # processes notice that their standard input ends.
    os._exit(0)
