"""The loss of MS-IQA: squared error plus a ranking term (Eq. 10 to 12)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MSIQALib.likert import SCORE_RANGE


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error (Eq. 10).

    Args:
        predicted: (N,) scores.
        target: (N,) scores of the radiologists, on the same scale.
    """
    return (predicted - target).square().mean()


def ranking_error(predicted: Tensor, target: Tensor, alpha: float = 2.0) -> Tensor:
    """Squared error of the soft order of all pairs (Eq. 11).

    A pair's order is sigmoid(alpha * difference); it is a half for a tie. The mean is over the
    n (n - 1) / 2 pairs with i < j; it is 0 for a single image.

    Args:
        predicted: (N,) scores.
        target: (N,) scores of the radiologists.
        alpha: Steepness of the order.
    """
    n = predicted.shape[0]
    if n < 2:
        return predicted.sum() * 0
    i, j = torch.triu_indices(n, n, offset=1, device=predicted.device)
    wanted = torch.sigmoid(alpha * (target[i] - target[j]))
    given = torch.sigmoid(alpha * (predicted[i] - predicted[j]))
    return (wanted - given).square().mean()


def ladder_error(scores: Tensor, margin: float) -> Tensor:
    """How far the scores of a slice's rungs are from falling at every step.

    Of two rungs, the lower one should score less by `margin` for each step between them; what
    falls by more costs nothing, so that no score is invented for pictures that nobody rated.

    Args:
        scores: (L, K) predicted scores of K rungs each, from the original to the worst.
        margin: In Likert units a step.
    """
    i, j = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1, device=scores.device)
    wanted = margin * (j - i)
    return (wanted - (scores[:, i] - scores[:, j])).relu().mean()


def range_error(scores: Tensor) -> Tensor:
    """Mean squared distance of scores from the scale, 0 for those on it.

    What lies beyond is clipped when it is shown, and then all alike.

    Args:
        scores: Of any shape, in Likert units.
    """
    return (scores - scores.clamp(*SCORE_RANGE)).square().mean()


@dataclass(frozen=True)
class QualityLoss:
    """lambda_1 * squared error + lambda_2 * ranking error (Eq. 12).

    Attributes:
        mse_weight: lambda_1.
        ranking_weight: lambda_2.
        alpha: Steepness of the ranking term's sigmoid.
    """

    mse_weight: float = 0.5
    ranking_weight: float = 0.5
    alpha: float = 2.0

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Give the loss of (N,) predicted against (N,) target scores."""
        return self.mse_weight * squared_error(
            predicted, target
        ) + self.ranking_weight * ranking_error(predicted, target, self.alpha)
