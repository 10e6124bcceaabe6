"""More views of the labelled slices: the pristine slice distorted again, turned and shifted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from training.datasets.completeness import require_pristine
from training.datasets.distorted import INPUT_SIZE, shrink, to_tensor
from training.datasets.labelled import LabelledImage
from training.distortions import Distortion, NoiseBank, Picture, distort

MAX_SHIFT = 48


class LabelledViews:
    """Views of labelled images by number; all views of an image have its score.

    View 0 is the image itself. The others are new draws of its distortion on its pristine slice,
    mirrored, transposed and shifted before: the radiologists would have seen no difference. Images
    whose distortion is not known are mirrored and transposed as they are.

    Args:
        images: Labelled images; of those whose distortion is known, the pristine one of the slice
            must be among them where there is more than one view.
        views: How many of each.
        seed: Another seed, other views.
        size: Height and width of the views.

    Raises:
        InputError: A pristine image is needed and missing.
    """

    def __init__(
        self, images: Sequence[LabelledImage], views: int, seed: int, size: int = INPUT_SIZE
    ) -> None:
        if views > 1:
            require_pristine(images)
        self.images = tuple(images)
        self.views = views
        self._seed = seed
        self._size = size
        self._bank = NoiseBank(seed)
        self._pristine = {(i.patient, i.slice): i.read() for i in images if i.pristine}

    def __len__(self) -> int:
        return len(self.images) * self.views

    def image(self, index: int) -> LabelledImage:
        """Whose view number `index` is."""
        return self.images[index // self.views]

    def picture(self, index: int) -> Picture:
        """Give view number `index` as an (S, S, 3) uint8 picture before resizing."""
        rng = np.random.default_rng([self._seed, index])
        clean, distortion = self._undistorted(index, rng)
        return clean if distortion is None else distort(clean, distortion, rng, self._bank)

    def undistorted(self, index: int) -> Picture:
        """Give view number `index` as it is before its distortion, for who distorts it later.

        It is the labelled image itself where `distortion` gives None.
        """
        return self._undistorted(index, np.random.default_rng([self._seed, index]))[0]

    def distortion(self, index: int) -> Distortion | None:
        """Say what is done to view number `index`; None where it is the labelled image itself."""
        return self.image(index).distortion if index % self.views else None

    def _undistorted(
        self, index: int, rng: np.random.Generator
    ) -> tuple[Picture, Distortion | None]:
        image, distortion = self.image(index), self.distortion(index)
        if distortion is None:
            own = image.read()
            return (_turn(own, rng) if index % self.views else own), None
        return _move(self._pristine[image.patient, image.slice], rng), distortion

    def __getitem__(self, index: int) -> Tensor:
        return to_tensor(shrink(self.picture(index), self._size))


def _turn(picture: Picture, rng: np.random.Generator) -> Picture:
    """Mirror and transpose a square picture."""
    turn = int(rng.integers(8))
    if turn & 1:
        picture = picture[:, ::-1]
    if turn & 2:
        picture = picture[::-1]
    return picture.transpose(1, 0, 2) if turn & 4 else picture


def _move(picture: Picture, rng: np.random.Generator) -> Picture:
    """Mirror, transpose and shift a square picture on black."""
    picture = _turn(picture, rng)
    down, right = (int(s) for s in rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, 2))
    height, width = picture.shape[:2]
    moved = np.zeros_like(picture, order="C")
    moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = picture[
        max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return moved
