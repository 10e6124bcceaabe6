"""Weights files: what they hold, what is refused, what 8 bits cost."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from MSIQALib.errors import ModelFileError
from MSIQALib.model.checkpoint import load_model, save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.quantization import dequantise, quantise
from MSIQALib.model.released import convert_released
from MSIQALib.model.weights_info import ScoreScale, WeightsInfo, read_info

SMALL = ModelConfig(stages=1, pretrained=False)
INFO = WeightsInfo(
    config=SMALL,
    scale=ScoreScale(offset=0.5, factor=3.0),
    provenance={"data": "none", "metrics": {"srocc": 0.5}},
)


@pytest.fixture(scope="module")
def network() -> MSIQA:
    torch.manual_seed(1)
    return MSIQA(SMALL).eval()


@pytest.fixture
def saved(network, tmp_path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_model(path, network, INFO)
    return path


def test_a_file_gives_back_network_and_description(network, saved):
    loaded = load_model(saved)
    for key, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[key], tensor), key
    assert not loaded.network.training
    assert loaded.info.config == SMALL
    assert loaded.info.scale == INFO.scale
    assert loaded.info.provenance == INFO.provenance
    assert len(loaded.info.sha256) == 64


def test_eight_bits_are_small_and_near(network, tmp_path):
    path = tmp_path / "small.safetensors"
    save_model(path, network, replace(INFO, quantised=True))
    plain = tmp_path / "plain.safetensors"
    save_model(plain, network, INFO)
    assert path.stat().st_size < 0.4 * plain.stat().st_size
    loaded = load_model(path).network.state_dict()
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            # Half a step of the channel's own scale; half a unit of float16's last place.
            largest = tensor.abs().max().item()
            backbone = key.startswith(("resnet.", "swin.", "fusion.attend"))
            bound = 1e-7
            if tensor.ndim > 1:
                bound += largest * (0.5001 / 127 if backbone else 2**-11)
            assert (loaded[key] - tensor).abs().max() <= bound, key


def test_each_channel_has_its_own_scale():
    weight = torch.stack([torch.linspace(-1, 1, 4096), 1000 * torch.linspace(-1, 1, 4096)])
    back = dequantise(quantise({"resnet.w": weight}))["resnet.w"]
    assert (back[0] - weight[0]).abs().max() < 1 / 127
    assert (back[1] - weight[1]).abs().max() < 1000 / 127


def _rewrite(path: Path, *, tensors=None, **metadata: str) -> None:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        old = dict(file.metadata())
    save_file(tensors or load_file(path), path, metadata=old | metadata)


def test_a_file_that_belies_its_configuration_is_refused(saved):
    config = json.dumps(replace(SMALL, stages=2).to_dict())
    _rewrite(saved, config=config)
    with pytest.raises(ModelFileError, match=r"missing: resnet\.layer2"):
        load_model(saved)


def test_missing_and_extra_tensors_are_named(saved):
    tensors = load_file(saved)
    tensors["surprise"] = torch.zeros(1)
    del tensors["regressor.score_branch.0.bias"]
    _rewrite(saved, tensors=tensors)
    with pytest.raises(ModelFileError, match="surprise") as refused:
        load_model(saved)
    assert "regressor.score_branch.0.bias" in str(refused.value)


def test_a_newer_format_is_refused(saved):
    _rewrite(saved, format_version="99")
    with pytest.raises(ModelFileError, match="99"):
        read_info(saved)


def test_weights_of_another_project_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ModelFileError, match="does not hold weights of MS-IQA"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x00" * 100])
def test_damaged_files_are_refused(tmp_path, content):
    for name, load in (("a.safetensors", load_model), ("a.pt", convert_released)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=name):
            load(path)


def test_missing_files_are_named(tmp_path):
    for load in (load_model, convert_released):
        with pytest.raises(ModelFileError, match="there is no such file"):
            load(tmp_path / "absent")


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("with_torch", [True, False])
def test_code_in_a_pickle_does_not_run(tmp_path, with_torch):
    marker = tmp_path / "ran"
    path = tmp_path / "bomb.pt"
    if with_torch:
        torch.save({"w": _Bomb(marker)}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb(marker)))
    with pytest.raises(ModelFileError, match=r"bomb\.pt"):
        convert_released(path)
    assert not marker.exists()


def test_another_networks_checkpoint_is_refused(tmp_path, network):
    path = tmp_path / "other.pt"
    torch.save(network.state_dict(), path)
    with pytest.raises(ModelFileError, match=r"missing: .*; extra: ") as refused:
        convert_released(path)
    assert "and" in str(refused.value)
    assert "more" in str(refused.value)
