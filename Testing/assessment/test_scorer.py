"""The network as the assessor sees it gives what the plain network gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from MSIQALib.assessment.device import Device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.model.checkpoint import LoadedModel
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.inference import made_faster
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import ScoreScale, WeightsInfo

CPU = Device("cpu", "for the test", batch_size=2)
SCALE = ScoreScale(offset=0.25, factor=2.0)


@pytest.fixture(scope="module")
def network() -> MSIQA:
    """Two stages, with statistics as a trained network has them, and scores inside 0..4."""
    torch.manual_seed(0)
    network = MSIQA(ModelConfig(stages=2, pretrained=False)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    torch.nn.init.constant_(network.regressor.score_branch[-1].bias, 1.0)
    return network


@pytest.fixture(scope="module")
def scorer(network) -> NetworkScorer:
    info = WeightsInfo(network.config, scale=SCALE)
    return NetworkScorer(LoadedModel(network, info), CPU)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (224, 224, 3), np.uint8) // (k + 1) for k in range(3)]


@pytest.fixture(scope="module")
def plain(network, scorer, pictures):
    with torch.inference_mode():
        return network(scorer.info.preprocessing(pictures), features=True)


def test_scores_are_the_networks_in_likert_units(scorer, pictures, plain):
    rows = scorer.score(scorer.prepare(pictures))
    for row, raw, S, W in zip(rows, plain.score, plain.S, plain.W, strict=True):
        assert row.score == pytest.approx(0.25 + 2 * raw.item(), rel=1e-4)
        assert row.S == pytest.approx(0.25 + 2 * S.item(), rel=1e-4)
        assert row.W == pytest.approx(W.item(), rel=1e-4)
        assert row.heatmaps == {}


def test_heatmaps_are_the_channel_mean_of_the_absolute_activation(scorer, pictures, plain):
    rows = scorer.score(scorer.prepare(pictures), heatmaps=True)
    assert tuple(rows[0].heatmaps) == ("F1", "F2", "F_W", "F_S")
    for number, row in enumerate(rows):
        for name, heatmap in row.heatmaps.items():
            expected = plain.features[name][number].abs().mean(0).numpy()
            np.testing.assert_allclose(heatmap, expected, rtol=1e-3, atol=1e-5)


def test_a_picture_scores_the_same_in_any_batch(scorer, pictures):
    together = scorer.score(scorer.prepare(pictures))
    alone = [scorer.score(scorer.prepare([picture]))[0] for picture in pictures]
    assert [row.score for row in together] == pytest.approx([row.score for row in alone], rel=1e-5)


def test_scores_stay_on_the_scale(network, pictures):
    for factor, end in ((1000.0, 4.0), (-1000.0, 0.0)):
        info = WeightsInfo(network.config, scale=ScoreScale(0.0, factor))
        scorer = NetworkScorer(LoadedModel(network, info), CPU)
        assert {row.score for row in scorer.score(scorer.prepare(pictures))} == {end}


def test_folding_leaves_no_batch_norm_and_the_given_network_alone(network, scorer):
    import copy

    folded = made_faster(copy.deepcopy(network), in_groups=True)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


def test_a_network_without_resnet_scores_too(pictures):
    network = MSIQA(replace(ModelConfig(stages=1, pretrained=False), resnet=False)).eval()
    scorer = NetworkScorer(LoadedModel(network, WeightsInfo(network.config)), CPU)
    assert len(scorer.score(scorer.prepare(pictures[:1]), heatmaps=True)) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_autocast_on_cuda_stays_near_float32(network, pictures):
    from MSIQALib.assessment.device import choose_device

    info = WeightsInfo(network.config, scale=SCALE)
    model = LoadedModel(network, info)
    exact = NetworkScorer(model, CPU)
    fast = NetworkScorer(model, choose_device("cuda"))
    assert fast.device.autocast
    for a, b in zip(
        exact.score(exact.prepare(pictures)), fast.score(fast.prepare(pictures)), strict=True
    ):
        assert a.score == pytest.approx(b.score, abs=0.02)
