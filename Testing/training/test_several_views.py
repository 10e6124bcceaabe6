"""Several views of a picture, and the mean of their scores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.datasets.distorted import INPUT_SIZE, normalise, shrink, to_tensor
from training.distortions import Picture
from training.several_views import VIEWS, mirrored, score_views


def picture(seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (512, 512, 3), dtype=np.uint8)


def test_a_mirror_image_of_a_mirror_image_is_the_picture() -> None:
    assert not np.array_equal(mirrored(picture()), picture())
    assert np.array_equal(mirrored(mirrored(picture())), picture())
    assert np.array_equal(mirrored(picture())[:, 0], picture()[:, -1])


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_each_view_shows_something_else_and_one_is_the_picture(name: str) -> None:
    shown = [shrink(view(picture()), INPUT_SIZE).tobytes() for view in VIEWS[name]]
    assert len(set(shown)) == len(shown)
    assert shrink(picture(), INPUT_SIZE).tobytes() == shown[0]


class Corner(nn.Module):
    """Scores by the first pixel and notes how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Any:
        assert not torch.is_grad_enabled()
        assert len(images) <= 16
        return SimpleNamespace(score=images[:, 0, 0, 0])


def test_the_score_is_the_mean_over_the_views() -> None:
    images: Any = [SimpleNamespace(read=lambda n=n: picture(n)) for n in range(18)]
    given = score_views(Corner(), images, VIEWS["mirrored"])
    both = [
        [
            normalise(to_tensor(shrink(v(picture(n)), 224))[None])[0, 0, 0, 0]
            for v in VIEWS["mirrored"]
        ]
        for n in range(18)
    ]
    assert torch.allclose(given, torch.tensor(both).mean(1))
    assert given.std() > 0
