"""A small phantom and a network of known size for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from untrained import save_untrained_network

from MSIQALib.phantom import make_phantom

SLICES = 10


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """The whole network, untrained."""
    return save_untrained_network(tmp_path_factory.mktemp("weights") / "untrained.safetensors")


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> Path:
    """A folder with CT/ and PET/, 10 CT slices."""
    folder = tmp_path_factory.mktemp("phantom")
    make_phantom(folder, slices=SLICES)
    return folder
