"""LDCTIQAC2023 in the layout in which it is distributed, with slices of our own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from MSIQALib.errors import InputError
from training.config import DataConfig, read_config
from training.datasets.labelled import mean_scores, write_labelled
from training.datasets.ldct import CtImage, read_ldct, to_picture
from training.datasets.sources import read_images
from training.datasets.views import LabelledViews

SIZE = 512


def write_slice(path: Path, level: float) -> None:
    """A disc of tissue in air, in the window of 350 HU as 0..1, as 32-bit float."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    values = np.zeros((SIZE, SIZE), np.float32)
    values[(rows - 256) ** 2 + (columns - 256) ** 2 < 200**2] = level
    values[200:220, 200:300] = 1.0
    Image.fromarray(values).save(path)


@pytest.fixture
def distributed(tmp_path: Path) -> Path:
    """Four slices to train on and three in two folders to test on."""
    folder = tmp_path / "ldctiqac2023"
    train, test = folder / "LDCTIQAG2023_train", folder / "LDCTIQAC2023_test"
    scores = {f"{i:04d}.tif": 0.8 * i for i in range(4)}
    for i, name in enumerate(scores):
        write_slice(train / "image" / name, 0.1 + 0.2 * i)
    (train / "train.json").write_text(json.dumps(scores))
    for group, name in ((0, "L143_120_1_2"), (0, "L143_7_2_1"), (1, "S058279_70_1_3")):
        write_slice(test / f"test_{group}" / f"{name}.tif", 0.5)
    (test / "test-ground-truth.json").write_text(
        json.dumps(
            {
                "test_0.mha": {"fnames": ["L143_120_1_2", "L143_7_2_1"], "scores": [1.2, 3.6]},
                "test_1.mha": {"fnames": ["S058279_70_1_3"], "scores": [4.0]},
            }
        )
    )
    return folder


def test_both_parts_are_read(distributed: Path) -> None:
    images = read_ldct(distributed)
    assert [(i.patient, i.slice) for i in images] == [
        *(("train", f"{n:04d}") for n in range(4)),
        *(("test", name) for name in ("L143_120_1_2", "L143_7_2_1", "S058279_70_1_3")),
    ]
    assert [i.score for i in images] == pytest.approx([0, 0.8, 1.6, 2.4, 1.2, 3.6, 4.0])
    assert not any(i.pristine for i in images)


def test_pictures_are_the_window_in_grey(distributed: Path) -> None:
    picture = read_ldct(distributed)[2].read()
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert picture[256, 256].tolist() == [round(0.5 * 255)] * 3  # rint(127.5) = 128
    assert picture[210, 250].tolist() == [255] * 3
    assert picture[0, 0].tolist() == [0] * 3


def test_slices_in_hu_are_windowed() -> None:
    hu = np.array([[-1000.0, -135.0, 40.0, 215.0, 3000.0]], np.float32)
    assert to_picture(hu, Path("x"))[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(InputError, match=r"x: its values, 0 to 200, are neither"):
        to_picture(np.array([[0.0, 200.0]], np.float32), Path("x"))


def test_other_layout_of_the_test_part(distributed: Path) -> None:
    """Flat names with the other ending, as one copy of the test part has them."""
    for path in (distributed / "LDCTIQAC2023_test").rglob("*"):
        if path.is_file():
            path.unlink()
    other = distributed / "LDCTIQAC_test"
    for i in range(2):
        write_slice(other / "images" / f"{i:04d}.tiff", 0.5)
    (other / "test.json").write_text(json.dumps({"0000.tiff": 1, "0001": 2.5}))
    test = [i for i in read_ldct(distributed) if i.patient == "test"]
    assert [(i.path.name, i.score) for i in test] == [("0000.tiff", 1.0), ("0001.tiff", 2.5)]


def rewrite(distributed: Path, text: str) -> None:
    (distributed / "LDCTIQAG2023_train" / "train.json").write_text(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"0009.tif": 1}', r"the image 0009\.tif that it names is not there"),
        ('{"0001.tif": 4.5}', r"0001\.tif has the score 4\.5"),
        ('{"0001.tif": null}', r"0001\.tif has the score None"),
        ('{"0001.tif": 1, "0001": 1}', "names 0001 again"),
        ('{"a": {"fnames": ["0001"], "scores": []}}', "1 names and 0 scores"),
        ("[1, 2]", "no scores by name"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_bad_lists_are_refused(distributed: Path, text: str, what: str) -> None:
    rewrite(distributed, text)
    with pytest.raises(InputError, match=what):
        read_ldct(distributed)


def test_bad_slices_are_refused_by_name(distributed: Path) -> None:
    image = read_ldct(distributed)[1]
    image.path.write_bytes(image.path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"0001\.tif"):
        image.read()
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(image.path)
    with pytest.raises(InputError, match="not finite"):
        image.read()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image.path)
    with pytest.raises(InputError, match="shape"):
        image.read()


def test_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no list of LDCTIQAC2023.*train\.json"):
        read_ldct(tmp_path)


def test_part_that_is_there_twice_is_refused(distributed: Path) -> None:
    (distributed / "copy").mkdir()
    (distributed / "copy" / "train.json").write_text("{}")
    with pytest.raises(InputError, match="2 lists of the train part"):
        read_ldct(distributed)


def test_views_turn_the_slice_and_change_nothing_else(distributed: Path) -> None:
    images = read_ldct(distributed)
    views = LabelledViews(images, views=6, seed=0)
    own = views.picture(6)
    assert np.array_equal(own, images[1].read())
    turned = [views.picture(6 + i) for i in range(1, 6)]
    assert all(np.array_equal(np.sort(t, None), np.sort(own, None)) for t in turned)
    assert any(not np.array_equal(t, own) for t in turned)
    assert mean_scores(images) == {}


def test_configuration_reads_either_set(distributed: Path, data_root: Path) -> None:
    config = read_config(Path("training/configs/ldctiqac2023.yaml").resolve())
    images = read_images(config.data, distributed.parent)
    assert len(images) == 7
    assert all(isinstance(image, CtImage) for image in images)
    kept = [i for i in images if i.patient not in config.data.held_out]
    assert len(kept) == 4
    assert len(read_images(DataConfig(), data_root)) == 405


def test_list_with_unknown_distortions_is_not_written(distributed: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not known"):
        write_labelled(tmp_path / "labels.csv", read_ldct(distributed))
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.slow
def test_network_learns_from_and_scores_the_slices(distributed: Path, tmp_path: Path) -> None:
    """Two steps of the end-to-end training on the training part, and scores of the test part."""
    import torch
    from torch import nn

    from training.config import TrainingConfig, WholeConfig
    from training.losses import QualityLoss
    from training.run_folder import RunFolder
    from training.whole import ScoredPictures, score_images, train_whole

    class Output:
        def __init__(self, score: torch.Tensor) -> None:
            self.score = score

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(1, 1)

        def forward(self, images: torch.Tensor) -> Output:
            return Output(self.line(images.mean((1, 2, 3))[:, None])[:, 0])

    images = read_ldct(distributed)
    training = [i for i in images if i.patient == "train"]
    whole = WholeConfig(steps=2, batch=2, views=True, fresh=0.0)
    draw = ScoredPictures(training, (), whole, seed=0)
    network = Mean()
    before = network.line.weight.item()
    config = TrainingConfig(whole=whole)
    train_whole(network, draw, config, QualityLoss(), RunFolder(tmp_path / "run"))
    assert network.line.weight.item() != before
    assert score_images(network, [i for i in images if i.patient == "test"]).shape == (3,)
