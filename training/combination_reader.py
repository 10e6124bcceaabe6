"""A linear function of f_w that names the distortion, for the regressor to begin with.

Fitted on few patients' scores alone, the first layer of 768 x 384 weights learns these patients'
anatomy with them. What tells the 27 combinations apart is fitted first and on its own; the
regressor then learns what score to give for what is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.distortions import COMBINATIONS
from training.losses import ladder_error
from training.schedule import warm_cosine

STEPS = 1500
BATCH = 64
LADDERS = 16
RATE = 2e-3
WEIGHT_DECAY = 0.05
NOISE = 1.0
"""Deviation of the noise on standardised f_w while it is fitted; it keeps pictures from being
learnt by heart."""

SCORE_WEIGHT = 2.0
STEP = 0.5
"""By how much the places' sum should fall from rung to rung."""


@dataclass(frozen=True)
class Reader:
    """What is read off standardised f_w.

    Attributes:
        layer: Gives (N, 27 + places), standardised: a value for each combination and the places on
            ladders. It does not learn any more.
        mean: (27 + places,) of what was read before it was standardised.
        deviation: Likewise.
        means: (27,) mean score of each combination.
    """

    layer: nn.Linear
    mean: Tensor
    deviation: Tensor
    means: Tensor

    def expected(self, fw: Tensor) -> Tensor:
        """Mean score of the combinations, each as probable as it is read: (N,) Likert units."""
        listed = len(self.means)
        read = (self.layer(fw) * self.deviation + self.mean)[:, :listed]
        return read.softmax(1) @ self.means

    def before(self, layer: nn.Linear) -> nn.Linear:
        """One linear layer that does what a layer does to what is read."""
        both = nn.Linear(self.layer.in_features, layer.out_features)
        with torch.no_grad():
            both.weight.copy_(layer.weight @ self.layer.weight)
            both.bias.copy_(layer.weight @ self.layer.bias + layer.bias)
        return both


def fit_reader(
    fw: Tensor,
    combination: Tensor,
    means: Tensor,
    *,
    places: int,
    draw_rungs: Callable[[int], Tensor] | None = None,
) -> Reader:
    """Fit the combinations, and places on ladders beside them.

    Args:
        fw: (N, 768) of pictures with one of the 27 combinations, standardised.
        combination: (N,) their numbers.
        means: (27,) mean score of each.
        places: Outputs whose sum falls from rung to rung, so that the score can without moving
            between the combinations.
        draw_rungs: Gives (L, K, 768) standardised f_w of L ladders; None where there are none.
    """
    listed = len(COMBINATIONS)
    layer = nn.Linear(fw.shape[1], listed + places)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * warm_cosine(step / STEPS, 0.0, 0.0)
        chosen = torch.randint(len(fw), (BATCH,))
        named = combination[chosen]
        noisy = fw[chosen] + NOISE * torch.randn(BATCH, fw.shape[1])
        probable = layer(noisy)[:, :listed].log_softmax(1)
        off = probable.exp() @ means - means[named]
        value = F.nll_loss(probable, named) + SCORE_WEIGHT * off.square().mean()
        if draw_rungs is not None and places:
            value = value + ladder_error(layer(draw_rungs(LADDERS))[..., listed:].sum(-1), STEP)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    layer.requires_grad_(False)
    read = layer(fw)
    mean, deviation = read.mean(0), read.std(0)
    layer.weight.div_(deviation[:, None])
    layer.bias.sub_(mean).div_(deviation)
    return Reader(layer, mean, deviation, means)
