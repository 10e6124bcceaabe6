"""The authors' checkpoint: what is taken over, what is refused; no real data needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from released_layout import released_shapes, released_state
from safetensors import safe_open
from typer.testing import CliRunner

from MSIQALib.cli.main import app
from MSIQALib.errors import ModelFileError
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.released import convert_released, network_from_released


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return released_state()


def test_the_layout_has_every_key_of_the_checkpoint():
    assert len(released_shapes()) == 852


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "module."])
def test_convert_takes_every_tensor_over(state, tmp_path, prefix):
    source, target = tmp_path / "MSIQA.pt", tmp_path / "released.safetensors"
    torch.save({prefix + key: tensor for key, tensor in state.items()}, source)
    outcome = CliRunner().invoke(app, ["convert", str(source), str(target)])
    assert outcome.exit_code == 0, outcome.output
    loaded = load_model(target)
    assert loaded.info.config.score == "released"
    assert loaded.info.provenance["source_file"] == "MSIQA.pt"
    network = loaded.network.state_dict()
    for ours, theirs in {
        "resnet.layer3.5.conv2.weight": "resnet.layer3.5.conv2.weight",
        "swin.layers.3.blocks.0.norm1.bias": "swin_transformer.model.layers.3.blocks.0.norm1.bias",
        "fusion.reduce.0.weight": "conv1.0.weight",
        "fusion.reduce.3.bias": "conv4.bias",
        "fusion.attend.1.adjacency": "AGCA_block2.A2",
        "fusion.attend.2.to_vertices.weight": "AGCA_block3.conv1.weight",
        "fusion.attend_last.to_channels.weight": "AGCA_block5.conv4.weight",
        "regressor.score_branch.3.weight": "fc_score.3.weight",
        "regressor.weight_branch.0.bias": "fc_weight.0.bias",
    }.items():
        assert torch.equal(network[ours], state[theirs]), ours
    assert network["fusion.attend.0.self_scale"].item() == state["AGCA_block1.conv2.weight"].item()
    assert network["fusion.attend.0.graph_scale"].item() == state["AGCA_block1.conv3.weight"].item()
    with safe_open(target, "pt") as file:
        assert "config" in file.metadata()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        ({"AGCA_block3.A2": None}, "missing: AGCA_block3.A2"),
        ({"head.bias": torch.zeros(3)}, "extra: head.bias"),
        ({"conv4.weight": torch.zeros(2, 2)}, "conv4.weight is 2x2 instead of 1408x2816x1x1"),
        ({"resnet.conv1.weight": torch.zeros(64, 3, 7, 7)}, "should be one tensor"),
    ],
)
def test_other_checkpoints_are_refused_by_name(state, spoil, named):
    changed = {key: value for key, value in (state | spoil).items() if value is not None}
    with pytest.raises(ModelFileError) as refused:
        network_from_released(Path("other.pt"), changed)
    assert named in str(refused.value)
    assert "other.pt" in str(refused.value)


def test_a_checkpoint_that_wraps_its_state_is_refused(tmp_path, state):
    path = tmp_path / "wrapped.pt"
    torch.save({"epoch": 3, "w": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="plain state dict"):
        convert_released(path)
