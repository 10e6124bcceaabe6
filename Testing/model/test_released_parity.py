"""The released network's own outputs are the measure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recipe_weights import recipe_state

from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.preprocessing import Preprocessing
from MSIQALib.model.released import network_from_released

RELATIVE = 1e-4
AGCA_CHANNELS = {"F1": 176, "F2": 352, "F3": 704, "F4": 1408}


@pytest.fixture(scope="module")
def reference(data_root: Path) -> Path:
    return data_root.parent / "reference"


@pytest.fixture(scope="module")
def released_state(reference: Path) -> dict[str, torch.Tensor]:
    layout = json.loads((reference / "released_checkpoint_layout.json").read_text())
    return recipe_state(layout)


@pytest.fixture(scope="module")
def golden(reference: Path) -> dict:
    return json.loads((reference / "released_golden.json").read_text())


@pytest.fixture(scope="module")
def prediction(released_state, golden, data_root):
    network = network_from_released(Path("golden.pt"), released_state)
    pictures = [
        np.array(Image.open(data_root / "pet-ct-iqa-ds" / "images" / name))
        for name in golden["images"]
    ]
    with torch.inference_mode():
        return network(Preprocessing()(pictures), features=True)


@pytest.mark.slow
def test_scores_are_the_released_ones(prediction, golden):
    np.testing.assert_allclose(prediction.score, golden["score_released"], rtol=RELATIVE)
    np.testing.assert_allclose(prediction.W, golden["weight_branch"], rtol=RELATIVE)


@pytest.mark.slow
def test_features_after_agca_are_the_released_ones(prediction, golden):
    blocks = dict(
        zip(
            AGCA_CHANNELS,
            torch.split(prediction.features["F_W"], list(AGCA_CHANNELS.values()), 1),
            strict=True,
        )
    )
    blocks["FS"] = prediction.features["F_S"]
    for name, block in blocks.items():
        expected = golden["after_agca"][name]
        assert list(block.shape) == expected["shape"]
        np.testing.assert_allclose(block.mean((1, 2, 3)), expected["mean"], rtol=RELATIVE)
        np.testing.assert_allclose(block.std((1, 2, 3)), expected["std"], rtol=RELATIVE)


@pytest.mark.slow
def test_paper_score_is_s_times_w(released_state, golden, data_root):
    released = network_from_released(Path("golden.pt"), released_state)
    paper = MSIQA(ModelConfig(score="paper", pretrained=False)).eval()
    paper.load_state_dict(released.state_dict())
    picture = np.array(Image.open(data_root / "pet-ct-iqa-ds" / "images" / golden["images"][0]))
    with torch.inference_mode():
        score = paper(Preprocessing()([picture])).score.item()
    expected = golden["score_released"][0] * golden["weight_branch"][0]
    assert score == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.slow
def test_every_released_key_is_known(released_state):
    """The layout is the authors' checkpoint's: 852 keys, one network, nothing missing."""
    assert len(released_state) == 852
    network_from_released(Path("golden.pt"), {f"module.{k}": v for k, v in released_state.items()})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda state: state.pop("AGCA_block3.A2"), "missing: AGCA_block3.A2"),
        (lambda state: state.update({"head.bias": torch.zeros(3)}), "extra: head.bias"),
        (
            lambda state: state.update({"conv4.weight": torch.zeros(2, 2)}),
            "misshapen: conv4.weight is 2x2 instead of 1408x2816x1x1",
        ),
        (
            lambda state: state.update({"resnet.conv1.weight": torch.zeros(64, 3, 7, 7)}),
            "resnet.resnet50.conv1.weight and resnet.conv1.weight",
        ),
    ],
)
def test_other_checkpoints_are_refused_by_name(released_state, spoil, named):
    from MSIQALib.errors import ModelFileError

    state = dict(released_state)
    spoil(state)
    with pytest.raises(ModelFileError, match=named.replace(".", r"\.")):
        network_from_released(Path("other.pt"), state)
