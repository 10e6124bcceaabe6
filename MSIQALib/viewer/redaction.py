"""Logs without patients: places of data are replaced, since folder names may be people's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


class Redaction:
    """Replaces paths below given places.

    Args:
        places: Folders and files with images.
    """

    def __init__(self, places: Iterable[Path]) -> None:
        names = {str(place) for path in places for place in (path, path.resolve())}
        # The longest first: of a folder and what lies in it, the latter says more.
        listed = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        # Up to what ends a path in a message or a traceback; names may have spaces.
        self._pattern = re.compile(rf"(?:{listed})[^'\"\n]*?(?=['\"]|: |, |$)") if names else None

    def clean(self, text: str) -> str:
        """The text with "<data>" in place of each such path."""
        return self._pattern.sub("<data>", text) if self._pattern is not None else text
