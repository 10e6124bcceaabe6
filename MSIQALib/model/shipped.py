"""Where the shipped weights lie."""

from __future__ import annotations

import os
from pathlib import Path

from MSIQALib.errors import ModelFileError

ENVIRONMENT_VARIABLE = "MSIQA_MODEL"

SHIPPED = Path(__file__).resolve().parents[2] / "Resources" / "Models" / "msiqa-petct.safetensors"


def find_weights(asked: Path | None = None) -> Path:
    """The weights file to use.

    Args:
        asked: The file that the user named; else $MSIQA_MODEL, else the one that is shipped.

    Returns:
        A path to an existing file.

    Raises:
        ModelFileError: There is no such file.
    """
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    path = asked or (Path(from_environment) if from_environment else SHIPPED)
    if not path.is_file():
        raise ModelFileError(
            path,
            "there is no such weights file",
            "Name one with --model, or install this program with its Resources folder",
        )
    return path
