"""Swin-T learns from groups of pictures, as the narrow ResNets do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from MSIQALib.model.checkpoint import save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import WeightsInfo
from training import swin_training
from training.config import NarrowPhase, TrainingConfig
from training.datasets.clean_slices import CleanSlice
from training.datasets.distorted import normalise
from training.evaluation import SCALES
from training.run_folder import RunFolder
from training.swin_training import SWIN_GROUPS, SwinLearner, swin_state, train_swin

QUICK = NarrowPhase(
    steps=1, source_size=64, groups=2, group_size=2, learning_rate=1e-3, warm_up=0.0, last_rate=1.0
)


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    hu, suv = rng.integers(-100, 200, (60, 60)), rng.uniform(0, 5, (60, 60))
    clean = CleanSlice("body", hu.astype(np.int16), suv.astype(np.float16))
    monkeypatch.setattr(swin_training, "read_slices", lambda *_: (clean,))


def weights(path: Path) -> MSIQA:
    torch.manual_seed(5)
    network = MSIQA(ModelConfig(pretrained=False)).eval()
    save_model(
        path, network, WeightsInfo(config=network.config, scale=SCALES["likert"], provenance={})
    )
    return network


def test_it_goes_on_from_the_weights_that_are_named(tmp_path: Path, content: None) -> None:
    start = weights(tmp_path / "start.safetensors").swin.state_dict()
    config = TrainingConfig(start=str(tmp_path / "start.safetensors"), swin_groups=(QUICK,))
    train_swin(config, RunFolder(tmp_path / "run"))
    taught = swin_state(RunFolder(tmp_path / "run"))
    assert taught.keys() == start.keys()
    moved = [(taught[key] - start[key]).abs().max().item() for key in start]
    assert all(change <= 2 * QUICK.learning_rate for change in moved)
    assert np.mean([change > 0 for change in moved]) > 0.9


def test_all_stages_learn_in_16_bits_too(tmp_path: Path, content: None) -> None:
    config = TrainingConfig(swin_groups=(replace(QUICK, mixed_precision="bf16"),))
    train_swin(config, RunFolder(tmp_path / "run"))
    torch.manual_seed(config.seed)
    began = SwinLearner().stages.state_dict()
    taught = swin_state(RunFolder(tmp_path / "run"))
    for stage in range(4):
        key = f"layers.{stage}.blocks.1.mlp.fc2.weight"
        assert not torch.equal(taught[key], began[key])
        assert taught[key].dtype == torch.float32


def test_what_was_taught_on_quarters_reads_whole_pictures(tmp_path: Path, content: None) -> None:
    """The size of the pictures leaves no trace in the weights."""
    train_swin(TrainingConfig(swin_groups=(QUICK,)), RunFolder(tmp_path / "run"))
    whole = SwinLearner().stages
    whole.load_state_dict(swin_state(RunFolder(tmp_path / "run")))
    picture = torch.randint(256, (1, 3, 224, 224), dtype=torch.uint8)
    sizes = [stage.shape[-1] for stage in whole.eval()(normalise(picture))]
    assert sizes == [56, 28, 14, 7]


def test_a_run_that_has_not_begun_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=SWIN_GROUPS):
        swin_state(RunFolder(tmp_path / "run"))
