"""What a weights file says of itself, readable without PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from MSIQALib.errors import ModelFileError
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.preprocessing import Preprocessing

FORMAT = "msiqa"
FORMAT_VERSION = 1
REMEDY = "Give a weights file written by this program (`msiqa convert` makes one of MSIQA.pt)"


@dataclass(frozen=True)
class ScoreScale:
    """How the network's output maps to the Likert scale: ``offset + factor * output``.

    The released network's targets were 0..4 scaled to 0..1, which is ``factor`` 4.
    """

    offset: float = 0.0
    factor: float = 4.0


@dataclass(frozen=True)
class WeightsInfo:
    """Everything but the tensors.

    Attributes:
        config: Which network the weights belong to.
        preprocessing: What the network expects as input.
        scale: How its output maps to 0..4.
        provenance: Data, commit, seed, metrics and whatever else tells where the weights came
            from; plain JSON values.
        quantised: True where the file holds 8-bit weights.
        name: The file's name.
        sha256: Digest of the whole file; empty for weights that are not a file yet.
    """

    config: ModelConfig
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    scale: ScoreScale = field(default_factory=ScoreScale)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    quantised: bool = False
    name: str = ""
    sha256: str = ""

    def to_metadata(self) -> dict[str, str]:
        """The safetensors metadata: text by name, nested values as JSON."""
        return {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "config": json.dumps(self.config.to_dict()),
            "preprocessing": json.dumps(self.preprocessing.to_dict()),
            "score_scale": json.dumps(asdict(self.scale)),
            "provenance": json.dumps(dict(self.provenance)),
            "quantised": json.dumps(self.quantised),
        }


def read_info(path: Path) -> WeightsInfo:
    """Read a weights file's description.

    Args:
        path: A safetensors file of this project.

    Returns:
        The description, with the file's digest.

    Raises:
        ModelFileError: There is no such file, it is no safetensors file or a damaged one, it is
            not this project's, or a newer version wrote it.
    """
    try:
        with safe_open(path, framework="numpy") as weights:
            metadata = weights.metadata() or {}
    except FileNotFoundError as error:
        raise ModelFileError(path, "there is no such file", "Check the path") from error
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            path, "it is not a safetensors file, or it is damaged", REMEDY
        ) from error
    if metadata.get("format") != FORMAT:
        raise ModelFileError(path, "it does not hold weights of MS-IQA", REMEDY)
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        raise ModelFileError(
            path,
            f"its format version is {version or 'missing'}, this program reads {FORMAT_VERSION}",
            "Update this program, or give a file that fits it",
        )
    try:
        return WeightsInfo(
            config=ModelConfig.from_dict(json.loads(metadata["config"])),
            preprocessing=Preprocessing.from_dict(json.loads(metadata["preprocessing"])),
            scale=ScoreScale(**json.loads(metadata["score_scale"])),
            provenance=json.loads(metadata["provenance"]),
            quantised=json.loads(metadata["quantised"]),
            name=path.name,
            sha256=file_digest(path),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(path, f"its description cannot be read ({error})", REMEDY) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
