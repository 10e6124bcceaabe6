"""The fusion learns strengths and the order of ladders, and folds what it standardised."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from MSIQALib.model.agca import AGCA
from MSIQALib.model.config import ModelConfig
from training import fusion_readers, fusion_teaching
from training.config import FusionConfig
from training.distortions import COMBINATIONS, UNLISTED
from training.fused_vectors import FusedVectors
from training.fusion_readers import FusionReaders, place_readers
from training.fusion_teaching import (
    Averaged,
    Standardised,
    _moments,
    open_attention,
    teach_fusion,
)
from training.losses import ladder_error
from training.stored_features import StoredFeatures, StoredLadders

LENGTH, INPUTS = 768, 40
DEAD = (3, 17)


class StubFusion(nn.Module):
    """One 1x1 convolution gives F_W; the last map goes on as F_S."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.ModuleList([nn.Conv2d(INPUTS, LENGTH, 1)])

    def forward(self, stages: list[tuple[Tensor]], last: Tensor) -> tuple[Tensor, Tensor]:
        return self.reduce[0](stages[0][0]), last


class AttendingFusion(StubFusion):
    """The same under attention."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.ModuleList([AGCA(LENGTH, "softmax")])

    def forward(self, stages: list[tuple[Tensor]], last: Tensor) -> tuple[Tensor, Tensor]:
        return self.attend[0](self.reduce[0](stages[0][0])), last


class StubNetwork(nn.Module):
    def __init__(self, kind: type[StubFusion] = StubFusion) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = ModelConfig(pretrained=False)
        self.fusion = kind()


def features(n: int, seed: int = 0) -> StoredFeatures:
    """Channel 0 tells the combination, faintly beside channels that tell nothing."""
    generator = torch.Generator().manual_seed(seed)
    combination = torch.randint(27, (n,), generator=generator)
    stage = 50 * torch.randn(n, INPUTS, 7, 7, generator=generator) + 20
    stage[:, 0] = 0.1 * (combination // 9)[:, None, None]
    stage[:, DEAD] = 5.0
    levels = torch.stack([(combination // 9) / 2.0, torch.zeros(n), torch.zeros(n)], 1)
    return StoredFeatures(
        stages=(stage.half(),),
        last=torch.zeros(n, LENGTH, 7, 7).half(),
        levels=levels,
        combination=combination,
        score=torch.zeros(n),
        owner=("F",) * n,
    )


def test_teaching_finds_a_faint_channel() -> None:
    network = StubNetwork()
    errors = teach_fusion(network, features(160), FusionConfig(fusion_epochs=6), seed=1)
    assert len(COMBINATIONS) == 27
    assert errors[-1] < 0.8 * errors[0]


def test_channels_that_never_change_get_no_weight() -> None:
    network = StubNetwork()
    teach_fusion(network, features(48), FusionConfig(fusion_epochs=1), seed=1)
    weight = network.fusion.reduce[0].weight
    assert weight.shape == (LENGTH, INPUTS, 1, 1)
    assert weight[:, DEAD].abs().max() == 0
    assert weight[:, 0].abs().min() > 0


def test_what_was_standardised_is_folded_into_the_convolutions() -> None:
    given = features(70)
    standardised = Standardised(given, noise=0.2)
    whole = StubFusion().reduce
    taught = standardised.convolutions(whole)
    standardised.put_back(whole, taught)
    values = given.stages[0].float()
    alive = [c for c in range(INPUTS) if c not in DEAD]
    mean, deviation = _moments(values)
    z = (values - mean[:, None, None])[:, alive] / deviation[alive, None, None]
    torch.testing.assert_close(whole[0](values), taught[0](z), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_stages_get_the_noise_that_is_asked_for(noise: float) -> None:
    torch.manual_seed(0)
    given, chosen = features(70), torch.arange(70)
    (noisy,) = Standardised(given, noise)(given, chosen)
    (clean,) = Standardised(given, 0.0)(given, chosen)
    torch.testing.assert_close(clean.std((0, 2, 3)), torch.ones(clean.shape[1]), rtol=0.02, atol=0)
    assert (noisy - clean).std().item() == pytest.approx(noise, rel=0.02)


def test_the_configuration_says_how_much_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    class Recorded(Standardised):
        def __init__(self, features: StoredFeatures, noise: float) -> None:
            given.append(noise)
            super().__init__(features, noise)

    monkeypatch.setattr(fusion_teaching, "Standardised", Recorded)
    config = FusionConfig(fusion_epochs=1, stage_noise=0.4)
    teach_fusion(StubNetwork(), features(48), config, seed=1)
    assert given == [0.4]


def test_half_of_the_channels_begin_as_what_attention_makes_of_them() -> None:
    """A constant channel under attention gives f_w a function of the averages alone."""
    standardised = Standardised(features(40), noise=0.2)
    reduce = standardised.convolutions(StubFusion().reduce)[0]
    attention = AGCA(LENGTH, "softmax")
    one = torch.randn(1, INPUTS - len(DEAD), 7, 7, generator=torch.Generator().manual_seed(0))
    other = one.flatten(2)[..., torch.randperm(49)].view_as(one)
    with torch.no_grad():
        assert (reduce(one)[:, LENGTH // 2 :] == 1).all()
        first, second = (attention(reduce(x)).amax((2, 3)) for x in (one, other))
        brighter = attention(reduce(one + 1)).amax((2, 3))
    constant = slice(LENGTH // 2, None)
    torch.testing.assert_close(first[:, constant], second[:, constant])
    assert not torch.allclose(first[:, constant], brighter[:, constant])
    assert reduce(one)[:, : LENGTH // 2].std() > 0.1


@pytest.mark.parametrize("a_step", [1, 2])
def test_order_of_ladders_is_learnt(monkeypatch: pytest.MonkeyPatch, a_step: int) -> None:
    """The error of their order falls, each ladder's rungs come in theirs, as the times say.

    Ladders of another degradation, which says the opposite, are drawn never.
    """
    rungs, channel = 4, 9
    given, pictures = features(160), features(8 * rungs, seed=2)
    fall = 100.0 * torch.arange(rungs).repeat(8)[:, None, None]
    fall[4 * rungs :] *= -1
    pictures.stages[0][:, channel] -= fall
    ladders = StoredLadders(pictures, rungs, ("CT dose",) * 4 + ("PET counts",) * 4)
    errors: list[float] = []

    def recorded(scores: Tensor, margin: float) -> Tensor:
        assert scores.shape == (a_step, rungs)
        error = ladder_error(scores, margin)
        errors.append(error.item())
        return error

    monkeypatch.setattr(fusion_readers, "ladder_error", recorded)
    config = FusionConfig(
        fusion_epochs=4,
        fusion_rate=1e-2,
        fusion_ladders=a_step,
        fusion_ladder_times={"PET counts": 0.0},
    )
    teach_fusion(StubNetwork(), given, config, seed=1, ladders=ladders)
    assert len(errors) == 2 * 4 * 10
    of_fw = errors[::2]  # F_S is constant here
    assert sum(of_fw[-10:]) < 0.2 * sum(of_fw[:10])


def climbing(ladders: int, rungs: int) -> StoredLadders:
    """Ladders on which one channel falls."""
    pictures = features(ladders * rungs, seed=2)
    pictures.stages[0][:, 9] -= 100.0 * torch.arange(rungs).repeat(ladders)[:, None, None]
    return StoredLadders(pictures, rungs, ("CT dose",) * ladders)


def test_averaged_ladders_give_f_w_of_stages_that_are_alike_in_all_cells() -> None:
    ladders, network = climbing(2, 3), StubNetwork(AttendingFusion)
    standardised = Standardised(features(40), noise=0.0)
    network.fusion.reduce = standardised.convolutions(network.fusion.reduce)
    average = ladders.features.stages[0].float().mean((2, 3))
    level = average[:, :, None, None].expand(-1, -1, 7, 7)
    rows = ladders.rows(torch.tensor([1, 0]))
    averaged = Averaged(ladders.features, standardised, noise=0.0)
    whole = StoredLadders(replace(ladders.features, stages=(level,)), 3, ladders.degradations)
    with torch.no_grad():
        given = averaged(network.fusion, rows)
        stages, last = standardised(whole.features, rows), whole.features.last[rows].float()
        wanted, _ = FusedVectors(network)(stages, last)
        again = Averaged(ladders.features, standardised, noise=0.1)(network.fusion, rows)
    torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-3)
    assert 0 < (again - given).abs().mean() < 0.2
    assert given.std(0).max() > 0.01


def test_each_kind_of_ladder_may_have_a_reader_of_its_own() -> None:
    pictures = features(4)
    ladders = StoredLadders(pictures, 1, ("CT dose", "", "PET counts", "CT dose"))
    assert place_readers(ladders, each=False).tolist() == [0, 0, 0, 0]
    first, varied, counts, again = place_readers(ladders, each=True).tolist()
    assert first == again
    assert sorted({first, varied, counts}) == [0, 1, 2]
    assert len(place_readers(None, each=True)) == 0


def test_pictures_of_studies_are_not_for_the_fusion() -> None:
    """Composed pictures with the same distortion are, and so are studies made worse as volumes."""
    kinds = ("CT dose", "data set's noise", "data set's noise", "")
    owners = ("STS", "several", "STS", "several")
    pictures = replace(features(8), owner=tuple(o for o in owners for _ in range(2)))
    ladders = StoredLadders(pictures, 2, kinds)
    kept = ladders.for_fusion()
    assert kept is not None
    assert kept.degradations == ("CT dose", "data set's noise", "")
    wanted = torch.tensor([0, 1, 2, 3, 6, 7])
    assert torch.equal(kept.features.last, pictures.last[wanted])
    assert kept.features.owner == tuple(pictures.owner[i] for i in wanted.tolist())
    assert kept.for_fusion() is kept
    alone = StoredLadders(pictures.take(torch.tensor([4, 5])), 2, kinds[2:3])
    assert alone.for_fusion() is None


def test_readers_of_their_own_learn_orders_that_contradict_each_other() -> None:
    """What falls on one kind of ladder rises on another; one reader cannot say both."""
    left = {}
    for own in (False, True):
        torch.manual_seed(0)
        ladders = climbing(8, 4)
        ladders = replace(ladders, degradations=("CT dose",) * 4 + ("PET counts",) * 4)
        readers = FusionReaders(ladders, FusionConfig(own_places=own))
        way = torch.cat((torch.arange(4.0).repeat(4), torch.arange(4.0).flip(0).repeat(4)))
        vector = torch.randn(LENGTH) + 0.1 * way[:, None] * torch.randn(LENGTH)
        optimiser = torch.optim.Adam(readers.parameters(), lr=1e-2)
        for _ in range(200):
            error = readers.order_error([vector], torch.arange(8))
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
        left[own] = error.item()
    assert left[True] < 0.2 * left[False], left


def test_the_fusion_may_learn_scores_too() -> None:
    """The score is read off both vectors, of grid pictures alone, and falls down a ladder."""
    torch.manual_seed(0)
    means = torch.linspace(4, 0, 27)
    readers = FusionReaders(climbing(2, 3), FusionConfig(), means)
    pair = torch.randn(3, LENGTH), torch.randn(3, LENGTH)
    assert readers.score is not None
    with torch.no_grad():
        given = readers.score(*pair)
        wanted = means[torch.tensor([4, 26])]
        error = readers.score_error(pair, torch.tensor([4, UNLISTED, 26]))
        torch.testing.assert_close(error, (given[[0, 2]] - wanted).square().sum() / 3)
        places = readers.order_error([pair[0]], torch.tensor([0]))
        both = readers.order_error(pair, torch.tensor([0]))
        without = FusionReaders(climbing(2, 3), FusionConfig())
        assert without.score_error(pair, torch.tensor([4, 5, 6])) == 0
        readers.score = None
        read = readers.order_error(pair, torch.tensor([0]))
        of_scores = fusion_readers.ORDER_WEIGHT * ladder_error(given[None], 0.1)
        torch.testing.assert_close(both, read + of_scores)
    assert places < both


def test_scores_take_part_where_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    network, given = StubNetwork(), features(160)
    given = replace(given, last=given.last + 0.1)
    errors: list[float] = []
    exact = FusionReaders.score_error

    def recorded(self: FusionReaders, *arguments: Tensor) -> Tensor:
        error = exact(self, *arguments)
        errors.append(error.item())
        return error

    monkeypatch.setattr(FusionReaders, "score_error", recorded)
    means = torch.tensor([4.0] * 9 + [2.0] * 9 + [0.0] * 9)
    config = FusionConfig(fusion_epochs=8, fusion_rate=3e-3)
    teach_fusion(network, given, config, seed=1, scores=means)
    assert sum(errors[-10:]) < 0.4 * sum(errors[:10])


def test_f_s_of_averaged_ladders_is_that_of_whole_ones() -> None:
    ladders = climbing(2, 3)
    last = torch.randn(6, LENGTH, 7, 7, generator=torch.Generator().manual_seed(0)).half()
    ladders = replace(ladders, features=replace(ladders.features, last=last))
    fusion = AttendingFusion()
    fusion.attend_last = AGCA(LENGTH, "softmax")
    open_attention(fusion, 1.0)
    averaged = Averaged(ladders.features, Standardised(features(40), noise=0.0), noise=0.1)
    rows = torch.tensor([4, 0])
    with torch.no_grad():
        wanted = fusion.attend_last(last[rows].float()).mean((2, 3))
        given = averaged.fs(fusion, rows)
    torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-3)


def test_the_order_of_averaged_ladders_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[float] = []

    def recorded(scores: Tensor, margin: float) -> Tensor:
        error = ladder_error(scores, margin)
        if len(scores) == 5:
            errors.append(error.item())
            return error
        return 0 * error  # of whole stages nothing is learnt here

    monkeypatch.setattr(fusion_readers, "ladder_error", recorded)
    config = FusionConfig(
        fusion_epochs=4, fusion_rate=1e-2, averaged_ladders=5, attention_start=1.0
    )
    network = StubNetwork(AttendingFusion)
    teach_fusion(network, features(160), config, seed=1, ladders=climbing(8, 4))
    assert len(errors) == 4 * 10
    assert sum(errors[-10:]) < 0.2 * sum(errors[:10])


def test_the_configuration_says_how_open_the_attention_begins() -> None:
    diagonals = []
    for start in (0.0, 1.0):
        network = StubNetwork(AttendingFusion)
        config = FusionConfig(fusion_epochs=1, fusion_rate=1e-9, attention_start=start)
        teach_fusion(network, features(16), config, seed=1)
        diagonals.append(network.fusion.attend[0].adjacency.diagonal().detach())
    torch.testing.assert_close(diagonals[1], diagonals[0] + 1)


def test_an_open_attention_hands_on_what_its_vertices_say() -> None:
    fusion = AttendingFusion()
    spread = []
    for start in (0.0, 1.0):
        with torch.no_grad():
            fusion.attend[0].self_scale.fill_(1.0)
            fusion.attend[0].graph_scale.fill_(1.0)
            open_attention(fusion, start)
            x = torch.randn(8, LENGTH, 1, 1, generator=torch.Generator().manual_seed(0))
            weights = fusion.attend[0](x) / x
        spread.append(weights.std(0).mean().item())
    assert spread[1] > 20 * spread[0]


def test_a_ladder_that_falls_by_the_margin_costs_nothing() -> None:
    assert ladder_error(torch.tensor([[0.3, 0.2, 0.1]]), 0.1).item() == pytest.approx(0, abs=1e-6)


def test_moments_are_those_of_each_channel() -> None:
    stage = (5 * torch.randn(70, 6, 7, 7) + torch.arange(6.0)[:, None, None] * 100).half()
    mean, deviation = _moments(stage)
    torch.testing.assert_close(mean, stage.float().mean((0, 2, 3)), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(
        deviation, stage.float().std((0, 2, 3), correction=0), rtol=1e-2, atol=1e-2
    )


def test_averaged_pictures_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are drawn anew each step, and more is read off them than off whole pictures alone."""
    original = FusionReaders.strength_error

    def last_errors(*, counts: bool) -> float:
        errors: list[float] = []
        drawn: list[Tensor] = []

        def recorded(
            self: FusionReaders, pair: list[Tensor], given: StoredFeatures, chosen: Tensor
        ) -> Tensor:
            error = original(self, pair, given, chosen)
            if len(chosen) < 48:
                return error
            errors.append(error.item())
            drawn.append(chosen)
            return error if counts else error.detach()

        monkeypatch.setattr(FusionReaders, "strength_error", recorded)
        network = StubNetwork(AttendingFusion)
        network.fusion.attend_last = AGCA(LENGTH, "softmax")
        config = FusionConfig(fusion_epochs=6, averaged_pictures=48, attention_start=1.0)
        teach_fusion(network, features(160), config, seed=1)
        assert len(errors) == 60
        assert not torch.equal(drawn[0], drawn[1])
        return sum(errors[-10:])

    assert last_errors(counts=True) < 0.95 * last_errors(counts=False)
