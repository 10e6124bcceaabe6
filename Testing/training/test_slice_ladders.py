"""Single slices that are made worse step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_study import small_study

from training.datasets import slice_ladders
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety, compose
from training.datasets.slice_ladders import (
    EFFECTS,
    IN_PLANE,
    SPACING_MM,
    degrade_slice,
    draw_rungs,
    effect,
    varied_ladders,
)
from training.degradations import CT_NOISE_HU, PET_NOISE_AT_LIVER, Degradation


@pytest.fixture(scope="module")
def slices() -> tuple[CleanSlice, ...]:
    ct, pet = small_study()
    return tuple(
        CleanSlice(
            "study", np.kron(c, np.ones((4, 4))).astype(np.int16), np.kron(p, np.ones((4, 4)))
        )
        for c, p in zip(ct.array[8:16], pet.array[8:16].astype(np.float16), strict=True)
    )


def flat(hu: int, suv: float) -> CleanSlice:
    return CleanSlice(
        "flat", np.full((256, 256), hu, np.int16), np.full((256, 256), suv, np.float16)
    )


def named(name: str) -> Degradation:
    return next(d for d in IN_PLANE if d.name == name)


def test_only_what_one_plane_can_show_is_done() -> None:
    assert [d.name for d in IN_PLANE] == [
        "PET counts",
        "PET counts, unfiltered",
        "PET resolution",
        "CT dose",
        "CT noise",
    ]


def test_counts_and_dose_add_the_noise_that_they_do_in_volumes() -> None:
    noisy = degrade_slice(flat(40, 2.2), named("PET counts"), 0.5, 1).pet.astype(np.float32)
    assert noisy.std() / 2.2 == pytest.approx(PET_NOISE_AT_LIVER, rel=0.1)
    # 256 pixels of water are as wide as the body for which the noise is given.
    assert pytest.approx(250, abs=2) == 256 * SPACING_MM[0]
    dosed = degrade_slice(flat(0, 1.0), named("CT dose"), 0.5, 1).ct.astype(np.float32)
    assert dosed[64:192, 64:192].std() == pytest.approx(CT_NOISE_HU, rel=0.1)


def test_the_first_strength_changes_nothing_and_noise_repeats() -> None:
    clean = flat(40, 2.0)
    for degradation in IN_PLANE:
        assert degrade_slice(clean, degradation, degradation.strengths[0], 1) is clean
    dose = named("CT dose")
    one, same, other = (degrade_slice(clean, dose, 0.1, seed).ct for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rungs_leave_the_content_and_go_on_from_it(slices: tuple[CleanSlice, ...]) -> None:
    variety = Variety(no_pet=0)
    apart = 0
    for seed in range(12):
        _, rungs = draw_rungs(slices, 512, variety, 4, np.random.default_rng(seed))
        assert len(rungs) == 4
        first = rungs[0].astype(float)
        change = [float(np.abs(rung - first).mean()) for rung in rungs]
        assert change == sorted(change), f"seed {seed}: each rung is further from the original"
        apart += change[-1] > change[1] > 0
    assert apart >= 10


def test_losses_of_the_pet_are_of_slices_with_a_pet_of_their_own(
    slices: tuple[CleanSlice, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = CleanSlice("drawn", slices[0].ct, slices[0].pet, own_pet=False)
    done: list[tuple[str, str | None]] = []

    def note(clean: CleanSlice, degradation: Degradation, *_: object) -> CleanSlice:
        done.append((clean.source, degradation.of))
        return clean

    monkeypatch.setattr(slice_ladders, "degrade_slice", note)
    varied_ladders((*slices, drawn, drawn, drawn), 20, Variety(no_pet=1), seed=1)
    assert set(done) == {("study", "PT"), ("study", "CT"), ("drawn", "CT")}
    done.clear()
    varied_ladders((drawn,), 8, Variety(), seed=1)
    assert set(done) == {("drawn", "CT")}


def test_losses_of_the_pet_are_seen_though_content_may_be_ct_alone(
    slices: tuple[CleanSlice, ...],
) -> None:
    ladders = varied_ladders(slices, 16, Variety(no_pet=1), seed=2)
    of_pet = [one for one in ladders if one.degradation.startswith("PET")]
    assert len(of_pet) >= 5
    assert all(bool((one.pictures[-1] != one.pictures[0]).any()) for one in of_pet)


def test_first_rung_is_a_usual_picture(slices: tuple[CleanSlice, ...]) -> None:
    variety = Variety(no_pet=0)
    rng = np.random.default_rng(5)
    first = draw_rungs(slices, 256, variety, 3, rng)[1][0]
    rng = np.random.default_rng(5)
    rng.integers(len(IN_PLANE))
    rng.permutation(5)
    content = int(rng.integers(2**31, size=2)[0])
    usual = compose(slices, 256, variety, np.random.default_rng(content))
    assert np.array_equal(first, usual)


def test_varied_ladders_climb_every_strength_of_different_losses(
    slices: tuple[CleanSlice, ...],
) -> None:
    ladders = varied_ladders(slices, 12, Variety(no_pet=0), seed=4)
    assert len({one.degradation for one in ladders}) >= 3
    farther = 0
    for one in ladders:
        assert one.pictures.shape == (len(IN_PLANE[0].strengths), 3, 224, 224)
        away = (one.pictures.float() - one.pictures[0].float()).abs().mean((1, 2, 3))
        assert away[0] == 0
        farther += bool(away[-1] > away[1])
    assert farther >= 10, "more than the content has to change from rung to rung"
    again = varied_ladders(slices, 2, Variety(no_pet=0), seed=4)
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(again, ladders, strict=False))


def test_a_loss_is_drawn_as_often_as_is_wanted(
    slices: tuple[CleanSlice, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def note(clean: CleanSlice, degradation: Degradation, *_: object) -> CleanSlice:
        done.append(degradation.name)
        return clean

    monkeypatch.setattr(slice_ladders, "degrade_slice", note)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        draw_rungs(slices, 64, Variety(no_pet=0), 2, rng, {"PET resolution": 8.0})
    share = done.count("PET resolution") / len(done)
    assert share == pytest.approx(8 / 12, abs=0.15)
    assert set(done) == {degradation.name for degradation in IN_PLANE}


def test_every_loss_looks_like_one_effect() -> None:
    assert sorted(name for alike in EFFECTS for name in alike) == sorted(d.name for d in IN_PLANE)
    effects = [effect(d.name) for d in IN_PLANE]
    assert effects == [0, 0, 1, 2, 2]


def test_rungs_are_of_the_loss_that_is_named(slices: tuple[CleanSlice, ...]) -> None:
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        degradation, rungs = draw_rungs(slices, 256, Variety(no_pet=0), 2, rng)
        seen.add(degradation.name)
        rng = np.random.default_rng(seed)
        only = {d.name: float(d.name == degradation.name) for d in IN_PLANE}
        assert draw_rungs(slices, 256, Variety(no_pet=0), 2, rng, only)[0] is degradation
        assert (rungs[1] != rungs[0]).any()
    assert len(seen) >= 3
