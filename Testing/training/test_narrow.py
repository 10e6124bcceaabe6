"""Narrow ResNets: what they learn from, and that side by side they are one ResNet-50."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from MSIQALib.errors import InputError
from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.channel_groups import by_groups
from MSIQALib.model.inference import fold_batch_norm
from training import group_teaching, narrow_training
from training.config import FusionConfig, NarrowConfig, NarrowPhase, TrainingConfig
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import Sampling, normalise, shrink, to_tensor
from training.datasets.groups import (
    SPECK_GRID,
    DistortedGroups,
    Group,
    draw_pairs,
    join,
    speck_map,
    speck_rate,
)
from training.datasets.labelled import LabelledImage
from training.datasets.pristine import pristine_piece
from training.datasets.vessels import draw_vessels
from training.distortions import COMBINATIONS, UNLISTED, Distortion
from training.group_teaching import teach
from training.initial_filters import fill_stem
from training.kept_parts import keep_parts
from training.learner import (
    ORDER_MARGIN,
    PLACES,
    combination_error,
    effects_error,
    expected_score_error,
)
from training.narrow import EXPANSION, NarrowLearner
from training.narrow_training import measure, part_states, train_part
from training.rounding import rounded
from training.run_folder import RunFolder
from training.schedule import warm_cosine
from training.widening import channels_of, cut_out, side_by_side

WIDTHS = (4, 4, 4, 4)
STEM = 8


def learner(seed: int = 0, own: int = 0) -> NarrowLearner:
    torch.manual_seed(seed)
    return NarrowLearner(STEM, WIDTHS, own_first=own)


def parts(count: int, own: int = 0) -> list[NarrowLearner]:
    """Learners with one stem and first stage, and normalisations that are not the identity.

    Channels of their own in the first stage are read by the second.
    """
    made = [learner(seed, own) for seed in range(count)]
    for number, one in enumerate(made):
        torch.manual_seed(100 + number)
        for name, buffer in one.stages.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
        shared = {
            k: v
            for k, v in made[0].stages.state_dict().items()
            if k.startswith(("conv1.", "bn1.", "layer1."))
        }
        one.stages.load_state_dict(one.stages.state_dict() | shared)
        if own:
            second = one.stages.layer2[0]
            for convolution in (second.conv1, second.downsample[0]):
                nn.init.normal_(convolution.weight)
    return made


def pristine() -> np.ndarray:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[200:300, 150:350] = (150, 120, 110)
    return picture


CLEAN = Distortion(0.0, 0.0, 100)


def groups(share: float = 1.0, size: int = 3, source: int = 64, **more: object) -> DistortedGroups:
    sampling = Sampling(source, 1.0, Variety())
    return DistortedGroups(
        (), [pristine()], share=share, sampling=sampling, size=size, seed=3, **more
    )


def taught(
    one: NarrowLearner, phases: tuple[NarrowPhase, ...], folder: Path, name: str, **more: object
) -> bool:
    return teach(
        one,
        phases,
        lambda phase, number: groups(size=phase.group_size),
        RunFolder(folder),
        name,
        checkpoint_minutes=60,
        **more,
    )


def test_groups_of_the_best_quality_may_stay_uncoded() -> None:
    """Without specks and noise such a picture is the piece itself, and a coded one is not."""
    for share in (0.0, 1.0):
        sampling = Sampling(64, 1.0, Variety(), uncoded=share)
        made = DistortedGroups((), [pristine()], share=1.0, sampling=sampling, size=150, seed=3)
        rng = np.random.default_rng([3, 0])
        assert rng.random() < 1
        piece = to_tensor(shrink(pristine_piece((pristine(),), 64, rng), sampling.input_size))
        group = made[0]
        clean = [n for n, c in enumerate(group.combination.tolist()) if COMBINATIONS[c] == CLEAN]
        assert clean
        for n in clean:
            assert torch.equal(group.pictures[n], piece) == bool(share)


def test_a_phase_says_how_many_stay_uncoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samplings: list[Sampling] = []
    monkeypatch.setattr(narrow_training, "read_slices", lambda *_: ())
    monkeypatch.setattr(
        group_teaching, "DistortedGroups", lambda *_, **o: samplings.append(o["sampling"])
    )
    phase = NarrowPhase(uncoded=0.3)
    monkeypatch.setattr(narrow_training, "teach", lambda *a, **_: a[2](phase, 0))
    config = TrainingConfig(narrow=NarrowConfig(trunk=(phase,)))
    monkeypatch.setattr(narrow_training, "measure", lambda *_, **__: None)
    train_part(config, RunFolder(tmp_path), narrow_training.TRUNK)
    assert [s.uncoded for s in samplings] == [0.3]


def ladder_group() -> Group:
    clean = CleanSlice("body", np.full((60, 60), 40, np.int16), np.full((60, 60), 2, np.float16))
    variety = Variety(no_pet=0, table=0, vessels=0, soften=0)
    sampling = Sampling(256, 1.0, variety)
    return DistortedGroups((clean,), [], share=0, sampling=sampling, size=4, seed=3, ladders=1.0)[0]


@pytest.mark.parametrize("own", [0, 3])
def test_parts_side_by_side_compute_what_each_computes_alone(own: int) -> None:
    made = parts(3, own)
    wide = ResNetStages(stages=4, pretrained=False)
    wide.load_state_dict(side_by_side([one.stages.state_dict() for one in made]))
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        outputs = wide.eval()(image)
        alone = [one.stages.eval()(image) for one in made]
    for part, expected_stages in enumerate(alone):
        masks = channels_of(part, [EXPANSION * w for w in WIDTHS], EXPANSION * own)
        for stage, mask, expected in zip(outputs, masks, expected_stages, strict=True):
            torch.testing.assert_close(stage[:, mask], expected, atol=1e-5, rtol=1e-4)
            assert expected.std() > 0
    assert outputs[3][:, 3 * EXPANSION * WIDTHS[3] :].abs().max() == 0


@pytest.mark.parametrize(("count", "own"), [(1, 0), (3, 0), (3, 3)])
def test_the_engine_computes_parts_one_by_one(count: int, own: int) -> None:
    made = parts(count, own)
    for module in nn.ModuleList(made).modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.constant_(module.weight, 0.5)  # blocks begin as nothing; these have learned
    wide = ResNetStages(stages=4, pretrained=False)
    wide.load_state_dict(side_by_side([one.stages.state_dict() for one in made]))
    image = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        wanted = wide.eval()(image)
        fast = by_groups(fold_batch_norm(wide))
        assert fast is not None
        assert [len(stage[0].first) for stage in fast.stages] == [
            1 + count * bool(own),
            *[count] * 3,
        ]
        given = fast(image)
    for stage, other in zip(given, wanted, strict=True):
        assert stage.shape == other.shape
        assert stage.std() > 0
        torch.testing.assert_close(stage, other, atol=1e-5, rtol=1e-4)


def test_parts_that_do_not_share_their_first_stage_are_refused() -> None:
    with pytest.raises(ValueError, match=r"differ in conv1\.weight"):
        side_by_side([learner(0).stages.state_dict(), learner(1).stages.state_dict()])


def test_parts_that_do_not_fit_are_refused() -> None:
    torch.manual_seed(0)
    state = NarrowLearner(STEM, (4, 100, 4, 4)).stages.state_dict()
    with pytest.raises(ValueError, match=r"2 parts are too wide for layer2"):
        side_by_side([state, state])


def test_fresh_channels_of_a_parts_own_change_nothing_that_it_gave() -> None:
    old, new = learner(1), learner(2, own=3)
    state = new.stages.state_dict()
    wide = side_by_side([old.stages.state_dict()])
    new.stages.load_state_dict(cut_out(wide, state, 0))
    kept = new.stages.state_dict()
    fresh = [key for key in kept if key.startswith("own.")]
    assert fresh
    assert all(torch.equal(kept[key], state[key]) for key in fresh)
    assert not new.stages.own_is_read
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, given = old.eval().stages(image), new.eval().stages(image)
    shared = EXPANSION * WIDTHS[0]
    torch.testing.assert_close(given[0][:, :shared], wanted[0])
    assert given[0][:, shared:].std() > 0
    for stage, other in zip(given[1:], wanted[1:], strict=True):
        torch.testing.assert_close(stage, other)


def test_unused_channels_of_a_stem_become_points() -> None:
    """They answer to a speck of one colour wherever it lies, and to no grey picture."""
    small, large = NarrowLearner(STEM, WIDTHS), NarrowLearner(STEM + 16, WIDTHS)
    wide = side_by_side([small.stages.state_dict()])
    state = cut_out(wide, large.stages.state_dict(), 0)
    fill_stem(state)
    large.stages.load_state_dict(state)
    assert torch.equal(state["conv1.weight"][:STEM], small.stages.conv1.weight)
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, given = small.eval().stages(image), large.eval().stages(image)
        for stage, other in zip(given, wanted, strict=True):
            torch.testing.assert_close(stage, other)
        stem = nn.Sequential(large.stages.conv1, large.stages.bn1, nn.ReLU())
        grey = torch.randn(1, 1, 64, 64).expand(1, 3, 64, 64)
        for colour in range(3):
            points = slice(STEM + 4 * colour, STEM + 4 * colour + 4)
            assert stem(grey)[:, points].abs().max() < 1e-5
            for row, column in ((20, 20), (20, 21), (21, 20), (21, 21)):
                speck = torch.zeros(1, 3, 64, 64)
                speck[0, colour, row, column] = 1
                answer = stem(speck)[0, STEM : STEM + 12].amax((1, 2)).view(3, 4)
                assert answer.amax(1).argmax() == colour
                assert answer[colour].max() == pytest.approx(4, rel=1e-3)


def test_own_channels_learn_with_the_readers_until_they_are_read(tmp_path: Path) -> None:
    """What all parts share stays as it is all the while, though decay would move it too."""
    one = learner(1, own=3)
    one.freeze_first()
    phase = NarrowPhase(steps=2, source_size=64, groups=2, group_size=2, readers_only=True)

    def moved(name: str, phases: tuple[NarrowPhase, ...]) -> set[str]:
        before = {k: v.clone() for k, v in one.stages.named_parameters()}
        assert taught(one, phases, tmp_path, name)
        now = dict(one.stages.named_parameters())
        return {k.split(".")[0] for k, v in before.items() if not torch.equal(v, now[k])}

    assert moved("readers", (phase,)) == {"own"}
    all_learn = moved("all", (replace(phase, readers_only=False),))
    assert all_learn == {"own", "layer2", "layer3", "layer4"}
    assert one.stages.own_is_read
    assert moved("again", (phase,)) == set()


@pytest.mark.parametrize("own", [0, 3])
def test_a_part_is_cut_out_as_it_was(own: int) -> None:
    states = [one.stages.state_dict() for one in parts(3, own)]
    wide = side_by_side(states)
    for number, state in enumerate(states):
        again = cut_out(wide, states[0], number)
        assert all(torch.equal(again[key], state[key]) for key in state)


def test_no_part_is_cut_out_of_what_has_none() -> None:
    states = [one.stages.state_dict() for one in parts(2)]
    with pytest.raises(ValueError, match=r"no part 200 in layer2"):
        cut_out(side_by_side(states), states[0], 200)
    torch.manual_seed(0)
    narrower = NarrowLearner(STEM, (4, 3, 3, 3)).stages.state_dict()
    with pytest.raises(ValueError, match="channels that are not its own"):
        cut_out(side_by_side(states), narrower, 0)
    whole = ResNetStages(stages=4, pretrained=False).state_dict()
    with pytest.raises(ValueError, match="channels that are not its own"):
        cut_out(whole, states[0], 0)
    with_own = side_by_side([one.stages.state_dict() for one in parts(2, own=3)])
    with pytest.raises(ValueError, match="channels that are not its own"):
        cut_out(with_own, states[0], 0)


def test_parts_are_mixed_with_what_they_began_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, folder = parts(2), RunFolder(tmp_path)
    wide = ResNetStages(stages=4, pretrained=False)
    wide.load_state_dict(side_by_side([one.stages.state_dict() for one in began]))
    start = SimpleNamespace(network=SimpleNamespace(resnet=wide))
    monkeypatch.setattr(narrow_training, "load_model", lambda _: start)
    learnt = [learner(seed) for seed in (7, 8)]
    for name, one in zip("AB", learnt, strict=True):
        folder.save(name, {"learner": one.state_dict()})
    narrow = NarrowConfig(stem=STEM, widths=WIDTHS, start_share=0.25)
    mixed = part_states(TrainingConfig(start="old", narrow=narrow), folder, "AB")
    for state, old, new in zip(mixed, began, learnt, strict=True):
        first, last = old.stages.state_dict(), new.stages.state_dict()
        for key, value in state.items():
            if value.is_floating_point():
                torch.testing.assert_close(value, 0.25 * first[key] + 0.75 * last[key])
    alone = part_states(TrainingConfig(narrow=replace(narrow, start_share=0.0)), folder, "AB")
    assert torch.equal(alone[1]["layer4.2.conv3.weight"], learnt[1].stages.layer4[2].conv3.weight)

    kept = TrainingConfig(start="old", narrow=replace(narrow, start_share=1.0))
    for state, old in zip(
        part_states(kept, RunFolder(tmp_path / "none"), "AB"), began, strict=True
    ):
        for key, value in old.stages.state_dict().items():
            assert torch.equal(state[key], value), key
    narrower = replace(kept.narrow, widths=(WIDTHS[0], *(w // 2 for w in WIDTHS[1:])))
    with pytest.raises(InputError, match=r"old: .* Give narrow\.stem, narrow\.widths and"):
        part_states(replace(kept, narrow=narrower), folder, "AB")


def test_taught_parts_are_kept_in_a_file_and_taken_from_it(tmp_path: Path) -> None:
    learnt, folder = parts(2, own=3), RunFolder(tmp_path / "run")
    for name, one in zip("AB", learnt, strict=True):
        folder.save(name, {"learner": one.state_dict()})
    path = tmp_path / "parts" / "run.safetensors"
    keep_parts(folder, "AB", path)
    narrow = NarrowConfig(stem=STEM, widths=WIDTHS, own_first=3, taught=str(path))
    config = TrainingConfig(narrow=narrow)
    states = part_states(config, RunFolder(tmp_path / "other"), "AB")
    for state, one in zip(states, learnt, strict=True):
        wanted = one.stages.state_dict()
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[key], wanted[key]) for key in wanted)
    with pytest.raises(InputError, match="no part C"):
        part_states(config, folder, "ABC")
    with pytest.raises(InputError, match="part A is another network"):
        part_states(replace(config, narrow=replace(narrow, own_first=2)), folder, "AB")
    path.write_bytes(b"none")
    with pytest.raises(InputError, match="cannot be read"):
        part_states(config, folder, "AB")
    with pytest.raises(InputError, match="lacks part C"):
        keep_parts(folder, "ABC", path)


def test_every_part_has_channels_of_its_own_after_the_first_stage() -> None:
    first, second = channels_of(0, [16] * 4), channels_of(1, [16] * 4)
    assert torch.equal(first[0], second[0])
    assert all(not (a & b).any() for a, b in zip(first[1:], second[1:], strict=True))
    assert [int(m.sum()) for m in second] == [16] * 4
    first, second = channels_of(0, [16] * 4, 8), channels_of(1, [16] * 4, 8)
    assert (first[0] & second[0]).nonzero().flatten().tolist() == list(range(16))
    assert [int(m.sum()) for m in second] == [24, 16, 16, 16]


def test_combination_error_is_a_cross_entropy_with_lambda_once_more() -> None:
    combination = torch.tensor([0, 13, 26])
    sure = torch.full((3, 27), -100.0)
    sure[range(3), combination] = 100.0
    assert combination_error(sure.log_softmax(1), combination) == pytest.approx(0, abs=1e-6)
    even = torch.zeros(3, 27).log_softmax(1)
    expected = math.log(27) + 0.5 * math.log(3)
    assert combination_error(even, combination).item() == pytest.approx(expected, rel=1e-6)
    # Knowing lambda alone leaves ln 9; index 13 is lambda 0.005.
    assert COMBINATIONS[13].lam == 0.005
    known = torch.full((1, 27), -100.0)
    known[:, 9:18] = 0.0
    error = combination_error(known.log_softmax(1), combination[1:2])
    assert error.item() == pytest.approx(math.log(9), rel=1e-6)


def test_unlisted_combinations_do_not_count() -> None:
    logs = torch.randn(2, 27).log_softmax(1)
    both = combination_error(logs, torch.tensor([5, UNLISTED]))
    assert both == combination_error(logs[:1], torch.tensor([5]))
    assert combination_error(logs, torch.tensor([UNLISTED, UNLISTED])) == 0


def test_expected_score_is_that_of_the_probabilities() -> None:
    means = torch.arange(27) / 10
    logs = torch.full((2, 27), -100.0)
    logs[0, [10, 20]] = math.log(0.5)  # promises 1.5
    logs[1, 5] = 0.0
    combination = torch.tensor([12, UNLISTED])
    # Smooth L1 with its bend at 0.2: 0.3 off costs 0.3 - 0.1.
    error = expected_score_error(logs, combination, means)
    assert error.item() == pytest.approx(0.2, abs=1e-5)
    assert expected_score_error(logs[1:], combination[1:], means) == 0
    assert expected_score_error(logs[1:], torch.tensor([5]), means).item() == pytest.approx(0)


def test_pairs_differ_in_lambda_alone() -> None:
    drawn = draw_pairs(np.random.default_rng(0), 0.7, 4000)
    listed = 0
    for one, other in zip(drawn[::2], drawn[1::2], strict=True):
        if one in COMBINATIONS:
            listed += 1
            assert other in COMBINATIONS
            assert (one.sigma, one.quality) == (other.sigma, other.quality)
            assert one.lam != other.lam
        else:
            assert one != other
    assert 0.65 < listed / 2000 < 0.75
    counts = np.bincount([COMBINATIONS.index(d) for d in drawn if d in COMBINATIONS], minlength=27)
    assert counts.min() > 0.6 * counts.max(), "every combination is as frequent as any other"


def test_ladders_are_ordered_and_nothing_else() -> None:
    group = ladder_group()
    assert group.ladders.tolist() == [[0, 1, 2, 3]]
    assert group.levels.isnan().all()
    assert (group.combination == UNLISTED).all()
    assert group.specks.max() == 0
    joined = join([groups(size=4, source=256)[0], group, group])
    assert joined.ladders.tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]
    assert torch.equal(joined.pictures[joined.ladders[1]], group.pictures)


def test_loss_teaches_the_order_of_ladders() -> None:
    group = ladder_group()
    one = learner().train()
    images = normalise(group.pictures)
    optimiser = torch.optim.AdamW(one.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = one.loss(images, group)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    with torch.no_grad():
        places = one.readers[0](one.stages(images)[0])[2][:, 0]
    assert (places[:-1] - places[1:] > ORDER_MARGIN / 2).all()


def test_loss_moves_the_place_of_an_effect_and_no_other() -> None:
    group = ladder_group()
    assert len(group.effects) == 1
    own = 1 + int(group.effects)
    one = learner().train()
    images = normalise(group.pictures)
    optimiser = torch.optim.AdamW(one.parameters(), lr=3e-3)
    for _ in range(40):
        loss = one.loss(images, group, apart=True)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        places = one.readers[0](one.stages(images)[0])[2]
    falls = places[0] - places[-1]
    assert falls[own] > ORDER_MARGIN
    others = [place for place in range(1, PLACES) if place != own]
    assert (falls[others].abs() < falls[own] / 5).all()


def test_effects_error_asks_one_place_to_fall_and_the_others_to_stay() -> None:
    falling = -ORDER_MARGIN * torch.arange(4.0)
    right = torch.zeros(2, 4, 3)
    right[0, :, 2] = falling + 7
    right[1, :, 0] = falling
    right[1, :, 1] = 5
    effects = torch.tensor([2, 0])
    assert effects_error(right, effects) == pytest.approx(0, abs=1e-6)
    # Pair (i, j) asks for ORDER_MARGIN (j - i) and gets nothing: 10 / 6 of it on average;
    # of four places that are asked to stay, one falls.
    wrong = right[:1].expand(2, -1, -1)
    expected = ORDER_MARGIN * 10 / 6 / 2 + float(falling.var(unbiased=False)) / 4
    assert effects_error(wrong, effects) == pytest.approx(expected, rel=1e-5)


def test_joined_groups_keep_what_each_ladder_is_of() -> None:
    group = ladder_group()
    none = groups(size=4, source=256)[0]
    assert len(none.effects) == 0
    joined = join([none, group, group])
    assert joined.effects.tolist() == 2 * group.effects.tolist()


def test_sixteen_bits_teach_the_same_and_leave_heads_and_weights_in_32() -> None:
    group, one = ladder_group(), learner().train()
    images = normalise(group.pictures)
    gradients = []
    for bf16 in (False, True):
        one.zero_grad()
        loss = one.loss(images, group, bf16=bf16)
        loss.backward()
        assert loss.dtype == torch.float32
        gradients.append(torch.cat([p.grad.flatten() for p in one.parameters()]))
    assert not torch.equal(*gradients), "16 bits were used"
    assert torch.cosine_similarity(*gradients, dim=0) > 0.95
    assert {p.dtype for p in one.parameters()} == {torch.float32}


def test_means_of_scores_take_part_where_they_are_given() -> None:
    group = groups(size=8, source=64)[0]
    torch.manual_seed(0)
    with_means = NarrowLearner(STEM, WIDTHS, torch.linspace(0, 4, 27))
    images = normalise(group.pictures)
    assert with_means.loss(images, group) > learner().loss(images, group)
    assert with_means.state_dict().keys() == learner().state_dict().keys()


def test_readers_alone_leave_the_network_as_it_is(tmp_path: Path) -> None:
    phases = (
        NarrowPhase(steps=2, source_size=64, groups=2, group_size=2, readers_only=True),
        NarrowPhase(steps=1, source_size=64, groups=2, group_size=2),
    )
    one = learner()
    one.freeze_first()

    def weights() -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in one.named_parameters()}

    before, seen = weights(), []

    def after_each_step() -> bool:
        seen.append(weights())
        return False

    taught(one, phases, tmp_path, "A", stop=after_each_step)
    changed = [{n for n in before if not torch.equal(before[n], w[n])} for w in seen]
    assert all(n.startswith(("readers.", "maps.")) for n in changed[1])
    assert "readers.0.out.weight" in changed[1]
    assert "stages.layer2.0.conv1.weight" in changed[2]
    assert "stages.conv1.weight" not in changed[2]


def test_speck_map_counts_where_they_are() -> None:
    clean = np.zeros((64, 64, 3), np.uint8)
    specked = clean.copy()
    specked[0, 0, 1] = specked[0, 0, 2] = 255  # two values of cell (0, 0)
    specked[40, 63, 0] = 255  # one of cell (2, 3)
    counted = speck_map(clean, specked, 4)[0]
    values = 16 * 16 * 3
    assert counted[0, 0].item() == pytest.approx((2 * 100 / values) ** 0.5)
    assert counted[2, 3].item() == pytest.approx((100 / values) ** 0.5)
    assert (counted > 0).sum() == 2


def test_lambda_is_what_the_specks_that_are_there_give() -> None:
    clean = np.full((64, 64, 3), 51, np.uint8)  # a fifth of white
    specked = clean.copy()
    specked.reshape(-1)[: 64 * 3] = 255
    assert speck_rate(clean, specked) == 0.06
    specked.reshape(-1)[: 64 * 3 - 60] = 51
    assert speck_rate(clean, specked) == pytest.approx(60 / (64 * 64 * 3 / 5))
    clean[:] = 255
    assert speck_rate(clean, clean) == 0
    black = np.zeros((64, 64, 3), np.uint8)
    assert speck_rate(black, black) == 0
    levels = join([groups(size=24, source=512)[i] for i in range(2)]).levels[:, 0]
    drawn = sorted({round(v, 1) for v in levels.tolist()})
    assert drawn[0] == 0
    assert len(set(levels.tolist())) > 10, "no two pictures have the same specks"
    assert 0.6 < levels[levels > 0].min() < 0.8 < levels.max() < 1.2


def test_groups_share_their_content_and_repeat() -> None:
    drawn = groups(source=512)
    group, again, other = drawn[4], groups(source=512)[4], drawn[5]
    assert torch.equal(group.pictures, again.pictures)
    assert not torch.equal(group.pictures, other.pictures)
    assert group.pictures.shape == (3, 3, 224, 224)
    assert group.specks.shape == (3, 1, SPECK_GRID, SPECK_GRID)
    means = group.pictures.float().mean((1, 2, 3))
    assert means.std() < 3
    assert len(set(group.combination.tolist())) > 1
    joined = join([group, other])
    assert len(joined.pictures) == len(joined.levels) == len(joined.combination) == 6


def test_specks_are_where_lambda_is_not_zero() -> None:
    group = join([groups(size=9)[i] for i in range(6)])
    specked = group.specks.amax((1, 2, 3)) > 0
    assert torch.equal(specked, group.levels[:, 0] > 0)


def test_small_pristine_pieces_show_the_body() -> None:
    rng = np.random.default_rng(0)
    pieces = [pristine_piece([pristine()], 128, rng) for _ in range(40)]
    assert all(piece.shape == (128, 128, 3) and piece.max() > 60 for piece in pieces)


def test_vessels_are_drawn_in_place_and_repeat() -> None:
    canvases = [np.zeros((256, 256, 3), np.uint8) for _ in range(2)]
    for canvas in canvases:
        draw_vessels(canvas, np.random.default_rng(1))
    assert np.array_equal(*canvases)
    assert canvases[0].max() > 40


def test_rate_rises_falls_and_ends_at_its_last_share() -> None:
    shares = [warm_cosine(i / 100, 0.1, 0.25) for i in range(101)]
    assert shares[0] < 0.02
    assert max(shares) == pytest.approx(1)
    assert shares[:10] == sorted(shares[:10])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[-1] == pytest.approx(0.25)


def test_interrupted_teaching_ends_with_the_same_weights(tmp_path: Path) -> None:
    phases = (
        NarrowPhase(steps=2, source_size=64, groups=2, group_size=2),
        NarrowPhase(steps=2, source_size=64, groups=2, group_size=2, learning_rate=1e-3),
    )

    def run(folder: str, stop_at: int | None) -> NarrowLearner:
        one, done = learner(), []

        def stop() -> bool:
            done.append(1)
            return len(done) == stop_at

        taught(one, phases, tmp_path / folder, "trunk", stop=stop)
        return one

    straight = run("a", None)
    for stop_at in (1, 2, 3):
        run(f"b{stop_at}", stop_at)
        resumed = run(f"b{stop_at}", None)
        ours, theirs = straight.state_dict(), resumed.state_dict()
        assert all(torch.equal(ours[k], theirs[k]) for k in ours), stop_at


def statistics(one: nn.Module) -> dict[str, torch.Tensor]:
    return {name: b.clone() for name, b in one.named_buffers() if "running" in name}


def test_kept_statistics_are_measured_once_and_stay(tmp_path: Path) -> None:
    usual = NarrowPhase(steps=1, source_size=64, groups=2, group_size=2)
    phases = (usual, replace(usual, steps=2, kept_statistics=16))
    measured: list[int] = []

    def run(stop_after: int) -> NarrowLearner:
        one, done = learner(), []

        def measure(phase: NarrowPhase) -> None:
            measured.append(phase.kept_statistics)
            for name, buffer in one.named_buffers():
                if "running" in name:
                    buffer.fill_(0.5)

        def stop() -> bool:
            done.append(statistics(one)["stages.bn1.running_mean"].mean().item())
            return len(done) == stop_after

        taught(one, phases, tmp_path, "A", measure=measure, stop=stop)
        assert done[-1] == 0.5
        return one

    begun = run(2)
    weights = begun.stages.layer2[0].conv1.weight.clone()
    ended = run(0)
    assert measured == [16], "not again where the phase goes on"
    assert all((buffer == 0.5).all() for buffer in statistics(ended).values())
    assert not torch.equal(ended.stages.layer2[0].conv1.weight, weights)


def test_what_is_frozen_is_not_measured_anew() -> None:
    one = learner()
    one.freeze_first()
    before = statistics(one)
    clean = CleanSlice("body", np.full((60, 60), 40, np.int16), np.full((60, 60), 2, np.float16))
    measure(one, TrainingConfig(), (clean,), 16)
    same = {name for name, value in statistics(one).items() if torch.equal(value, before[name])}
    assert same == {n for n in before if n.startswith(("stages.bn1.", "stages.layer1."))}


def test_statistics_are_of_as_many_uncoded_pictures_as_the_phase_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samplings: list[Sampling] = []
    clean = CleanSlice("body", np.full((60, 60), 40, np.int16), np.full((60, 60), 2, np.float16))
    distorted = narrow_training.DistortedSlices

    def noted(slices: tuple[CleanSlice, ...], sampling: Sampling, **options: Any) -> Any:
        samplings.append(sampling)
        return distorted(slices, sampling, **options)

    monkeypatch.setattr(narrow_training, "read_slices", lambda *_: (clean,))
    monkeypatch.setattr(narrow_training, "DistortedSlices", noted)
    phase = NarrowPhase(steps=0, kept_statistics=16, uncoded=0.3)
    narrow, fusion = NarrowConfig(trunk=(phase,)), FusionConfig(statistics=0, uncoded=0.2)
    config = TrainingConfig(narrow=narrow, fusion=fusion)
    train_part(config, RunFolder(tmp_path), narrow_training.TRUNK)
    assert [s.uncoded for s in samplings] == [0.3, 0.2]


def test_killed_teaching_logs_each_step_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_teaching, "LOG_EVERY", 1)
    phases = (NarrowPhase(steps=2, source_size=64, groups=2, group_size=2),) * 2
    steps = iter(range(1, 100))

    def killed() -> bool:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        taught(learner(), phases, tmp_path, "A", stop=killed)
    assert taught(learner(), phases, tmp_path, "A")
    rows = [line.split(",")[:2] for line in (tmp_path / "A.csv").read_text().splitlines()]
    assert rows[1:] == [["0", "1"], ["0", "2"], ["1", "1"], ["1", "2"]]


def test_a_part_keeps_the_first_stage_and_never_sees_its_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = NarrowPhase(steps=1, source_size=64, groups=2, group_size=2)
    config = TrainingConfig(
        narrow=NarrowConfig(STEM, WIDTHS, trunk=(phase,), parts=(phase,), pristine=1.0)
    )
    images = [
        LabelledImage(Path(name), name[0], name[1], Distortion(0.0, 0.0, quality), 3.0)
        for name, quality in (("A1", 100), ("B1", 100), ("B1", 40), ("C1", 100))
    ]
    read: list[str] = []

    def reads(image: LabelledImage) -> np.ndarray:
        read.append(image.path.name)
        return pristine()

    monkeypatch.setattr(LabelledImage, "read", reads)
    monkeypatch.setattr(narrow_training, "read_images", lambda *_: images)
    monkeypatch.setattr(narrow_training, "read_slices", lambda *_: ())
    folder = RunFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="lacks the trunk"):
        train_part(config, folder, "A")
    trunk = learner()
    folder.save("trunk", {"learner": trunk.state_dict()})
    train_part(config, folder, "A")
    assert read == ["B1", "C1"]
    taught = folder.load("A")["learner"]
    before = trunk.state_dict()
    same = {k for k in before if torch.equal(before[k], taught[k])}
    shared = {k for k in before if k.startswith(("stages.conv1.", "stages.bn1.", "stages.layer1."))}
    assert shared <= same
    assert "stages.layer2.0.conv1.weight" not in same


def test_means_are_of_the_other_patients_and_of_all_combinations() -> None:
    images = [
        LabelledImage(Path("x"), patient, "1", done, score)
        for patient, score in (("B", 1.0), ("C", 2.0))
        for done in COMBINATIONS
    ]
    assert narrow_training._means(images).tolist() == [1.5] * 27
    assert narrow_training._means(images[:26]) is None


def test_rounded_weights_take_part_and_the_exact_ones_learn(tmp_path: Path) -> None:
    one = learner()
    exact = one.stages.conv1.weight.clone()
    with rounded(one.stages):
        shipped = one.stages.conv1.weight.clone()
        steps = shipped / (exact.flatten(1).abs().amax(1)[:, None, None, None] / 127)
        torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert torch.equal(one.stages.conv1.weight, exact)
    assert not torch.equal(shipped, exact)

    seen: list[torch.Tensor] = []
    forward = one.stages.forward
    one.stages.forward = lambda x: seen.append(one.stages.conv1.weight.clone()) or forward(x)
    phase = NarrowPhase(steps=1, source_size=64, groups=2, group_size=2, rounded=True)
    taught(one, (phase,), tmp_path, "A")
    assert torch.equal(seen[0], shipped)
    learnt = one.stages.conv1.weight
    assert 0 < (learnt - exact).abs().max() < 2 * phase.learning_rate
