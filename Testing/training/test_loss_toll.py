"""The toll: a linear function of f_w that grows with realistic losses and with nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from MSIQALib.model.config import ModelConfig
from MSIQALib.model.regressor import ScoreRegressor
from training import fit, loss_toll
from training.config import FusionConfig
from training.degradations import DEGRADATIONS
from training.distortions import COMBINATIONS, UNLISTED
from training.fit import LadderVectors, ScoredVectors, fit_regressor
from training.loss_toll import (
    COSTS,
    LOSSES,
    OTHER,
    UNKNOWN,
    Toll,
    fit_losses,
    fit_toll,
    loss_number,
)
from training.losses import QualityLoss
from training.picture_degradations import PICTURE_DEGRADATIONS

LENGTH = 768
RUNGS = 4
MEANS = torch.linspace(3.9, 0.1, len(COMBINATIONS))


@pytest.fixture(autouse=True)
def _fewer_steps(monkeypatch) -> None:
    monkeypatch.setattr(loss_toll, "STEPS", 400)


def ladders(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ladders of each kind and of others; each kind moves f_w in channels of its own."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.tensor([*range(len(LOSSES)), OTHER]).repeat(count)
    kind = torch.where(numbers == OTHER, len(LOSSES), numbers)
    carriers = (torch.arange(LENGTH) % 8 == kind[:, None]).float()
    content = torch.randn(len(numbers), 1, LENGTH, generator=generator)
    steps = torch.arange(float(RUNGS))[:, None]
    return content + 0.5 * carriers[:, None] * steps, numbers


def without(count: int, seed: int) -> Tensor:
    return torch.randn(count, LENGTH, generator=torch.Generator().manual_seed(seed))


def test_each_realistic_degradation_is_of_one_kind() -> None:
    assert {loss_number(d.name) for d in DEGRADATIONS} == set(range(len(LOSSES)))
    assert sum(len(names) for names in LOSSES) == len(DEGRADATIONS)
    assert {loss_number(d.name) for d in PICTURE_DEGRADATIONS} == {OTHER}
    assert loss_number("") == UNKNOWN
    assert len(COSTS) == len(LOSSES)


def test_a_loss_is_read_on_ladders_that_were_not_fitted() -> None:
    torch.manual_seed(0)
    layer = fit_losses(*ladders(20, 1), without(300, 2))
    fw, numbers = ladders(20, 3)
    with torch.inference_mode():
        read = layer(fw)
    for number in range(len(LOSSES)):
        own, others = read[numbers == number, :, number], read[numbers != number, :, number]
        assert (own.diff() > 0).all()
        assert (own[:, -1] - own[:, 0]).mean() > 2
        assert (others[:, -1] - others[:, 0]).abs().mean() < 0.5
    assert not layer.weight.requires_grad


def test_toll_is_nothing_where_there_is_no_loss_and_costs_each_kind_its_share() -> None:
    torch.manual_seed(0)
    clean = without(300, 2)
    toll = fit_toll(*ladders(20, 1), clean)
    assert float((clean @ toll.weight + toll.bias).mean()) == pytest.approx(0, abs=1e-4)
    fw, numbers = ladders(20, 3)
    risen = [
        float(((fw[numbers == k, -1] - fw[numbers == k, 0]) @ toll.weight).mean())
        for k in (*range(len(LOSSES)), OTHER)
    ]
    for cost, rise in zip(COSTS, risen[:-1], strict=True):
        assert rise == pytest.approx((RUNGS - 1) * cost, rel=0.35)
    assert abs(risen[-1]) < 0.5


def test_ladders_whose_loss_was_not_noted_are_left_out() -> None:
    """Whatever they hold."""
    fw, numbers = ladders(20, 1)
    torch.manual_seed(0)
    usual = fit_toll(fw, numbers, without(300, 2))
    torch.manual_seed(0)
    strange = torch.full((7, RUNGS, LENGTH), 1e3)
    more = torch.cat((numbers, torch.full((7,), UNKNOWN)))
    with_more = fit_toll(torch.cat((fw, strange)), more, without(300, 2))
    assert torch.equal(usual.weight, with_more.weight)


def test_charge_takes_exactly_the_cost_off_whatever_its_sign() -> None:
    torch.manual_seed(0)
    branch = nn.Sequential(
        nn.Linear(LENGTH, 8), nn.LeakyReLU(), nn.Dropout(0.0), nn.Linear(8, 1)
    ).eval()
    with torch.no_grad():
        branch[3].weight[:, -loss_toll.UNITS :] = 0
    fw, toll = torch.randn(50, LENGTH), Toll(torch.randn(LENGTH), torch.tensor(0.3))
    with torch.inference_mode():
        before = branch(fw).squeeze(1)
        toll.charge(branch, 0.06)
        after = branch(fw).squeeze(1)
    value = fw @ toll.weight + 0.3
    assert (value > 0).any()
    assert (value < 0).any()
    assert torch.allclose(before - after, 0.06 * value, atol=1e-4)


class StubNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = ModelConfig(pretrained=False)
        self.regressor = ScoreRegressor(self.config, fw_channels=LENGTH, fs_channels=LENGTH)


@pytest.mark.parametrize("reader_first", [False, True])
def test_regressor_charges_exactly_the_toll_on_unscaled_vectors(
    monkeypatch: pytest.MonkeyPatch, reader_first: bool
) -> None:
    """Two units learn nothing, and what they carry afterwards is of standardised f_w."""
    fw, numbers = ladders(3, 1)
    climb = LadderVectors(3 * fw + 7, torch.zeros_like(fw), torch.ones(len(fw)), numbers)
    anchors = 30
    combination = torch.arange(270) % len(COMBINATIONS)
    combination[:anchors] = UNLISTED
    data = ScoredVectors(
        3 * without(270, 2) + 7,
        torch.zeros(270, LENGTH),
        MEANS[combination.clamp(min=0)],
        torch.ones(270),
        combination,
    )
    mean, deviation = data.fw.mean(0), data.fw.std(0)
    given: list[Tensor] = []
    toll = Toll(torch.randn(LENGTH), torch.tensor(0.3))

    def fixed(*arguments: Tensor) -> Toll:
        given.extend(arguments)
        return toll

    before: list[nn.Module] = []
    charge = Toll.charge

    def remembered(self: Toll, branch: nn.Sequential, cost: float) -> None:
        before.append(copy.deepcopy(branch))
        charge(self, branch, cost)

    monkeypatch.setattr(fit, "fit_toll", fixed)
    monkeypatch.setattr(Toll, "charge", remembered)
    network = StubNetwork()
    config = FusionConfig(regressor_steps=20, reader_first=reader_first, toll=0.06)
    fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS, ladders=climb)

    standard, found, scored = given
    assert torch.allclose(standard, (climb.fw - mean) / deviation, atol=1e-4)
    assert torch.equal(found, numbers)
    assert torch.allclose(scored, ((data.fw - mean) / deviation)[anchors:], atol=1e-4)
    (without_toll,) = before
    assert (without_toll[-1].weight[0, -loss_toll.UNITS :] == 0).all()
    raw = 3 * without(50, 9) + 7
    seen = (raw - mean) / deviation
    with torch.inference_mode():
        off = without_toll.eval()(seen) - network.regressor.weight_branch(raw)
    assert torch.allclose(off[:, 0], 0.06 * (seen @ toll.weight + 0.3), atol=1e-3)


def test_without_a_toll_all_units_learn() -> None:
    fw, numbers = ladders(3, 1)
    climb = LadderVectors(fw, torch.zeros_like(fw), torch.ones(len(fw)), numbers)
    combination = torch.arange(54) % len(COMBINATIONS)
    data = ScoredVectors(
        without(54, 2), torch.zeros(54, LENGTH), MEANS[combination], torch.ones(54), combination
    )
    network, config = StubNetwork(), FusionConfig(regressor_steps=5)
    fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS, ladders=climb)
    assert (network.regressor.weight_branch[-1].weight != 0).all()
