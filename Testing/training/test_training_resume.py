"""Interrupted runs end with the weights of uninterrupted ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import pretrain as pretraining
from training import train as training
from training.config import LevelsPhase, TrainingConfig, WholeConfig
from training.datasets.clean_slices import CleanSlice
from training.features import refresh_statistics
from training.levels import StageHeads
from training.losses import QualityLoss
from training.pretrain import Branch, pretrain
from training.run_folder import RunFolder
from training.schedule import one_cycle
from training.whole import freeze_statistics, train_whole
from training.widening import SHARED


@dataclass
class Scored:
    score: Tensor


class TinyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.rest = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1))

    def forward(self, image: Tensor) -> Scored:
        return Scored(self.rest(self.resnet(image).relu().mean((2, 3))).squeeze(1))


def tiny_network() -> TinyNetwork:
    torch.manual_seed(0)
    return TinyNetwork()


def draw(index: int) -> tuple[Tensor, float]:
    rng = np.random.default_rng(index)
    return torch.from_numpy(rng.integers(0, 256, (3, 16, 16), np.uint8)), float(rng.uniform(0, 4))


def whole_config(**changes) -> TrainingConfig:
    return TrainingConfig(whole=WholeConfig(steps=9, batch=4, learning_rate=0.01, **changes))


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path, optimiser: str) -> None:
    config = whole_config(optimiser=optimiser)
    loss = QualityLoss()
    straight = tiny_network()
    assert train_whole(straight, draw, config, loss, RunFolder(tmp_path / "a"))

    folder = RunFolder(tmp_path / "b")
    first = tiny_network()
    assert not train_whole(first, draw, config, loss, folder, stop=lambda done: done == 4)
    resumed = tiny_network()
    torch.manual_seed(99)
    assert train_whole(resumed, draw, config, loss, folder)
    assert same_weights(straight, resumed)
    assert not same_weights(straight, first)


def test_backbone_factor_zero_keeps_the_backbone(tmp_path: Path) -> None:
    network, fresh = tiny_network(), tiny_network()
    config = whole_config(backbone_factor=0.0, frozen_statistics=True, optimiser="adam")
    train_whole(network, draw, config, QualityLoss(), RunFolder(tmp_path))
    assert same_weights(network.resnet, fresh.resnet)
    assert not same_weights(network.rest, fresh.rest)


def test_finished_run_leaves_evaluation_mode_and_a_log(tmp_path: Path) -> None:
    network = tiny_network()
    train_whole(network, draw, whole_config(), QualityLoss(), RunFolder(tmp_path))
    assert not network.training
    assert (tmp_path / "whole.csv").read_text().startswith("step,seconds,loss")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".part")] == []


class TinyStages(nn.Module):
    """Stands in for ResNetStages: same names, two channels."""

    stage_names = ("layer1", "layer2")

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.act1, self.maxpool = nn.ReLU(), nn.MaxPool2d(2)
        self.layer1, self.layer2 = nn.Conv2d(4, 6, 1), nn.Conv2d(6, 8, 3, 2, 1)


class TinyBranch(Branch):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.name, self.stages, self.heads = "resnet", TinyStages(), StageHeads((6, 8))


class DroppingBranch(TinyBranch):
    """Draws in each step, as Swin-T does, which leaves out some of its paths."""

    def __init__(self) -> None:
        super().__init__()
        self.stages.act1 = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))


@pytest.fixture(scope="module")
def slices() -> tuple[CleanSlice, ...]:
    rng = np.random.default_rng(0)
    ct = rng.normal(40, 30, (2, 60, 60)).astype(np.int16)
    return tuple(CleanSlice("P", c, np.full(c.shape, 2, np.float16)) for c in ct)


def run_phases(
    folder: Path, slices, stop_after: int | None = None, kind: type[TinyBranch] = TinyBranch
) -> TinyBranch:
    phases = (
        LevelsPhase(depth=1, steps=3, source_size=64, batch=2),
        LevelsPhase(depth=2, steps=3, source_size=64, batch=2, earlier_factor=0.5),
    )
    branch, steps = kind(), iter(range(100))

    def stop() -> bool:
        return stop_after is not None and next(steps) + 1 == stop_after

    done = pretrain(
        branch, phases, slices, RunFolder(folder), seed=1, checkpoint_minutes=99, stop=stop
    )
    assert done is (stop_after is None)
    return branch


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_interrupted_pretraining_ends_with_the_same_weights(
    tmp_path: Path, slices, stop_after: int
) -> None:
    straight = run_phases(tmp_path / "a", slices)
    run_phases(tmp_path / "b", slices, stop_after)
    assert same_weights(straight, run_phases(tmp_path / "b", slices))


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_interrupted_pretraining_draws_what_it_would_have_drawn(
    tmp_path: Path, slices, stop_after: int
) -> None:
    straight = run_phases(tmp_path / "a", slices, kind=DroppingBranch)
    run_phases(tmp_path / "b", slices, stop_after, DroppingBranch)
    assert same_weights(straight, run_phases(tmp_path / "b", slices, kind=DroppingBranch))


def test_a_killed_pretraining_logs_each_step_once(
    tmp_path: Path, slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "LOG_EVERY", 1)
    steps = iter(range(1, 100))

    def killed() -> bool:
        if next(steps) == 5:
            raise KeyboardInterrupt
        return False

    phases = (LevelsPhase(depth=1, steps=3, source_size=64, batch=2),) * 2
    folder = RunFolder(tmp_path)
    more = {"seed": 1, "checkpoint_minutes": 99}
    with pytest.raises(KeyboardInterrupt):
        pretrain(TinyBranch(), phases, slices, folder, stop=killed, **more)
    assert pretrain(TinyBranch(), phases, slices, folder, **more)
    rows = [line.split(",")[:2] for line in (tmp_path / "resnet.csv").read_text().splitlines()]
    assert rows[1:] == [[str(p), str(s)] for p in (0, 1) for s in (1, 2, 3)]


def test_stages_beyond_the_depth_stay_as_they_are(tmp_path: Path, slices) -> None:
    branch, fresh = run_phases(tmp_path, slices, stop_after=3), TinyBranch()
    assert torch.equal(branch.stages.layer2.weight, fresh.stages.layer2.weight)
    assert not torch.equal(branch.stages.layer1.weight, fresh.stages.layer1.weight)


def test_statistics_are_plain_averages_over_the_pictures() -> None:
    norm = nn.BatchNorm2d(3)
    refresh_statistics(
        norm, lambda i: torch.full((3, 4, 4), 255 if i % 2 else 0, dtype=torch.uint8), 32
    )
    assert norm.running_mean.tolist() == pytest.approx([0, 0, 0])
    assert norm.running_var.tolist() == pytest.approx([1, 1, 1], rel=0.01)
    assert norm.momentum == 0.1
    assert not norm.training


def test_what_the_parts_share_keeps_its_statistics() -> None:
    backbone = nn.Sequential()
    for name in ("bn1", "layer1", "layer10"):
        backbone.add_module(name, nn.BatchNorm2d(3) if name == "layer10" else norm3())
    pictures = torch.randint(0, 255, (32, 3, 4, 4), dtype=torch.uint8)
    refresh_statistics(backbone, pictures.__getitem__, 32, keep=SHARED)
    means = [
        module.running_mean for module in backbone.modules() if hasattr(module, "running_mean")
    ]
    assert means[0].tolist() == means[1].tolist() == [7, 7, 7]
    # What follows sees what it will see later: pictures that were normalised with 7, not with 0.
    assert means[2].mean() < -10


def norm3() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3)
    norm.running_mean.fill_(7)
    return norm


def test_frozen_statistics_do_not_move() -> None:
    network = tiny_network().train()
    freeze_statistics(network)
    before = network.resnet[1].running_mean.clone()
    network(torch.randn(4, 3, 16, 16))
    assert torch.equal(before, network.resnet[1].running_mean)


def test_schedule_rises_and_ends_near_zero() -> None:
    shares = [one_cycle(i / 100) for i in range(101)]
    assert shares[0] < 0.02
    assert max(shares) == pytest.approx(1.0, abs=0.03)
    assert shares[-1] == pytest.approx(0, abs=1e-9)
    assert shares.index(max(shares)) in range(8, 13)


@pytest.mark.slow
def test_resized_swin_scores_images_on_their_own_and_comes_back() -> None:
    branch = Branch("swin", pretrained=False).eval()
    image = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        before = branch(image, 4)[3]
        branch.set_input_size(112)
        small = image[..., :112, :112]
        together, alone = branch(small, 4), branch(small[1:], 4)
        branch.set_input_size(224)
        after = branch(image, 4)[3]
    assert [s.shape[-1] for s in together] == [28, 14, 7, 4]
    assert torch.allclose(together[3][1], alone[3][0], atol=1e-5)
    assert torch.allclose(before, after, atol=1e-5)


def test_backbones_have_no_more_to_do_once_all_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "name: run\nnarrow: {parts: [{steps: 1}]}\ndata: {cache: cache}\nstart: weights"
    )
    images = [SimpleNamespace(patient=patient) for patient in "BA"]
    done: list[object] = []
    monkeypatch.setattr(training, "read_images", lambda *_: images)
    monkeypatch.setattr(training, "read_slices", lambda *_: done.append("content"))
    monkeypatch.setattr(training, "_run", lambda *modules: done.append(len(modules)))
    folder = RunFolder(tmp_path / "run")
    for name in ("A", "B", "resnet-features"):
        folder.save(name, {})
    training.run_branches(file, tmp_path)
    assert done == ["content", 2, 2]
    done.clear()
    folder.save("swin-features", {})
    training.run_branches(file, tmp_path)
    assert done == []


def taken() -> int:
    """Bytes of memory that are this process's own, not of mapped files."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"RssAnon:\s+(\d+)", status)[0])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells")
def test_a_mapped_checkpoint_takes_no_memory_until_it_is_used(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    features = torch.arange(2**24, dtype=torch.float32)
    folder.save("features", {"stage": features})
    before = taken()
    mapped = folder.load("features", mapped=True)
    assert taken() - before < features.nbytes / 4
    # What is loaded stays as it was, whatever is written in its place.
    folder.save("features", {"stage": torch.zeros(3)})
    assert mapped is not None
    assert torch.equal(mapped["stage"], features)
    assert folder.load("none", mapped=True) is None
