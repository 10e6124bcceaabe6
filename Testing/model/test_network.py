"""The network's parts against the paper's equations, and its variants."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from MSIQALib.model.agca import AGCA
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.regressor import ScoreRegressor

FRESH = ModelConfig(pretrained=False)


def test_agca_is_the_papers_matrix_product():
    """Eq. 4 to 6 with the matrices written out, as the paper has them."""
    torch.manual_seed(0)
    agca = AGCA(32, "softmax")
    torch.nn.init.normal_(agca.adjacency)
    x = torch.randn(2, 32, 5, 5)
    for one in range(2):
        f_in = x[one].mean((1, 2))
        v = agca.to_vertices.weight.flatten(1) @ f_in
        f = torch.softmax(agca.self_scale * v, 0)
        count = len(v)
        A0, A1 = torch.eye(count), f[None].repeat(count, 1)
        A = A0 * A1 + agca.adjacency
        weights = torch.sigmoid(
            agca.to_channels.weight.flatten(1) @ torch.relu(agca.graph_scale * (v @ A))
        )
        expected = x[one] * weights[:, None, None]
        torch.testing.assert_close(agca(x)[one], expected)


def test_agca_activations_differ():
    torch.manual_seed(0)
    agca = AGCA(32, "softmax")
    x = torch.randn(1, 32, 5, 5)
    with_softmax = agca(x)
    agca.activation = "sigmoid"
    assert not torch.allclose(with_softmax, agca(x))


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_regressor_pools_f_s_as_asked(pooling):
    config = replace(FRESH, fs_pooling=pooling)
    regressor = ScoreRegressor(config, fw_channels=2640, fs_channels=768).eval()
    fw, fs = torch.randn(3, 2640, 7, 7), torch.randn(3, 768, 7, 7)
    score, S, W = regressor(fw, fs)
    pooled = fs.mean((2, 3)) if pooling == "average" else fs.amax((2, 3))
    expected = torch.nn.functional.leaky_relu(regressor.score_branch(pooled)).squeeze(1)
    torch.testing.assert_close(S, expected)
    torch.testing.assert_close(score, S * W)
    assert ((W > 0) & (W < 1)).all()


def test_f_w_is_max_pooled_twice():
    """2640 channels become 768 by an adaptive max pool over neighbours."""
    regressor = ScoreRegressor(FRESH, fw_channels=2640, fs_channels=768).eval()
    fw, fs = torch.zeros(1, 2640, 7, 7), torch.zeros(1, 768, 7, 7)
    _, _, before = regressor(fw, fs)
    fw[0, 3, 2, 5] = 4.0  # the last of the channels that fall into cell 0 (ceil(2640/768) = 4)
    vector = torch.zeros(1, 768)
    vector[0, :2] = 4.0  # channel 3 lies in cells 0 (0..3) and 1 (3..6)
    expected = regressor.weight_branch(vector).sigmoid().squeeze(1)
    _, _, after = regressor(fw, fs)
    torch.testing.assert_close(after, expected)
    assert not torch.allclose(after, before)


@pytest.mark.slow
def test_feature_maps_have_the_papers_shapes():
    network = MSIQA(FRESH).eval()
    with torch.inference_mode():
        prediction = network(torch.randn(2, 3, 224, 224), features=True)
    shapes = {name: tuple(value.shape[1:]) for name, value in prediction.features.items()}
    assert shapes == {
        "F1": (352, 56, 56),
        "F2": (704, 28, 28),
        "F3": (1408, 14, 14),
        "F4": (2816, 7, 7),
        "F_W": (2640, 7, 7),
        "F_S": (768, 7, 7),
    }
    # The released network has 60,749,134; ResNet's classifier and Swin's norm take no part.
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted == 60_749_134 - (2048 * 1000 + 1000) - 2 * 768


VARIANTS = {
    "without RM": {"resnet": False},
    "without STM": {"swin": False},
    "without MSFFM": {"fusion": False},
    "without SRM": {"regressor": False},
    "stage 1": {"stages": 1},
    "stages 1-2": {"stages": 2},
    "stages 1-3": {"stages": 3},
    "sigmoid, max": {"agca_activation": "sigmoid", "fs_pooling": "max"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_ablation_trains_and_scores(name):
    config = replace(FRESH, **VARIANTS[name])
    network = MSIQA(config)
    prediction = network(torch.randn(2, 3, 224, 224), features=True)
    assert prediction.score.shape == (2,)
    assert tuple(prediction.features) == config.feature_names
    prediction.score.sum().backward()
    unused = [n for n, p in network.named_parameters() if p.grad is None]
    assert unused == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": "mean"},
        {"agca_activation": "relu"},
        {"fs_pooling": "median"},
        {"stages": 5},
        {"stages": 0},
        {"resnet": False, "swin": False},
        {"dropout": 1.0},
    ],
)
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ModelConfig(**wrong)


def test_unknown_option_is_named():
    with pytest.raises(ValueError, match="backbone"):
        ModelConfig.from_dict({"backbone": "vgg"})
