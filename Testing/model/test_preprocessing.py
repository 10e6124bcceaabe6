"""Preparing a picture for the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MSIQALib.model.preprocessing import Preprocessing

PREPARE = Preprocessing()


def test_resizing_is_opencvs_bicubic():
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    expected = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_CUBIC)
    difference = PREPARE.resize(picture).permute(1, 2, 0).numpy().astype(int) - expected
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.01


def test_values_run_from_minus_one_to_one():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    batch = PREPARE([black, white])
    assert batch.shape == (2, 3, 224, 224)
    assert batch[0].unique().tolist() == [-1.0]
    assert batch[1].unique().tolist() == [1.0]


def test_a_picture_of_the_right_size_passes_unchanged():
    picture = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    assert torch.equal(PREPARE.resize(picture).permute(1, 2, 0), torch.from_numpy(picture))


def test_anatomy_keeps_its_proportions():
    """A wide picture is padded with black above and below, not squeezed."""
    wide = np.full((224, 448, 3), 200, np.uint8)
    resized = PREPARE.resize(wide)
    assert (resized[:, 60:164] == 200).all()
    assert (resized[:, :52] == 0).all()
    assert (resized[:, 172:] == 0).all()


def test_unknown_option_is_named():
    with pytest.raises(ValueError, match="crop"):
        Preprocessing.from_dict({"crop": 3})
