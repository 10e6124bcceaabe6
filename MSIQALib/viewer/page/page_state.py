"""The values that server and page share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trame_server.state import State

IDLE: dict[str, Any] = {
    "state": "idle",
    "done": 0,
    "total": 0,
    "secondsLeft": None,
    "device": "",
    "message": "",
    "warnings": [],
}
"""A run that has not begun. Its states: idle, starting, running, cancelling, complete, cancelled,
failed."""

BEGINNING: dict[str, Any] = {
    "constants": {},
    "studies": [],
    "chosen": None,
    "loading": "Starting…",
    "message": None,
    "study": None,
    "place": None,
    "display": {},
    "run": IDLE,
    "rows": [],
    "summary": None,
    "maps": [],
    "activations": {},
    "revision": 0,
}
"""What the page is told before there is anything to tell.

``maps`` are the heatmaps that can be chosen, ``activations`` what the ends of the scale stand for
in those that were. ``rows`` are those of :func:`MSIQALib.viewer.page.wire.row_values`. ``revision``
goes up whenever pictures must be asked for anew.
"""

PREFIX = "msiqa_"
"""Of the names in trame's state, which holds trame's own values, too."""


class PageState:
    """What the page is told; every browser window that shows it is kept up to date.

    Args:
        state: trame's state.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        for name, value in BEGINNING.items():
            state[PREFIX + name] = value

    def __getitem__(self, name: str) -> Any:
        return self._state[PREFIX + name]

    def tell(self, **values: Any) -> None:
        """Change values and send the changes."""
        unknown = values.keys() - BEGINNING.keys()
        assert not unknown, unknown
        with self._state as state:
            for name, value in values.items():
                state[PREFIX + name] = value

    def complain(self, text: str) -> None:
        """Show an error."""
        self.tell(message=text)
