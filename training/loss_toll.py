"""A linear function of f_w that grows with each realistic loss, taken off what the regressor says.

Of the losses that nobody rated only the order is known, and only on few studies. Units that see all
of f_w learn that order by heart: a study that they have not seen follows it less well than a
linear function does that is fitted to one kind of loss alone. So each kind gets such a function,
which says how far the loss has gone and is held near 0 on pictures without it. Their weighted sum
is taken off the output of the regressor's weight branch once that has been fitted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.datasets.slice_ladders import EFFECTS
from training.losses import ladder_error

logger = logging.getLogger(__name__)

LOSSES: tuple[tuple[str, ...], ...] = (*EFFECTS, ("breathing",))
"""Degradations (`training.degradations`) of one kind, by name."""

COSTS = (1.0, 2.0, 2.0, 1.0)
"""Of a step of each kind against the others, chosen on studies that the regressor and these
functions had not seen (training/docs/from_scratch.md)."""

OTHER, UNKNOWN = -1, -2
"""Numbers of what is no realistic loss, and of a loss that was not noted (varied ladders)."""

UNITS = 2
"""Hidden units that carry a linear function through the LeakyReLU: one for each sign."""

STEPS = 2500
BATCH = 64
RATE = 2e-3
WEIGHT_DECAY = 0.05
NOISE = 0.3
"""Deviation of the noise on standardised f_w while the functions are fitted."""

LEVEL_WEIGHT = 0.1
"""Of the squared distance from the step itself, which is 0 on other ladders and other pictures."""


def loss_number(degradation: str) -> int:
    """Number in LOSSES of a degradation by its name; "" is one that was not noted."""
    if not degradation:
        return UNKNOWN
    return next((i for i, names in enumerate(LOSSES) if degradation in names), OTHER)


@dataclass(frozen=True)
class Toll:
    """weight @ f_w + bias, of standardised f_w, in steps.

    Attributes:
        weight: (768,).
        bias: (), a scalar.
    """

    weight: Tensor
    bias: Tensor

    def charge(self, weight_branch: Any, cost: float) -> None:
        """Take `cost` times the toll off the weight branch's output, by its last UNITS units.

        Where the toll is below 0 this raises the output.

        Args:
            weight_branch: Takes standardised f_w; these units add nothing to it so far.
            cost: Of one unit of the toll, before the sigmoid.
        """
        first, last = weight_branch[0], weight_branch[-1]
        sign = torch.tensor([1.0, -1.0])
        # LeakyReLU of a value less that of its negative is (1 + slope) times the value.
        share = cost / (1 + weight_branch[1].negative_slope)
        with torch.no_grad():
            first.weight[-UNITS:] = sign[:, None] * self.weight
            first.bias[-UNITS:] = sign * self.bias
            last.weight[0, -UNITS:] = -share * sign


def fit_toll(fw: Tensor, numbers: Tensor, without: Tensor) -> Toll:
    """Fit a function for each kind of loss, and add them up.

    Args:
        fw: (L, K, 768) of L ladders at K rungs, from the original to the worst, standardised.
        numbers: (L,) of `loss_number`.
        without: (N, 768) of pictures without any of these losses.

    Returns:
        0 in the mean over the pictures without.
    """
    known = numbers != UNKNOWN
    reader = fit_losses(fw[known], numbers[known], without)
    costs = torch.tensor(COSTS)
    with torch.no_grad():
        weight = costs @ reader.weight
        bias = costs @ reader.bias
        values = without @ weight + bias
        bias = bias - values.mean()
    logger.info("toll: deviates by %.2f on pictures without a loss", float(values.std()))
    return Toll(weight, bias)


def fit_losses(fw: Tensor, numbers: Tensor, without: Tensor) -> nn.Linear:
    """Fit one function for each kind of loss.

    On the ladders of its own kind it should rise by 1 a step at least, and not much more; on all
    others it should stay where it is, and be 0 on pictures without a loss.

    Args:
        fw: As in `fit_toll`.
        numbers: (L,) in LOSSES, or OTHER.
        without: As in `fit_toll`.

    Returns:
        A layer from (N, 768) to (N, 4), in steps.
    """
    layer = nn.Linear(fw.shape[2], len(LOSSES))
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    often = torch.bincount(numbers + 1).float()[numbers + 1].reciprocal()
    optimiser = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = torch.arange(float(fw.shape[1]))
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        chosen = torch.multinomial(often, BATCH, replacement=True)
        read = layer(fw[chosen] + NOISE * torch.randn(BATCH, *fw.shape[1:]))
        own = F.one_hot(numbers[chosen] + 1, len(LOSSES) + 1)[:, 1:].bool()
        rises, still = read.transpose(1, 2)[own], read.transpose(1, 2)[~own]
        order = ladder_error(-rises, margin=1.0)
        moved = (still - still[:, :1]).square().mean()
        off = (read - own[:, None] * steps[:, None]).square().mean()
        none = layer(without[torch.randint(len(without), (2 * BATCH,))]).square().mean()
        value = order + moved + LEVEL_WEIGHT * (off + none)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return layer.requires_grad_(False)
