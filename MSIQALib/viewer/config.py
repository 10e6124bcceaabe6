"""What the front tells a worker when it starts one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from MSIQALib.viewer.study_paths import StudyPaths

SECRET_HEADER = "X-MSIQA-Secret"
"""With it the front shows a worker, on every request, that the request came through the front."""


@dataclass(frozen=True)
class WorkerConfig:
    """The settings of one worker, which serves one browser.

    Attributes:
        folder: The session's private folder; it goes with the session.
        studies: What can be chosen.
        open_first: Whether the first study is shown at once.
        assess_first: Whether it is assessed at once, too.
        device: "auto", "cuda", "mps" or "cpu".
        weights: Weights file; None for the shipped one.
        secret: wslink's key, so that no other local user can connect past the front. The front
            sends it in :data:`SECRET_HEADER`, too.
        base: The path under which the browser sees the page; it begins and ends with "/".
    """

    folder: Path
    studies: tuple[StudyPaths, ...] = ()
    open_first: bool = False
    assess_first: bool = False
    device: str = "auto"
    weights: Path | None = None
    secret: str = field(default="", repr=False)
    base: str = "/"

    def write(self, path: Path) -> None:
        """Write JSON that only its owner can read.

        Args:
            path: A file that does not exist yet.
        """
        values = {
            "folder": str(self.folder),
            "studies": [study.to_dict() for study in self.studies],
            "open_first": self.open_first,
            "assess_first": self.assess_first,
            "device": self.device,
            "weights": None if self.weights is None else str(self.weights),
            "secret": self.secret,
            "base": self.base,
        }
        # The mode counts from the first byte on, unlike that of a chmod afterwards.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(values, stream)

    @classmethod
    def read(cls, path: Path) -> WorkerConfig:
        """Read what :meth:`write` wrote.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no such JSON.
            KeyError: A value is missing.
        """
        values = json.loads(path.read_text("utf-8"))
        weights = values["weights"]
        return cls(
            folder=Path(values["folder"]),
            studies=tuple(StudyPaths.from_dict(study) for study in values["studies"]),
            open_first=bool(values["open_first"]),
            assess_first=bool(values["assess_first"]),
            device=str(values["device"]),
            weights=None if weights is None else Path(weights),
            secret=str(values["secret"]),
            base=str(values["base"]),
        )
