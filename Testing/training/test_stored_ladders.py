"""Stored ladders know their rungs, what was done to them, and how often each is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training import branch_features
from training.branch_features import _climbed, _joined_ladders
from training.config import TrainingConfig
from training.datasets.ladders import Ladder
from training.datasets.slice_ladders import SEVERAL
from training.run_folder import RunFolder

RUNGS = 3


@pytest.fixture(params=["noted with the features", "stored before it was noted"])
def joined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Four ladders of which each rung's features are its number."""
    pictures = torch.zeros(RUNGS, 3, 4, 4, dtype=torch.uint8)
    drawn = [
        Ladder("STS_001", "PET counts", pictures),
        Ladder("STS_001", "CT dose", pictures),
        Ladder(SEVERAL, "PET counts", pictures),
        Ladder(SEVERAL, "data set's JPEG", pictures),
    ]
    noted = request.param == "noted with the features"
    again = [] if noted else drawn
    monkeypatch.setattr(branch_features, "read_ladders", lambda *_: again)
    number = torch.arange(4.0 * RUNGS)[:, None, None, None].expand(-1, 2, 7, 7)
    stored = {name: {"ladders": [number]} for name in ("resnet", "swin")}
    if noted:
        stored["resnet"]["climbed"] = _climbed(drawn)
    return _joined_ladders(TrainingConfig(), RunFolder(tmp_path), stored)


def test_without_ladders_there_are_none(tmp_path: Path) -> None:
    stored = {name: {"ladders": [], "climbed": _climbed([])} for name in ("resnet", "swin")}
    assert _joined_ladders(TrainingConfig(), RunFolder(tmp_path), stored) is None


def test_times_hold_for_clean_studies_and_pictures_but_not_for_varied_ladders(joined) -> None:
    times = {"PET counts": 4, "breathing": 2, "data set's JPEG": 3}
    assert joined.weights(times).tolist() == [4, 1, 1, 3]
    assert joined.weights({}).tolist() == [1, 1, 1, 1]


def test_rows_are_the_rungs_of_the_chosen_ladders_in_their_order(joined) -> None:
    assert len(joined) == 4
    rows = joined.rows(torch.tensor([2, 0]))
    assert rows.tolist() == [6, 7, 8, 0, 1, 2]
    assert joined.features.stages[0][rows, 0, 0, 0].tolist() == rows.tolist()
    assert joined.features.owner[0] == "STS_001"
    assert joined.features.owner[-1] == SEVERAL
