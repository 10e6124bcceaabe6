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
        asked: The file that the user named, or the name of weights that are shipped
            ("msiqa-petct-448"); else $MSIQA_MODEL, else the usual shipped ones.

    Returns:
        A path to an existing file.

    Raises:
        ModelFileError: There is no such file.
    """
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    path = asked or (Path(from_environment) if from_environment else SHIPPED)
    if not path.is_file():
        own = SHIPPED.with_name(f"{path.name}{SHIPPED.suffix}")
        if path.name == str(path) and own.is_file():
            return own
        raise ModelFileError(
            path,
            "there is no such weights file",
            f"Name a file with --model, or weights of this program ({_names()}), or install it "
            "with its Resources folder",
        )
    return path


def _names() -> str:
    """Names of the weights that are shipped."""
    return ", ".join(sorted(p.stem for p in SHIPPED.parent.glob(f"*{SHIPPED.suffix}"))) or "none"
