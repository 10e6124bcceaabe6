"""A small phantom and a network of known size for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from MSIQALib.model.checkpoint import save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import WeightsInfo
from MSIQALib.phantom import make_phantom

SLICES = 10


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """The whole network, untrained, its scores inside the scale."""
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    torch.manual_seed(3)
    network = MSIQA(ModelConfig(pretrained=False)).eval()
    with torch.no_grad():
        network.regressor.score_branch[-1].bias.fill_(1.0)
    save_model(path, network, WeightsInfo(network.config, provenance={"data": "none"}))
    return path


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> Path:
    """A folder with CT/ and PET/, 10 CT slices."""
    folder = tmp_path_factory.mktemp("phantom")
    make_phantom(folder, slices=SLICES)
    return folder
