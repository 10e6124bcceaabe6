"""Rounding the weights that are shipped."""

from __future__ import annotations

import copy

import pytest
import torch

from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.quantization import dequantise, quantise
from training.ship import rounded_for_shipping


@pytest.mark.parametrize(
    "config",
    [ModelConfig(pretrained=False), ModelConfig(pretrained=False, swin_size=64)],
    ids=["one grid", "two grids"],
)
def test_rounding_shifts_the_mean_of_no_fused_channel(config: ModelConfig) -> None:
    """Of what the convolutions read, which is pooled from grids that are no multiple of seven."""
    torch.manual_seed(1)
    network = MSIQA(config).eval()
    network.set_input_size(96)
    pictures = torch.rand(9, 3, 96, 96) * 2 - 1
    read: list[list[torch.Tensor]] = [[] for _ in network.fusion.reduce]
    hooks = [
        reduce.register_forward_pre_hook(lambda _, given, kept=kept: kept.append(given[0]))
        for reduce, kept in zip(network.fusion.reduce, read, strict=True)
    ]
    with torch.inference_mode():
        network(pictures)
        for hook in hooks:
            hook.remove()
        before = copy.deepcopy(network.state_dict())
        rounded = rounded_for_shipping(network, pictures)
        plain = copy.deepcopy(network)
        plain.load_state_dict(dequantise(quantise(network.state_dict())))
        for index, (kept,) in enumerate(read):
            mean = network.fusion.reduce[index](kept).mean((0, 2, 3))
            off, uncorrected = (
                (net.fusion.reduce[index](kept).mean((0, 2, 3)) - mean).abs().max()
                for net in (rounded, plain)
            )
            assert off < 0.003 * uncorrected
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    # The file stores it without a further loss.
    for key, value in dequantise(quantise(rounded.state_dict())).items():
        torch.testing.assert_close(value, rounded.state_dict()[key], atol=0, rtol=1e-3)
