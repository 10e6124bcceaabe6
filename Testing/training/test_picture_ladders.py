"""Ladders of the data set's own distortions."""

from __future__ import annotations

import numpy as np
import torch
from small_study import small_study

from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.picture_ladders import picture_ladders


def test_each_distortion_takes_its_turn_and_grows_from_rung_to_rung() -> None:
    ct, pet = small_study()
    slices = tuple(
        CleanSlice("study", c.astype(np.int16), p.astype(np.float16))
        for c, p in zip(ct.array[8:16], pet.array[8:16], strict=True)
    )
    ladders = picture_ladders(slices, 6, Variety(no_pet=0), seed=3)
    names = ["data set's specks", "data set's noise", "data set's JPEG"]
    assert [one.degradation for one in ladders] == 2 * names
    for one in ladders:
        assert one.patient == "several"
        assert one.pictures.shape == (6, 3, 224, 224)
        away = (one.pictures.float() - one.pictures[0].float()).abs().mean((1, 2, 3))
        assert away[0] == 0
        assert (away[1:] > 0).all(), one.degradation
        if one.degradation != names[2]:  # blocks on so smooth a body come and go
            assert (away.diff() > 0).all(), one.degradation
    assert not torch.equal(ladders[0].pictures[0], ladders[3].pictures[0])
    again = picture_ladders(slices, 6, Variety(no_pet=0), seed=3)
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(ladders, again, strict=True))
