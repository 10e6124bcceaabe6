"""Ladders: slices made worse step by step, as whole studies would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import small_study

from MSIQALib.errors import InputError
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.preprocessing import Preprocessing
from training.branch_features import read_ladders
from training.config import DataConfig, FusionConfig, TrainingConfig
from training.datasets.ladders import (
    _part,
    _rungs,
    _slab,
    draw_ladders,
    read_pairs,
    stored_ladders,
)
from training.degradations import DEGRADATIONS, Degradation
from training.picture_degradations import PICTURE_DEGRADATIONS
from training.run_folder import RunFolder

Pair = tuple[str, Volume, Volume]
RESOLUTION, BREATHING = (
    next(d for d in DEGRADATIONS if d.name == name) for name in ("PET resolution", "breathing")
)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return "body", *small_study()


def test_a_ladder_starts_at_the_original_and_ends_far_from_it(pair: Pair) -> None:
    ladders = draw_ladders([pair], 1, seed=2)
    assert [one.degradation for one in ladders] == [d.name for d in DEGRADATIONS]
    for one, degradation in zip(ladders, DEGRADATIONS, strict=True):
        assert one.pictures.shape == (len(degradation.strengths), 3, 224, 224)
        away = (one.pictures.float() - one.pictures[0]).abs().mean((1, 2, 3))
        assert away[0] == 0
        assert away[-1] > away[1] > 0, one.degradation


def test_the_same_seed_gives_the_same_ladders_and_another_seed_others(pair: Pair) -> None:
    first, again, other = (
        torch.stack([one.pictures for one in draw_ladders([pair], 2, seed=seed)])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("degradation", [RESOLUTION, BREATHING], ids=lambda d: d.name)
def test_a_slab_serves_as_the_whole_study_does(pair: Pair, degradation) -> None:
    """Resolution and breathing reach along the patient; the kept planes are enough for them."""
    _, ct, pet = pair
    centre = float(ct.geometry.ijk_to_lps[2, 3] + 12 * ct.geometry.ijk_to_lps[2, 2])
    strength = degradation.strengths[-1]
    whole = fuse_study(*degradation.apply(ct, pet, strength, 0))
    part = fuse_study(*degradation.apply(_slab(ct, centre), _slab(pet, centre), strength, 0))
    assert len(part) < len(whole)
    [k] = [i for i in range(len(part)) if abs(part.position_mm(i) - centre) < 0.01]
    assert np.abs(part[k].rgb.astype(int) - whole[12].rgb).max() <= 2


def test_the_chosen_slice_is_shown_as_an_assessment_shows_it(pair: Pair) -> None:
    """With the same proportions, too, where it is not square."""
    _, ct, pet = pair
    # The body's left part alone, cut through the middle: what is lit reaches the right edge.
    geometry = replace(ct.geometry, size=(24, *ct.geometry.size[1:]))
    ct = replace(ct, array=ct.array[:, :, :24], geometry=geometry)
    seed = next(s for s in range(20) if _shown_whole(pair, s))
    rungs = _rungs(ct, pet, 12, RESOLUTION, np.random.default_rng(seed))
    differences = [
        (rungs[0].int() - Preprocessing(size=224).resize(one.rgb)).abs().float().mean().item()
        for one in fuse_study(ct, pet)
    ]
    assert int(np.argmin(differences)) == 12
    assert (rungs[..., :46] == 0).all()  # bicubic reaches two pixels of 4.7
    assert (rungs[..., 178:] == 0).all()
    assert (rungs[:, :, 112, 160] > 0).any(1).all()


def _shown_whole(pair: Pair, seed: int) -> bool:
    """Whether a seed's picture is not laid on a larger field of view."""
    pictures = _rungs(*pair[1:], 12, replace(RESOLUTION, strengths=(0.0,)), _rng(seed))
    return bool(pictures[0, :, 100:124, 100:124].float().mean() > 20)


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def shorter(pet: Volume, count: int) -> Volume:
    geometry = replace(pet.geometry, size=(*pet.geometry.size[:2], count))
    return replace(pet, array=pet.array[:count], geometry=geometry)


def test_slices_that_the_pet_does_not_cover_give_no_ladder(pair: Pair) -> None:
    name, ct, pet = pair
    short = draw_ladders([(name, ct, shorter(pet, 6))], 6, seed=1, degradations=[RESOLUTION])
    assert len(short) == 6
    with pytest.raises(InputError, match="covers 2 of its 24 slices"):
        draw_ladders([(name, ct, shorter(pet, 2))], 1, seed=1)


def test_a_folder_without_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=tmp_path.name):
        read_pairs(tmp_path)


