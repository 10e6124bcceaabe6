"""Small studies and scorers with known answers, for tests of the assessor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from MSIQALib.assessment.scorer import PictureScore
from MSIQALib.imaging.slices import FusedSlice
from MSIQALib.imaging.volume import Geometry

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class BrightnessScorer:
    """Scores a picture by its mean brightness, 0..4; counts what it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.stack([torch.from_numpy(picture.copy()) for picture in pictures])

    def score(self, batch: torch.Tensor, *, heatmaps: bool = False) -> list[PictureScore]:
        self.batches.append(len(batch))
        maps = {"F1": np.ones((2, 2), np.float32)} if heatmaps else {}
        return [PictureScore(float(one.float().mean()) / 255 * 4, 3.0, 0.5, maps) for one in batch]


class GreyStudy:
    """Slice k is uniformly grey at level k; says which slices were asked for."""

    def __init__(self, count: int, *, outside: Sequence[int] = (), fails_at: int = -1) -> None:
        self.geometry = Geometry((4, 4, count), (1.0, 1.0, 2.0), (0.0, 0.0, -10.0), IDENTITY)
        self.warnings: tuple[str, ...] = ("a warning",)
        self.asked: list[int] = []
        self._outside = outside
        self._fails_at = fails_at

    def __len__(self) -> int:
        return self.geometry.size[2]

    def position_mm(self, k: int) -> float:
        return -10.0 + 2.0 * k

    def __iter__(self) -> Iterator[FusedSlice]:
        for k in range(len(self)):
            self.asked.append(k)
            if k == self._fails_at:
                raise OSError(5, "disk gone", "/data/Doe^Jane/CT")
            if k in self._outside:
                yield FusedSlice(k, self.position_mm(k), None, "outside the PET")
            else:
                yield FusedSlice(k, self.position_mm(k), np.full((4, 4, 3), k, np.uint8))
