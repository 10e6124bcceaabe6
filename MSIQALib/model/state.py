"""Compare a set of tensors with what a network expects, and name every difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MSIQALib.errors import ModelFileError

if TYPE_CHECKING:
    import torch

NAMED_AT_MOST = 6
"""How many keys of each kind an error lists before it says how many more there are."""


def check_state(
    source: Path,
    found: Mapping[str, torch.Tensor],
    expected: Mapping[str, Sequence[int]],
    *,
    remedy: str,
) -> None:
    """Refuse tensors that are missing, extra or of another shape.

    Args:
        source: The file they come from.
        found: Tensors by key.
        expected: Shapes by key.
        remedy: What the error tells the user to do.

    Raises:
        ModelFileError: Naming the keys at fault.
    """
    missing = [key for key in expected if key not in found]
    extra = [key for key in found if key not in expected]
    misshapen = [
        f"{key} is {_shape(found[key].shape)} instead of {_shape(shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key].shape) != tuple(shape)
    ]
    faults = [
        f"{label}: {_listing(keys)}"
        for label, keys in (("missing", missing), ("extra", extra), ("misshapen", misshapen))
        if keys
    ]
    if faults:
        raise ModelFileError(
            source, f"its tensors are not those of this network; {'; '.join(faults)}", remedy
        )


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _listing(keys: list[str]) -> str:
    listed = ", ".join(keys[:NAMED_AT_MOST])
    rest = len(keys) - NAMED_AT_MOST
    return f"{listed} and {rest} more" if rest > 0 else listed