def test_studies_held_out_give_no_ladder_and_the_cache_gives_the_same(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [pair, ("second", *pair[1:])]
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: pairs)
    drawn = stored_ladders(tmp_path, 1, held_out=1, seed=1, cache=tmp_path)
    assert {one.patient for one in drawn} == {"body"}
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: [])
    cached = stored_ladders(tmp_path, 1, held_out=1, seed=1, cache=tmp_path)
    assert [one.degradation for one in cached] == [one.degradation for one in drawn]
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(drawn, cached, strict=True))
    # Nor are smaller pictures taken for larger ones.
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: pairs)
    fine = stored_ladders(tmp_path, 1, held_out=1, seed=1, cache=tmp_path, size=448)
    assert fine[0].pictures.shape[1:] == (3, 448, 448)
    nearest = fine[0].pictures[..., ::2, ::2].float() - drawn[0].pictures
    assert nearest.abs().mean() < 10  # the same slices in the same frame
    # What was drawn of other degradations is not taken for these.
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: pairs)
    monkeypatch.setattr("training.datasets.ladders.DEGRADATIONS", DEGRADATIONS[:-1])
    stored_ladders(tmp_path, 1, held_out=1, seed=1, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_varied_ladders_show_a_part_that_stays_where_it_is(pair: Pair) -> None:
    """What differs from rung to rung is the strength alone; no two ladders are alike."""
    still = Degradation("nothing", (0.0, 1.0, 2.0), "", lambda ct, pet, *_: (ct, pet))
    usual = draw_ladders([pair], 6, seed=1, degradations=(still,))
    varied = draw_ladders([pair], 6, seed=1, degradations=(still,), varied=True)
    for one in varied:
        assert all(torch.equal(one.pictures[0], rung) for rung in one.pictures[1:])
    assert not any(torch.equal(a.pictures, b.pictures) for a, b in zip(usual, varied, strict=True))
    assert len({one.pictures.numpy().tobytes() for one in varied}) == 6


@pytest.mark.parametrize("shape", [(40, 60, 3), (1, 3, 3)])
def test_a_part_is_at_least_half_of_each_side(shape: tuple[int, int, int]) -> None:
    rgb = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    sizes = [_part(rgb, np.random.default_rng(seed)).shape[:2] for seed in range(60)]
    long, short = max(shape[:2]), min(shape[:2])
    assert all(max(size) <= long and min(size) >= short // 2 for size in sizes)
    if short > 1:
        assert len(set(sizes)) > 30
        assert any(size[0] > size[1] for size in sizes)  # turned


def test_pictures_of_studies_get_more_of_one_distortion_at_a_time(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come after all others."""
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: [pair])
    fusion = FusionConfig(ladders=1, more_ladders={"PET counts": 1})
    config = TrainingConfig(fusion=fusion)
    few = read_ladders(config, RunFolder(tmp_path))
    many = read_ladders(
        replace(config, fusion=replace(fusion, study_picture_ladders=8)), RunFolder(tmp_path)
    )
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(few, many, strict=False))
    added = many[len(few) :]
    assert [one.degradation for one in added] == [
        how.name for how in PICTURE_DEGRADATIONS for _ in range(8)
    ]
    assert {one.patient for one in added} == {"body"}
    for one in added:
        away = (one.pictures.float() - one.pictures[0].float()).abs().mean((1, 2, 3))
        assert len(away) == 6
        assert away[5] > 0, one.degradation
        if one.degradation != "data set's JPEG":  # blocks on so smooth a body come and go
            assert (away[2:] > 0).all(), one.degradation
            assert (away[::2].diff() > 0).all(), one.degradation  # there are few specks at first
    # The first slices are those of `ladders`, here coded as the data set's pictures are.
    same = added[0].pictures[0].float() - few[0].pictures[0].float()
    assert same.abs().mean() < 2
    # At their own size the body fills the picture, on a whole field it has black around it.
    noise = [one.pictures for one in added if one.degradation == "data set's noise"]
    lit = [(pictures[0].amax(0) > 60).float().mean().item() for pictures in noise]
    assert max(lit) > 3 * min(lit)
    # What is added before the picture is enlarged is coarser than what is added afterwards.
    added_noise = [pictures[5].float() - pictures[0].float() for pictures in noise]
    coarse = [
        (d[..., 1:] - d[..., :-1]).square().mean().item() / d.square().mean().item()
        for d in added_noise
    ]
    assert max(coarse) > 2 * min(coarse)


def test_more_ladders_come_last_and_of_slices_of_their_own(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored of the others stays theirs, and no degradation gets another's slices."""
    monkeypatch.setattr("training.datasets.ladders.read_pairs", lambda _: [pair])
    data = DataConfig(cache="cache")
    config = TrainingConfig(data=data, fusion=FusionConfig(ladders=1, varied_ladders=0))
    folder = RunFolder(tmp_path / "run")
    few = read_ladders(config, folder)
    assert [one.degradation for one in few] == [d.name for d in DEGRADATIONS]
    more = replace(config.fusion, more_ladders={"PET resolution": 2, "PET counts": 3})
    many = read_ladders(replace(config, fusion=more), folder)
    assert [one.degradation for one in many[len(few) :]] == ["PET counts"] * 3 + [
        "PET resolution"
    ] * 2
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(few, many, strict=False))
    originals = torch.stack([one.pictures[0] for one in many[len(few) :]])
    assert not torch.equal(originals[0], originals[3])
    assert not torch.equal(originals[1], originals[4])
    # Without those of all degradations there are these alone.
    alone = read_ladders(replace(config, fusion=replace(more, ladders=0)), folder)
    assert [one.degradation for one in alone] == [one.degradation for one in many[len(few) :]]
