"""The distortions on the device are those on the processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from MSIQALib.imaging.slices import fuse_study
from MSIQALib.phantom import build_phantom
from training.datasets.distorted import shrink
from training.device_distortions import code_jpeg, distort_on_device
from training.distortions import Distortion, Picture, decode_picture, distort, encode_jpeg

SIZE = 128


def tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]


@pytest.fixture(scope="module")
def picture() -> Picture:
    """A fused slice with some noise, so that every frequency is there."""
    study = build_phantom(slices=3)
    rgb = fuse_study(study.ct, study.pet)[1].rgb
    top, left = (side // 2 - SIZE for side in rgb.shape[:2])
    piece = rgb[top : top + 2 * SIZE, left : left + 2 * SIZE].astype(float)
    noise = np.random.default_rng(0).normal(0, 6, piece.shape)
    return (piece + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [100, 70, 40, 25])
def test_jpeg_does_what_opencv_does(picture: Picture, quality: int) -> None:
    wanted = decode_picture(encode_jpeg(picture, quality)).astype(float)
    given = code_jpeg(tensor(picture).float(), [quality])[0].permute(1, 2, 0).numpy()
    apart, damage = np.abs(given - wanted).mean(), np.abs(picture - wanted).mean()
    assert apart < 0.6
    assert apart < 0.15 * damage


def test_jpeg_takes_each_pictures_own_quality(picture: Picture) -> None:
    both = code_jpeg(tensor(picture).float().repeat(2, 1, 1, 1), [100, 30])
    alone = code_jpeg(tensor(picture).float(), [30])
    assert torch.equal(both[1], alone[0])
    assert not torch.equal(both[0], both[1])


def test_jpeg_needs_whole_units() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        code_jpeg(torch.zeros(1, 3, 24, 32), [50])


def test_no_distortion_is_resizing_alone(picture: Picture) -> None:
    given = distort_on_device(tensor(picture), [None], [[1]], 112)
    wanted = tensor(shrink(picture, 112))
    assert given.dtype == torch.uint8
    assert int((given.int() - wanted.int()).abs().max()) <= 1


@pytest.mark.parametrize(
    ("distortion", "name"),
    [(Distortion(0.02, 0, 100), "specks"), (Distortion(0, 10, 100), "noise")],
)
def test_noise_has_the_strength_of_the_processors(distortion: Distortion, name: str) -> None:
    grey = np.full((SIZE, SIZE, 3), 100, np.uint8)
    given = distort_on_device(tensor(grey), [distortion], [[5]], SIZE).float()
    wanted = tensor(distort(grey, distortion, np.random.default_rng(5))).float()
    assert float(given.mean()) == pytest.approx(float(wanted.mean()), abs=0.35), name
    assert float(given.std()) == pytest.approx(float(wanted.std()), rel=0.06), name


def test_a_pictures_noise_is_its_own_whatever_is_beside_it() -> None:
    grey = torch.full((3, 3, 32, 32), 90, dtype=torch.uint8)
    steps = [Distortion(0.01, 5, 70), None, Distortion(0.0, 10, 100)]
    seeds = [[1, 7], [1, 8], [1, 9]]
    together = distort_on_device(grey, steps, seeds, 14)
    alone = distort_on_device(grey[2:], steps[2:], seeds[2:], 14)
    assert torch.equal(together[2], alone[0])
    other = distort_on_device(grey[2:], steps[2:], [[2, 9]], 14)
    assert not torch.equal(other, alone)
    assert int(together[1].min()) == int(together[1].max()) == 90
