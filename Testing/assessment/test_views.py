"""The mean over several views of each picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from MSIQALib.assessment.scorer import Picture, PictureScore
from MSIQALib.assessment.views import SHIFTS, SeveralViews, several_if, shifted


class Corner:
    """Scores by the first pixel and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []

    def prepare(self, pictures: Sequence[Picture]) -> torch.Tensor:
        return torch.stack([torch.from_numpy(p.copy()).permute(2, 0, 1) for p in pictures])

    def score(self, batch: torch.Tensor, *, heatmaps: bool = False) -> list[PictureScore]:
        self.asked.append((len(batch), heatmaps))
        values = batch[:, 0, 2, 2].double() / 100
        return [
            PictureScore(v, 2 * v, v / 10, {"F1": np.float32([[v]])} if heatmaps else {})
            for v in values.tolist()
        ]


def picture(seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_a_shift_moves_pixels_and_repeats_the_edge() -> None:
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    (a, b), (c, d) = small
    assert shifted(small, 1, 0).tolist() == np.array([[a, b], [a, b]]).tolist()
    assert shifted(small, 0, 1).tolist() == np.array([[a, a], [c, c]]).tolist()
    assert shifted(small, 1, 1).tolist() == np.array([[a, a], [a, a]]).tolist()
    assert shifted(small, 0, 0).tolist() == small.tolist()
    assert not np.array_equal(c, d)


@pytest.mark.parametrize("heatmaps", [False, True])
def test_score_s_and_w_are_means_over_the_views_of_each_picture(heatmaps: bool) -> None:
    one = Corner()
    several, pictures = SeveralViews(one), [picture(0), picture(1), picture(2)]
    rows = several.score(several.prepare(pictures), heatmaps=heatmaps)
    assert len(rows) == 3
    for row, shown in zip(rows, pictures, strict=True):
        values = [int(shown[2 - down, 2 - right, 0]) / 100 for down, right in SHIFTS]
        assert len(set(values)) == 4
        assert row.score == pytest.approx(np.mean(values))
        assert row.S == pytest.approx(2 * np.mean(values))
        assert row.W == pytest.approx(np.mean(values) / 10)
        # Heatmaps lie over the picture as it is, and are computed for it alone.
        assert {k: v.tolist() for k, v in row.heatmaps.items()} == (
            {"F1": [[pytest.approx(values[0])]]} if heatmaps else {}
        )
    assert one.asked == [(3, heatmaps), (3, False), (3, False), (3, False)]


def test_one_view_is_scored_by_the_scorer_itself() -> None:
    one = Corner()
    assert several_if(False, one) is one
    assert isinstance(several_if(True, one), SeveralViews)
