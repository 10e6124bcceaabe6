"""The pictures that the whole network is trained on, by number, with their scores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.config import WholeConfig
from training.datasets.clean_slices import CleanSlice
from training.datasets.completeness import require_combinations
from training.datasets.composition import Variety
from training.datasets.distorted import (
    INPUT_SIZE,
    DistortedSlices,
    Sampling,
    shrink,
    to_tensor,
)
from training.datasets.labelled import LabelledImage, mean_scores
from training.datasets.views import LabelledViews
from training.device_distortions import distort_on_device
from training.distortions import Distortion, Picture

VIEWS = 1000
"""Views of each labelled image that are drawn from where views are wanted."""

_ORDER = 2


class ScoredPictures:
    """Pictures with scores by number: labelled images, and fresh ones scored by their mean.

    Numbers 0 to n - 1 are the first epoch over n labelled images, each in turn in an order of the
    epoch's own, or a fresh picture in its place.

    Args:
        images: Labelled images of the training patients only.
        slices: Clean content for the fresh pictures; may be empty where there are none.
        config: Share of fresh pictures, their content's magnification, and who distorts.
        seed: Another seed, other pictures.
        size: Height and width of the network's input.

    Raises:
        InputError: The images lack what fresh pictures are scored by, or views are made of.

    Attributes:
        images: How many labelled images there are; as many pictures make an epoch.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        slices: tuple[CleanSlice, ...],
        config: WholeConfig,
        *,
        seed: int,
        size: int = INPUT_SIZE,
    ) -> None:
        if config.fresh:
            require_combinations(images)
        self._config = config
        self._seed = seed
        self._size = size
        self.images = len(images)
        self._views = LabelledViews(images, VIEWS if config.views else 1, seed, size)
        self._means = mean_scores(images) if config.fresh else {}
        sampling = Sampling(grid=1.0, variety=Variety(zoom=config.zoom), size=size)
        self._fresh = DistortedSlices(slices, sampling, seed=seed, length=2**62)

    def __call__(self, index: int) -> tuple[Tensor, float]:
        """Give picture number `index` and its score in Likert units.

        It is (3, S, S) uint8 and finished; with `distort_on_device` it is (3, 512, 512) and
        clean, for `finish`.
        """
        view = self._view(index)
        if view is None:
            score = self._means[self._fresh.strengths(index)]
            if self._config.distort_on_device:
                return to_tensor(self._fresh.clean(index)), score
            return self._fresh[index][0], score
        score = self._views.image(view).score
        if self._config.distort_on_device:
            return to_tensor(self._views.undistorted(view)), score
        return self._views[view], score

    def finish(self, pictures: Tensor, numbers: Tensor) -> Tensor:
        """Do on the device what is left to do.

        Args:
            pictures: (n, 3, H, W) uint8, on the device.
            numbers: (n,) theirs.

        Returns:
            (n, 3, S, S) uint8, on the same device.
        """
        if not self._config.distort_on_device:
            return pictures
        indices = [int(number) for number in numbers]
        distortions = [self._distortion(index) for index in indices]
        seeds = [[self._seed, index] for index in indices]
        return distort_on_device(pictures, distortions, seeds, self._size)

    def _view(self, index: int) -> int | None:
        """Which view of which labelled image picture `index` is; None for a fresh picture."""
        rng = np.random.default_rng([self._seed, index])
        if rng.random() < self._config.fresh:
            return None
        epoch, place = divmod(index, self.images)
        image = int(_order(self._seed, epoch, self.images)[place])
        return image * self._views.views + int(rng.integers(self._views.views))

    def _distortion(self, index: int) -> Distortion | None:
        view = self._view(index)
        return self._fresh.strengths(index) if view is None else self._views.distortion(view)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch, _ORDER]).permutation(count)


class InputPictures:
    """Labelled images as the network sees them, kept in memory once they have been read.

    Args:
        images: Which.
        size: Height and width of the network's input.
    """

    def __init__(self, images: Sequence[LabelledImage], size: int = INPUT_SIZE) -> None:
        self.images = tuple(images)
        self._size = size
        self._kept: dict[int, Tensor] = {}

    def batch(self, numbers: Sequence[int]) -> Tensor:
        """Give (n, 3, S, S) uint8."""
        for number in numbers:
            if number not in self._kept:
                picture: Picture = self.images[number].read()
                self._kept[number] = to_tensor(shrink(picture, self._size))
        return torch.stack([self._kept[number] for number in numbers])
