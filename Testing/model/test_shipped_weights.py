"""The weights that users get: their size, their description, and what 8 bits cost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from MSIQALib.assessment.agreement import measure_agreement
from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.imaging.picture import read_picture
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.model.channel_groups import GroupedResNet, multiplications
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.inference import fold_batch_norm
from MSIQALib.model.shipped import SHIPPED
from MSIQALib.phantom import build_phantom

LARGEST_SHIFT = 0.02


@pytest.fixture(scope="module")
def scorer() -> NetworkScorer:
    return NetworkScorer(load_model(SHIPPED), choose_device("cpu"))


@pytest.fixture(scope="module")
def original() -> dict[str, float]:
    """What the float32 originals said of pictures that any machine can make or has."""
    path = SHIPPED.with_suffix(".float32-scores.json")
    return json.loads(path.read_text(encoding="utf-8"))


def score(scorer: NetworkScorer, pictures: list[np.ndarray]) -> list[float]:
    scores: list[float] = []
    for first in range(0, len(pictures), 8):
        batch = scorer.prepare(pictures[first : first + 8])
        scores += [row.score for row in scorer.score(batch)]
    return scores


def test_the_file_is_small_and_says_what_it_is(scorer):
    assert SHIPPED.stat().st_size <= 64 * 2**20
    info = scorer.info
    assert info.preprocessing.size == 512
    assert info.config.swin_size == 224
    assert info.quantised
    assert info.config.score == "paper"
    assert info.config.stages == 4
    assert info.provenance["data"]
    assert info.provenance["commit"]


def test_a_cpu_computes_it_by_the_groups_of_its_channels(scorer):
    """Shared and three times own channels in the first stage, then three parts side by side."""
    resnet = scorer._network.resnet
    assert isinstance(resnet, GroupedResNet)
    assert [len(blocks[0].first) for blocks in resnet.stages] == [4, 3, 3, 3]
    whole = fold_batch_norm(load_model(SHIPPED).network.resnet)
    every = multiplications([whole.get_submodule(name) for name in whole.stage_names])
    assert multiplications(resnet.stages) < every / 4
    image = torch.rand(1, 3, 512, 512) * 2 - 1
    with torch.inference_mode():
        for given, wanted in zip(resnet(image), whole(image), strict=True):
            torch.testing.assert_close(given, wanted, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
def test_eight_bits_score_a_phantom_as_the_originals(scorer, original):
    names = [name for name in original if name.startswith("phantom")]
    count = int(names[0].split(" of ")[1])
    images = build_phantom(slices=count)
    study = fuse_study(images.ct, images.pet)
    pictures = {f"phantom {item.index} of {count}": item.rgb for item in study}
    now = score(scorer, [pictures[name] for name in names])
    assert len(names) >= 6
    assert np.abs(np.subtract(now, [original[name] for name in names])).max() <= LARGEST_SHIFT


@pytest.mark.slow
def test_eight_bits_score_the_labelled_pictures_as_the_originals(scorer, original, data_root: Path):
    """Every sixth picture, all distortions among them, keeps its score."""
    names = sorted(name for name in original if name.endswith(".jpg"))[::6]
    folder = data_root / "pet-ct-iqa-ds" / "images"
    now = score(scorer, [read_picture(folder / name) for name in names])
    expected = [original[name] for name in names]
    assert np.abs(np.subtract(now, expected)).max() <= LARGEST_SHIFT


@pytest.mark.slow
def test_noise_and_compression_lower_the_score(scorer, data_root: Path):
    """The network agrees with people on pictures that it was trained on, as a floor."""
    import csv

    folder = data_root / "pet-ct-iqa-ds"
    rows = list(csv.DictReader((folder / "labels.csv").open()))[::5]
    predicted = score(scorer, [read_picture(folder / "images" / row["file"]) for row in rows])
    truth = [float(row["score"]) for row in rows]
    assert measure_agreement(folder, predicted, truth).srocc > 0.7
