"""The whole way from random weights on a small study: narrow networks, features, folds, weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from small_study import small_study

from MSIQALib.errors import InputError
from MSIQALib.model.checkpoint import load_model, save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import WeightsInfo
from training.branch_features import load_features
from training.config import TrainingConfig, read_config
from training.crossvalidate import crossvalidate_stored
from training.datasets.distorted import normalise, shrink, to_tensor
from training.datasets.labelled import (
    LabelledImage,
    data_root,
    read_labelled,
    write_labelled,
)
from training.distortions import COMBINATIONS, distort_to_jpeg
from training.narrow_training import train_part
from training.run_folder import RunFolder
from training.train import train

CONFIG = """
name: scratch
seed: 1
pretrained: false
data: {labelled: set, volumes: volumes, cache: cache, phantoms: 0}
narrow:
  stem: 8
  widths: [4, 4, 4, 4]
  trunk: [{steps: 2, source_size: 64, groups: 2, group_size: 2}]
  parts: [{steps: 2, source_size: 64, groups: 2, group_size: 2}]
swin_groups: [{steps: 2, source_size: 64, groups: 2, group_size: 2}]
fusion:
  statistics: 16
  pictures: 16
  labelled_views: 1
  fusion_epochs: 1
  regressor_steps: 4
  ladders: 1
"""

LONGER = """
name: longer
start: WEIGHTS
data: {labelled: set, volumes: volumes, cache: cache, phantoms: 0}
narrow:
  stem: 8
  widths: [4, 4, 4, 4]
  parts: [{steps: 1, source_size: 64, groups: 2, group_size: 2, readers_only: true}]
