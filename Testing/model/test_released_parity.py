"""The released network's own outputs are the measure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recipe_weights import recipe_state
from released_layout import released_shapes

from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.preprocessing import Preprocessing
from MSIQALib.model.released import network_from_released

RELATIVE = 1e-4
AGCA_CHANNELS = {"F1": 176, "F2": 352, "F3": 704, "F4": 1408}


@pytest.fixture(scope="module")
def reference(data_root: Path) -> Path:
    folder = data_root.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"the golden outputs are not at {folder}")
    return folder


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


def test_the_checkpoints_layout_is_known(reference):
    """The keys and shapes that other tests are written against are the authors'."""
    layout = json.loads((reference / "released_checkpoint_layout.json").read_text())
    assert released_shapes() == {key: tuple(entry["shape"]) for key, entry in layout.items()}
