"""What all tests share: where the real data lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real PET/CT: $MSIQA_DATA, by default ../shared/data; skips without it."""
    root = Path(os.environ.get("MSIQA_DATA", ROOT.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"real data not found at {root} (set MSIQA_DATA)")
    return root


@pytest.fixture(autouse=True)
def _usual_arithmetic() -> Iterator[None]:
    """Put back how the smallest numbers are treated.

    Training flushes them to zero for its process; scipy's distributions need them, and other tests
    run in the same process.
    """
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
