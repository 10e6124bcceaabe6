"""Pictures on request: the browser asks for one when it has shown the last.

So no picture is made that nobody sees, none queues up behind another, and a slow line only lowers
the rate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wslink import register
from wslink.websocket import LinkProtocol

from MSIQALib.viewer.page.frame import Frame
from MSIQALib.viewer.page.jpeg import MOVING, STILL, encode_jpeg

if TYPE_CHECKING:
    from MSIQALib.viewer.page.views import Views

logger = logging.getLogger(__name__)


class PictureProtocol(LinkProtocol):
    """Answers the browser's calls.

    Args:
        views: Gives the views; None before there is a scene.
    """

    def __init__(self, views: Callable[[], Views | None]) -> None:
        super().__init__()
        self._views = views

    async def validateToken(self, token: str, client_id: str) -> bool:  # noqa: N802 - wslink's name
        """Let connections in: what has no secret does not get as far as this."""
        return True

    @register("msiqa.picture")
    def picture(self, request: dict[str, Any]) -> bytes:
        """A picture of a view.

        Args:
            request: "view", "width", "height", "centre" (RAS), "mm" a pixel, "still".

        Returns:
            A JPEG; empty where there is nothing to show, or no such picture.
        """
        views = self._views()
        try:
            orientation, frame = str(request["view"]), _frame(request)
            return b"" if views is None else _encoded(views, orientation, frame, request)
        except (KeyError, ValueError, TypeError):
            logger.warning("The page asked for a picture that there cannot be")
            return b""


def _encoded(views: Views, orientation: str, frame: Frame, request: dict[str, Any]) -> bytes:
    rgb = views.picture(orientation, frame)
    return encode_jpeg(rgb, STILL if request.get("still") else MOVING)


def _frame(request: dict[str, Any]) -> Frame:
    right, anterior, superior = (float(value) for value in request["centre"])
    return Frame(
        int(request["width"]),
        int(request["height"]),
        (right, anterior, superior),
        float(request["mm"]),
    )
