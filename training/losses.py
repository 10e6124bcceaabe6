"""The loss of MS-IQA: squared error plus a ranking term (Eq. 10 to 12)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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
