"""From a data set to weights and metrics by one call, pictures by number, and the split."""

from __future__ import annotations

import csv
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from MSIQALib.errors import InputError
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from training import train as training
from training.config import DataConfig, NetworkConfig, TrainingConfig, WholeConfig
from training.datasets.clean_slices import CleanSlice
from training.datasets.labelled import LabelledImage, read_labelled
from training.evaluation import SCALES, score_images
from training.run_folder import RunFolder
from training.scored_pictures import ScoredPictures
from training.split import held_out_patients, marked_patients
from training.train import train

PATIENTS = "ABCDE"
SIDE = 64
DISTORTIONS = ((0.0, 0.0, 100), (0.0, 5.0, 70), (0.01, 10.0, 40))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with five patients, one slice each, three pictures of it."""
    root = tmp_path_factory.mktemp("data")
    (root / "set" / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for number, (patient, distortion) in enumerate(itertools.product(PATIENTS, DISTORTIONS)):
        name = f"{number}.png"
        picture = rng.integers(0, 80, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(picture).save(root / "set" / "images" / name)
        rows.append([name, patient, "1", *distortion, round(float(rng.uniform(0, 4)), 1)])
    names = [
        "file",
        "patient",
        "slice",
        "poisson_lambda",
        "gaussian_sigma",
        "jpeg_quality",
        "score",
    ]
    with (root / "set" / "labels.csv").open("w", newline="") as out:
        csv.writer(out).writerows([names, *rows])
    return root


@pytest.fixture(scope="module")
def images(data: Path) -> tuple[LabelledImage, ...]:
    return read_labelled(data / "set")


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(
        name="small",
        data=DataConfig(labelled="set", held_out_share=0.2),
        network=NetworkConfig(stages=1, swin=False),
        whole=WholeConfig(
            epochs=2, batch=4, target="unit", views=False, fresh=0.0, learning_rate=1e-3
        ),
    )


def test_one_call_gives_weights_metrics_and_where_they_come_from(
    tmp_path: Path, data: Path, images, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSIQA_DATA", str(data))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    weights = train(config, tmp_path / "unused.yaml", tmp_path)
    folder = tmp_path / "small"
    assert weights == folder / "msiqa.safetensors"

    (left_out,) = yaml.safe_load((folder / "config.yaml").read_text())["data"]["held_out"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["held_out"]["pooled"]["n"] == len(DISTORTIONS)
    assert set(metrics["held_out"]) == {left_out, "pooled"}
    assert metrics["trained_on"]["pooled"]["n"] == 4 * len(DISTORTIONS)
    with (folder / "evaluation.csv").open(newline="") as lines:
        epochs = list(csv.DictReader(lines))
    assert [row["epoch"] for row in epochs] == ["1", "2"]
    best = max(epochs, key=lambda row: float(row["srocc"]))
    assert metrics["best"]["step"] == int(best["step"])

    model = load_model(weights)
    assert model.info.provenance["held_out"] == [left_out]
    assert {"commit", "dirty", "versions", "seed"} <= set(model.info.provenance)
    own = [i for i in images if i.patient == left_out]
    scores = score_images(model.network, own, model.info.scale)
    given = torch.tensor([i.score for i in own])
    rmse = float((scores - given).square().mean().sqrt())
    assert rmse == pytest.approx(metrics["held_out"]["pooled"]["rmse"], rel=1e-4)
    assert model.info.scale == SCALES["unit"]
    best_model = load_model(folder / "msiqa-best.safetensors")
    assert best_model.info.provenance["metrics"]["step"] == metrics["best"]["step"]

    assert (folder / "environment.json").is_file()
    assert list((folder / "tensorboard").iterdir())
    with pytest.raises(InputError, match=r"whole\.learning_rate"):
        train(replace(config, whole=replace(config.whole, learning_rate=0.1)), tmp_path, tmp_path)


def test_weights_name_their_data_and_the_file_that_they_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    folder.begun_with("start", "a" * 64)
    monkeypatch.setattr(training, "measure", lambda *_: {})
    config = TrainingConfig(
        start="x", input_size=320, data=DataConfig(labelled="my-set", volumes="mine")
    )
    network = MSIQA(ModelConfig(pretrained=False, stages=1, swin=False))
    training.conclude(network, config, folder, (), {})
    info = load_model(tmp_path / "msiqa.safetensors").info
    assert info.preprocessing.size == 320
    provenance = info.provenance
    assert (provenance["start"], provenance["start_sha256"]) == ("x", "a" * 64)
    assert provenance["data"] == "my-set (labels); mine (content)"


def test_fresh_pictures_need_a_score_of_each_combination(images) -> None:
    with pytest.raises(InputError, match="no picture of each of the 27 distortions"):
        ScoredPictures(images, (), WholeConfig(views=False, fresh=0.5), seed=3)


def test_each_image_comes_once_an_epoch_in_another_order(images) -> None:
    pictures = ScoredPictures(images, (), WholeConfig(views=False, fresh=0.0), seed=3)
    epochs = [[pictures(15 * e + i)[1] for i in range(15)] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(i.score for i in images)
    assert epochs[0] != epochs[1]
    assert pictures(4)[0].shape == (3, 224, 224)
    fine = ScoredPictures(images, (), WholeConfig(views=False, fresh=0.0), seed=3, size=448)
    assert fine(4)[0].shape == (3, 448, 448)
    again = ScoredPictures(images, (), WholeConfig(views=False, fresh=0.0), seed=3)
    assert torch.equal(again(20)[0], pictures(20)[0])


def test_what_the_device_finishes_is_what_the_processor_makes(images) -> None:
    """But for the draws of the noise, which the mean over the pictures evens out."""
    ct = np.full((96, 96), 40, np.int16)
    clean = (CleanSlice("P", ct, np.full(ct.shape, 2, np.float16)),)
    options = WholeConfig(fresh=1.0)
    ready = ScoredPictures(images_with_all_combinations(images), clean, options, seed=1)
    halves = ScoredPictures(
        images_with_all_combinations(images),
        clean,
        replace(options, distort_on_device=True),
        seed=1,
    )
    numbers = range(6)
    made = [ready(i) for i in numbers]
    half = [halves(i) for i in numbers]
    assert half[0][0].shape == (3, 512, 512)
    finished = halves.finish(torch.stack([picture for picture, _ in half]), torch.arange(6))
    assert [score for _, score in made] == [score for _, score in half]
    apart = finished.float().mean((1, 2, 3)) - torch.stack([p for p, _ in made]).float().mean(
        (1, 2, 3)
    )
    assert apart.abs().max() < 0.5


def images_with_all_combinations(images) -> list[LabelledImage]:
    from training.distortions import COMBINATIONS

    return [replace(images[0], distortion=c, score=0.1 * i) for i, c in enumerate(COMBINATIONS)]


def test_views_finished_on_the_device_are_moved_alike(images) -> None:
    options = WholeConfig(fresh=0.0, views=True)
    on_device = ScoredPictures(images, (), replace(options, distort_on_device=True), seed=1)
    ready = ScoredPictures(images, (), options, seed=1)
    for number in range(5):
        picture, score = on_device(number)
        finished = on_device.finish(picture[None], torch.tensor([number]))[0].float()
        wanted, same = ready(number)
        assert score == same
        shrunk = [torch.nn.functional.avg_pool2d(x.float(), 56) for x in (finished, wanted)]
        assert (shrunk[0] - shrunk[1]).abs().max() < 8


def test_a_share_of_the_patients_is_left_out_by_the_seed(images) -> None:
    share = DataConfig(held_out_share=0.2)
    drawn = {held_out_patients(share, images, seed) for seed in range(20)}
    assert {len(one) for one in drawn} == {1}
    assert len(drawn) > 1
    assert held_out_patients(share, images, 5) == held_out_patients(share, images, 5)
    assert len(held_out_patients(DataConfig(held_out_share=0.4), images, 1)) == 2
    assert held_out_patients(DataConfig(), images, 1) == ()
    named = DataConfig(held_out=("C",), held_out_share=0.4)
    assert held_out_patients(named, images, 1) == ("C",)


def test_the_data_sets_own_test_patients_go_before_a_draw(tmp_path: Path, images) -> None:
    (tmp_path / "labels.csv").write_text("file,patient,split\na,B,train\nb,D,test\nc,D,test\n")
    marked = marked_patients(tmp_path)
    assert marked == ("D",)
    assert held_out_patients(DataConfig(held_out_share=0.4), images, 1, marked) == ("D",)
    assert held_out_patients(DataConfig(held_out=("C",)), images, 1, marked) == ("C",)
    assert held_out_patients(DataConfig(), images, 1, marked) == ()
    assert marked_patients(images[0].path.parents[1]) == ()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (DataConfig(held_out=("Z",)), "no patient Z"),
        (DataConfig(held_out=tuple(PATIENTS)), "no patient is left"),
        (DataConfig(held_out_share=1.0), "no patient is left"),
    ],
)
def test_a_split_that_cannot_be_is_refused(images, split: DataConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        held_out_patients(split, images, 1)
