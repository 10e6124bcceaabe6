"""Both ways through the network that are timed give the same scores."""

from __future__ import annotations

import pytest
import torch

from MSIQALib.model.checkpoint import LoadedModel
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.preprocessing import Preprocessing
from MSIQALib.model.weights_info import WeightsInfo
from training.benchmarks.throughput import measure


@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_timed_gives_the_same_scores(stride: int) -> None:
    torch.manual_seed(0)
    config = ModelConfig(swin_stride=stride, pretrained=False)
    network = MSIQA(config).eval()
    size = 224 * stride
    network.set_input_size(size)
    info = WeightsInfo(config, preprocessing=Preprocessing(size=size))
    figures = measure(LoadedModel(network, info), images=2, rounds=1)
    assert figures.largest_difference < 1e-4
    assert figures.ratio > 0
