"""Options of end-to-end training: epochs, units, mixed precision, workers."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from MSIQALib.errors import InputError
from training.config import TrainingConfig, WholeConfig, read_config
from training.global_batch import PictureDropout, PicturePath, SharedBatchNorm, act_as_one_batch
from training.losses import QualityLoss
from training.metrics import Agreement
from training.run_folder import RunFolder
from training.whole import BEST, Plan, make_accelerator, train_whole

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"


@dataclass
class Scored:
    score: Tensor


class Small(nn.Module):
    """A convolution and a linear layer; remembers the type in which it computed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.resnet = nn.Conv2d(3, 8, 3)
        self.last = nn.Linear(8, 1)
        self.type: torch.dtype | None = None

    def forward(self, image: Tensor) -> Scored:
        features = self.resnet(image)
        self.type = features.dtype
        return Scored(self.last(features.abs().mean((2, 3))).squeeze(1))


def draw(index: int) -> tuple[Tensor, float]:
    rng = np.random.default_rng(index)
    score = float(rng.uniform(0, 4))
    picture = rng.normal(128, 5 + 20 * score, (3, 16, 16)).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(picture), score


def config(**changes) -> TrainingConfig:
    given = {"steps": 40, "batch": 8, "learning_rate": 0.05, "schedule": "constant"} | changes
    return TrainingConfig(whole=WholeConfig(**given))


def run(folder: Path, settings: TrainingConfig, **more) -> Small:
    network = Small()
    assert train_whole(network, draw, settings, QualityLoss(), RunFolder(folder), **more)
    return network


def rows(folder: Path, name: str = "whole") -> list[dict[str, float]]:
    with (folder / f"{name}.csv").open(newline="") as lines:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(lines)]


def test_bf16_computes_in_16_bits_and_keeps_weights_in_32(tmp_path: Path) -> None:
    exact = run(tmp_path / "a", config())
    mixed = run(tmp_path / "b", config(mixed_precision="bf16"))
    assert (exact.type, mixed.type) == (torch.float32, torch.bfloat16)
    assert {p.dtype for p in mixed.parameters()} == {torch.float32}
    loss = [row["loss"] for row in rows(tmp_path / "b")]
    assert all(math.isfinite(value) for value in loss)
    assert loss[-1] < 0.5 * loss[0]
    state = torch.load(tmp_path / "b" / "whole.ckpt", weights_only=True)
    assert {v.dtype for v in state["network"].values()} == {torch.float32}


def test_fp16_is_refused_where_the_device_cannot_do_it() -> None:
    if torch.cuda.is_available():
        pytest.skip("this device can do it")
    with pytest.raises(InputError, match=r"mixed_precision: fp16 is not for this device"):
        make_accelerator(config(mixed_precision="fp16"))


def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = run(tmp_path / "a", config(steps=6))
    helped = run(tmp_path / "b", config(steps=6, workers=2))
    assert all(
        torch.equal(a, b) for a, b in zip(alone.parameters(), helped.parameters(), strict=True)
    )


def test_unit_targets_are_a_quarter_of_the_score(tmp_path: Path) -> None:
    network = run(tmp_path, config(steps=150, target="unit"))
    pictures, scores = zip(*(draw(i) for i in range(1000, 1032)), strict=True)
    with torch.inference_mode():
        given = network(torch.stack(pictures) / 127.5 - 1).score
    assert torch.allclose(given, torch.tensor(scores) / 4, atol=0.15)


def test_pictures_are_finished_on_the_way_to_the_network(tmp_path: Path) -> None:
    seen = []

    def finish(pictures: Tensor, numbers: Tensor) -> Tensor:
        seen.extend(numbers.tolist())
        return pictures[..., :8, :8]

    run(tmp_path, config(steps=3), finish=finish)
    assert seen == list(range(24))


def test_a_resumed_run_repeats_no_line_of_its_log(tmp_path: Path) -> None:
    run(tmp_path / "a", config(steps=20))
    folder = RunFolder(tmp_path / "b")
    settings = config(steps=20)
    train_whole(Small(), draw, settings, QualityLoss(), folder, stop=lambda done: done == 7)
    for step in (10, 15):
        folder.log("whole", {"step": step, "seconds": 0, "loss": 77.0, "epoch": 0})
    train_whole(Small(), draw, settings, QualityLoss(), folder)
    kept = [[(r["step"], r["loss"]) for r in rows(tmp_path / name)] for name in "ab"]
    assert kept[0] == kept[1]


def test_each_epoch_is_measured_and_the_best_is_kept(tmp_path: Path) -> None:
    agreed = iter([0.2, float("nan"), 0.7, 0.5])
    states = []

    def evaluate(network: nn.Module) -> Agreement:
        assert not network.training
        states.append({k: v.clone() for k, v in network.state_dict().items()})
        return Agreement(n=2, srocc=next(agreed), plcc=0.0, rmse=0.0)

    run(tmp_path, config(steps=0, epochs=4, batch=4), images=6, evaluate=evaluate)
    assert [r["step"] for r in rows(tmp_path, "evaluation")] == [2, 3, 5, 6]
    assert [r["epoch"] for r in rows(tmp_path, "evaluation")] == [1, 2, 3, 4]
    best = RunFolder(tmp_path).load(BEST)
    assert (best["step"], best["srocc"]) == (5, 0.7)
    assert all(torch.equal(best["network"][k], states[2][k]) for k in states[2])


def test_the_papers_epoch_is_135_steps() -> None:
    plan = Plan(read_config(CONFIGS / "paper.yaml").whole, images=2160)
    assert plan.steps == 135 * plan.whole.epochs
    assert [done for done in range(1, 300) if plan.evaluates(done)] == [135, 270]
    assert plan.learning_rate(0) == plan.learning_rate(9999) == 1e-5


def test_measuring_can_wait_for_the_end() -> None:
    plan = Plan(WholeConfig(epochs=3, batch=4, evaluate_epochs=0), images=8)
    assert [done for done in range(1, 7) if plan.evaluates(done)] == [6]


def test_steps_go_before_epochs() -> None:
    assert Plan(WholeConfig(steps=7, epochs=3, batch=4), images=8).steps == 7


def test_replaced_parts_have_the_weights_and_statistics_of_the_old_ones() -> None:
    old = nn.BatchNorm2d(3)
    new = SharedBatchNorm.like(old)
    assert list(new.state_dict()) == list(old.state_dict())
    assert new.weight is old.weight
    assert new.running_var is old.running_var


@pytest.mark.parametrize("layer", [PictureDropout(0.25), PicturePath(0.25, True)])
def test_dropouts_keep_the_mean_and_say_nothing_in_evaluation(layer: nn.Module) -> None:
    torch.manual_seed(0)
    ones = torch.ones(4000, 2, 3)
    dropped = layer.train()(ones)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(ones), ones)
    whole_pictures = (dropped.flatten(1) == dropped[:, :1, 0]).all(1)
    assert bool(whole_pictures.all()) is isinstance(layer, PicturePath)


def test_a_networks_dropouts_are_replaced_with_their_probabilities() -> None:
    network = nn.Sequential(nn.Dropout(0.3), nn.Sequential(nn.ReLU(), nn.Dropout(0.0)))
    act_as_one_batch(network, torch.device("cpu"))
    assert [m.p for m in network.modules() if isinstance(m, PictureDropout)] == [0.3, 0.0]
