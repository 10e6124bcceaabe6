"""The private folder of one run."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT_VARIABLE = "MSIQA_WORKSPACE"
"""Tells the child which folder to remove when its parent is gone."""

PREFIX = "msiqa-"


@dataclass(frozen=True)
class Workspace:
    """Inputs, results and log of one run, readable by their owner alone.

    Attributes:
        root: The folder.
    """

    root: Path

    @classmethod
    def create(cls, parent: Path | None = None) -> Workspace:
        """Make an empty one.

        Args:
            parent: Where to put it; None for the system's place for temporary files.
        """
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        workspace = cls(Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)))
        workspace.results.mkdir()
        return workspace

    @property
    def ct(self) -> Path:
        """The CT in HU."""
        return self.root / "CT.nrrd"

    @property
    def pet(self) -> Path:
        """The PET in SUVbw."""
        return self.root / "PET.nrrd"

    @property
    def results(self) -> Path:
        """What `msiqa assess` writes."""
        return self.root / "results"

    def remove_images(self) -> None:
        """Remove the copies of the images and keep the results."""
        self.ct.unlink(missing_ok=True)
        self.pet.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything. What the system holds on to stays; that is no error."""
        shutil.rmtree(self.root, ignore_errors=True)


def named_workspace() -> Workspace | None:
    """The folder that the parent named in the environment, if it is such a folder."""
    name = os.environ.get(ENVIRONMENT_VARIABLE)
    if not name:
        return None
    root = Path(name)
    return Workspace(root) if root.name.startswith(PREFIX) and root.is_dir() else None
