"""A small process that removes the front's folder when the front could not.

    python -m MSIQALib.viewer.sweeper FOLDER

Uploads are patients' data. They must go even where the front is killed in a way that lets it do
nothing more: this process notices, since its standard input ends.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

PREFIX = "msiqa-viewer-"
"""How the folder's name begins; nothing else is ever removed."""

_SECONDS = 60.0
_PAUSE = 0.25


def start_sweeper(folder: Path) -> subprocess.Popen[bytes]:
    """Start the process; closing its standard input makes it look, and end.

    Args:
        folder: The front's folder, whose name begins with :data:`PREFIX`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "MSIQALib.viewer.sweeper", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main(folder: Path) -> None:
    """Wait for the front's end, and remove what is left."""
    sys.stdin.buffer.read()
    if not folder.name.startswith(PREFIX):
        return
    # Workers end with the front, too, and may write until they do.
    end = time.monotonic() + _SECONDS
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