fusion:
  statistics: 16
  pictures: 16
  labelled_views: 1
  fusion_epochs: 1
  regressor_steps: 4
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one study, and one slice of two patients distorted in all ways."""
    root = tmp_path_factory.mktemp("data")
    study = root / "volumes" / "P1"
    study.mkdir(parents=True)
    for name, volume in zip(("CT", "PET"), small_study(), strict=True):
        image = sitk.GetImageFromArray(volume.array)
        image.SetSpacing(volume.geometry.spacing)
        image.SetOrigin(volume.geometry.origin)
        sitk.WriteImage(image, str(study / f"{name}.nii.gz"))
    folder = root / "set"
    (folder / "images").mkdir(parents=True)
    rng, images = np.random.default_rng(0), []
    for patient in "AB":
        clean = np.zeros((512, 512, 3), np.uint8)
        clean[150:400, 120:420] = rng.integers(60, 180, (1, 300, 3))
        for number, done in enumerate(COMBINATIONS):
            path = folder / "images" / f"{patient}{number}.jpg"
            path.write_bytes(distort_to_jpeg(clean, done, rng))
            images.append(LabelledImage(path, patient, "1", done, round(rng.uniform(0, 4), 1)))
    write_labelled(folder / "labels.csv", images)
    return root


@pytest.mark.slow
def test_one_command_goes_from_random_weights_to_scores(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSIQA_DATA", str(root))
    path = tmp_path / "scratch.yaml"
    path.write_text(CONFIG)
    config, runs = read_config(path), tmp_path / "runs"
    weights = train(config, path, runs)

    folder = RunFolder(runs / "scratch")
    made = {p.stem for p in folder.path.glob("*.ckpt")}
    assert {"trunk", "A", "B", "swin-groups", "resnet-features", "swin-features", "fusion"} <= made
    network = load_model(weights).network
    resnet = network.resnet.state_dict()
    taught = [folder.load(part)["learner"] for part in "AB"]
    for key in ("layer2.0.conv2.weight", "layer4.2.conv3.weight"):
        rows, columns = taught[0][f"stages.{key}"].shape[:2]
        blocks = (resnet[key][:rows, :columns], resnet[key][rows : 2 * rows, columns : 2 * columns])
        for block, part in zip(blocks, taught, strict=True):
            own = part[f"stages.{key}"]
            assert torch.allclose(block, own, atol=own.abs().max().item() / 100)
        assert resnet[key][rows : 2 * rows, :columns].abs().max() == 0

    key = "layers.2.blocks.0.attn.qkv.weight"
    own = folder.load("swin-groups")["learner"][f"stages.{key}"]
    assert torch.allclose(network.swin.state_dict()[key], own, atol=own.abs().max().item() / 100)

    rows = crossvalidate_stored(config, folder)
    assert {"A", "B", "pooled"} == set(rows)
    assert rows["pooled"]["n"] == 54
    assert folder.checkpoint("fusion-without-A").is_file()
    metrics = json.loads((folder.path / "metrics.json").read_text())
    assert metrics["trained_on"]["pooled"]["n"] == 54

    # Heads alone learn, or nothing does, on a finer grid that Swin sees half of: parts and Swin
    # must come out as they are in the file.
    heads = LONGER.replace("WEIGHTS", str(weights))
    nothing = "\n".join(
        "  start_share: 1.0" if "parts:" in line else line
        for line in heads.replace("longer", "kept")
        .replace("statistics: 16", "statistics: 0\n  ladders: 1\n  reader_first: true")
        .replace("narrow:", "input_size: 256\nnetwork: {swin_stride: 2}\nnarrow:")
        .splitlines()
    )
    for name, text in {"longer": heads, "kept": nothing}.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        config = read_config(path)
        model = load_model(train(config, path, runs))
        again = model.network
        came_out_as_they_were(again, network)
        assert not torch.equal(
            again.fusion.state_dict()["reduce.0.weight"],
            network.fusion.state_dict()["reduce.0.weight"],
        )
    assert not (runs / "kept" / "A.ckpt").exists()
    assert model.info.preprocessing.size == 256
    assert model.info.config.swin_stride == 2
    what_was_stored_is_what_the_network_sees(config, RunFolder(runs / "kept"), again)
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        for given, wanted in zip(
            again.eval().resnet(image), network.eval().resnet(image), strict=True
        ):
            torch.testing.assert_close(
                given, wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max())
            )
    rows = crossvalidate_stored(config, RunFolder(runs / "kept"))
    assert rows["pooled"]["n"] == 54


def came_out_as_they_were(again: MSIQA, before: MSIQA) -> None:
    """Compare backbones but for the statistics, which are measured anew."""
    state = again.resnet.state_dict()
    for name, tensor in before.resnet.state_dict().items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert torch.allclose(state[name], tensor, atol=tensor.abs().max().item() / 100), name
    for name, tensor in before.swin.state_dict().items():
        assert torch.allclose(again.swin.state_dict()[name], tensor, atol=1e-2), name


def what_was_stored_is_what_the_network_sees(
    config: TrainingConfig, folder: RunFolder, network: MSIQA
) -> None:
    """Compare the stored features with those of the pictures, at the run's input size."""
    images = read_labelled(data_root() / "set")[::13]
    stored = load_features(config, folder)
    assert stored.ladders is not None

    def off(size: int) -> list[float]:
        network.set_input_size(size)
        pictures = torch.stack([to_tensor(shrink(i.read(), size)) for i in images])
        with torch.inference_mode():
            seen = [branch(normalise(pictures)) for branch in (network.resnet, network.swin)]
        differences = []
        for stage, *both in zip(stored.labelled.stages, *seen, strict=True):
            pooled = torch.cat([F.adaptive_avg_pool2d(branch, 7) for branch in both], 1)
            wanted = stage[::13].float()
            differences.append(float((pooled - wanted).abs().max() / wanted.abs().max()))
        return differences

    assert max(off(192)) > 0.05
    assert max(off(config.input_size)) < 5e-3


def refused(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "longer.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        train(read_config(path), path, tmp_path / "runs")


def test_parts_need_something_to_begin_as(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSIQA_DATA", str(root))
    without = "\n".join(line for line in CONFIG.splitlines() if "trunk:" not in line)
    refused(tmp_path, without, "nothing for the parts to begin as")
    refused(tmp_path, LONGER, "training cannot go on from WEIGHTS")


def test_weights_without_such_parts_are_refused(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSIQA_DATA", str(root))
    network = MSIQA(ModelConfig(pretrained=False))
    path = tmp_path / "whole.safetensors"
    save_model(path, network, WeightsInfo(network.config))
    config = tmp_path / "longer.yaml"
    config.write_text(LONGER.replace("WEIGHTS", str(path)))
    with pytest.raises(InputError, match="channels that are not its own"):
        train_part(read_config(config), RunFolder(tmp_path / "run"), "A")


def test_narrow_networks_leave_nobody_out(tmp_path: Path, root: Path, monkeypatch) -> None:
    monkeypatch.setenv("MSIQA_DATA", str(root))
    path = tmp_path / "scratch.yaml"
    path.write_text(CONFIG.replace("phantoms: 0", "phantoms: 0, held_out: [A]"))
    with pytest.raises(InputError, match="see pictures of every patient but one"):
        train(read_config(path), path, tmp_path)
