"""The loss against hand-computed cases of Eq. 10 to 12."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import QualityLoss, range_error, ranking_error, squared_error


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_squared_error_is_the_mean_of_squares() -> None:
    given, wanted = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 3.0, 2.0])
    assert squared_error(given, wanted).item() == pytest.approx((0 + 1 + 4) / 3)


def test_ranking_of_two_images() -> None:
    value = ranking_error(torch.tensor([1.0, 0.5]), torch.tensor([3.0, 1.0]), alpha=2.0)
    assert value.item() == pytest.approx((sigmoid(4.0) - sigmoid(1.0)) ** 2)


def test_ranking_averages_over_unordered_pairs() -> None:
    given, wanted = [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]
    pairs = [(0, 1), (0, 2), (1, 2)]
    alpha = 1.5
    terms = [
        (sigmoid(alpha * (wanted[i] - wanted[j])) - sigmoid(alpha * (given[i] - given[j]))) ** 2
        for i, j in pairs
    ]
    value = ranking_error(torch.tensor(given), torch.tensor(wanted), alpha)
    assert value.item() == pytest.approx(2 / (3 * 2) * sum(terms))


def test_ranking_ignores_a_common_offset_but_squared_error_does_not() -> None:
    wanted = torch.tensor([0.0, 1.0, 3.0])
    assert ranking_error(wanted + 5, wanted).item() == pytest.approx(0, abs=1e-9)
    assert squared_error(wanted + 5, wanted).item() == pytest.approx(25)


def test_a_single_image_has_no_order() -> None:
    given = torch.tensor([1.0], requires_grad=True)
    value = ranking_error(given, torch.tensor([2.0]))
    value.backward()
    assert value.item() == 0
    assert given.grad.item() == 0


def test_total_weighs_both_terms() -> None:
    given, wanted = torch.tensor([1.0, 0.5]), torch.tensor([3.0, 1.0])
    total = QualityLoss(mse_weight=0.25, ranking_weight=2.0, alpha=1.0)(given, wanted)
    expected = 0.25 * (4 + 0.25) / 2 + 2.0 * (sigmoid(2.0) - sigmoid(0.5)) ** 2
    assert total.item() == pytest.approx(expected)


def test_defaults_are_the_papers() -> None:
    assert QualityLoss() == QualityLoss(mse_weight=0.5, ranking_weight=0.5, alpha=2.0)


def test_scores_off_the_scale_cost_their_distance_squared() -> None:
    assert range_error(torch.tensor([0.0, 2.0, 4.0])).item() == 0
    assert range_error(torch.tensor([[4.5, 1.0], [-1.0, 3.0]])).item() == pytest.approx(1.25 / 4)


def test_gradient_is_that_of_finite_differences() -> None:
    wanted = torch.tensor([0.2, 3.1, 1.7, 2.2], dtype=torch.float64)
    given = torch.tensor([1.0, 2.0, 1.5, 0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: QualityLoss()(y, wanted), (given,))


def test_descending_it_restores_the_order() -> None:
    wanted = torch.tensor([0.0, 1.0, 2.0, 3.0])
    given = torch.tensor([3.0, 2.0, 1.0, 0.0], requires_grad=True)
    optimiser = torch.optim.Adam([given], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        QualityLoss()(given, wanted).backward()
        optimiser.step()
    assert torch.equal(given.argsort(), wanted.argsort())
