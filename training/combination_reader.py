"""A linear function of f_w that names the distortion, for half of the regressor to begin with.

Fitted on few patients' scores alone, the first layer of 768 x 384 weights learns these patients'
anatomy with them. What tells the 27 combinations apart is fitted first and on its own; half of the
first layer's units then learn what score to give for what is read. The other half sees f_w itself,
for what no combination tells: the order of losses that the data set does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.distortions import COMBINATIONS
from training.schedule import warm_cosine

STEPS = 1500
BATCH = 64
RATE = 2e-3
WEIGHT_DECAY = 0.05
NOISE = 1.0
"""Deviation of the noise on standardised f_w while it is fitted; it keeps pictures from being
learnt by heart."""

SCORE_WEIGHT = 2.0


@dataclass(frozen=True)
class Reader:
    """What is read off standardised f_w.

    Attributes:
        layer: Gives (N, 27), standardised, a value for each combination. It does not learn any
            more.
        mean: (27,) of what was read before it was standardised.
        deviation: Likewise.
        means: (27,) mean score of each combination.
    """

    layer: nn.Linear
    mean: Tensor
    deviation: Tensor
    means: Tensor

    def expected(self, fw: Tensor) -> Tensor:
        """Mean score of the combinations, each as probable as it is read: (N,) Likert units."""
        read = self.layer(fw) * self.deviation + self.mean
        return read.softmax(1) @ self.means


class ReaderFirst(nn.Module):
    """A first layer of which some units see what is read, and the others f_w itself.

    Args:
        reader: What reads.
        units: Of the layer.
        reading: So many of them see what is read, and that alone.
        dropout: Of the others.
    """

    def __init__(self, reader: Reader, units: int, reading: int, dropout: float) -> None:
        super().__init__()
        self.reader = reader.layer
        self.after = nn.Linear(reader.layer.out_features, reading)
        self.free = nn.Linear(reader.layer.in_features, units - reading)
        self.dropout = nn.Dropout(dropout)

    def forward(self, fw: Tensor) -> Tensor:
        """Give (N, units) of standardised f_w."""
        return torch.cat((self.after(self.reader(fw)), self.dropout(self.free(fw))), 1)

    def folded(self) -> nn.Linear:
        """The same as one linear layer."""
        after, reader = self.after, self.reader
        both = nn.Linear(reader.in_features, after.out_features + self.free.out_features)
        with torch.no_grad():
            both.weight.copy_(torch.cat((after.weight @ reader.weight, self.free.weight)))
            both.bias.copy_(torch.cat((after.weight @ reader.bias + after.bias, self.free.bias)))
        return both


def fit_reader(fw: Tensor, combination: Tensor, means: Tensor) -> Reader:
    """Fit the combinations.

    Args:
        fw: (N, 768) of pictures with one of the 27 combinations, standardised.
        combination: (N,) their numbers.
        means: (27,) mean score of each.

    Returns:
        The reader, which learns no more.
    """
    layer = nn.Linear(fw.shape[1], len(COMBINATIONS))
    optimiser = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * warm_cosine(step / STEPS, 0.0, 0.0)
        chosen = torch.randint(len(fw), (BATCH,))
        named = combination[chosen]
        probable = layer(fw[chosen] + NOISE * torch.randn(BATCH, fw.shape[1])).log_softmax(1)
        off = probable.exp() @ means - means[named]
        value = F.nll_loss(probable, named) + SCORE_WEIGHT * off.square().mean()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    layer.requires_grad_(False)
    read = layer(fw)
    mean, deviation = read.mean(0), read.std(0)
    layer.weight.div_(deviation[:, None])
    layer.bias.sub_(mean).div_(deviation)
    return Reader(layer, mean, deviation, means)
