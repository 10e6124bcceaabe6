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


@pytest.mark.parametrize(
    ("size", "swin"), [(224, {}), (448, {"swin_stride": 2}), (512, {"swin_size": 224})]
)
def test_what_is_timed_gives_the_same_scores(size: int, swin: dict[str, int]) -> None:
    torch.manual_seed(0)
    config = ModelConfig.from_dict({**swin, "pretrained": False})
    network = MSIQA(config).eval()
    network.set_input_size(size)
    with torch.no_grad():  # so that W says something of f_w
        network.regressor.weight_branch[-1].weight *= 50
    info = WeightsInfo(config, preprocessing=Preprocessing(size=size))
    figures = measure(LoadedModel(network, info), images=2, rounds=1)
    assert figures.largest_difference < 1e-4
    assert figures.ratio > 0
