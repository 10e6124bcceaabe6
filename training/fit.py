"""Fits the score regressor to f_w and f_s, on stored features of frozen backbones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.network import MSIQA
from MSIQALib.model.regressor import HIDDEN
from training.combination_reader import Reader, ReaderFirst, fit_reader
from training.config import FusionConfig
from training.distortions import UNLISTED
from training.loss_toll import UNITS, fit_toll
from training.losses import QualityLoss, ladder_error, range_error
from training.schedule import one_cycle

BATCH = 16
TYPICAL_SCORE = 2.5
WEIGHT_DECAY = 0.02
READING = HIDDEN // 2
"""Units of the first layer that see what a reader reads, where there is one."""

EXPECTED_BATCH = 128
NEARBY = 0.5
"""Largest deviation of the noise on vectors around which the expected score is learnt."""


def centre_score(network: MSIQA) -> None:
    """Let a fresh score branch begin near the middle of the scale, where it has a gradient."""
    if network.config.regressor:
        regressor: Any = network.regressor
        nn.init.constant_(regressor.score_branch[-1].bias, 2 * TYPICAL_SCORE)
        nn.init.zeros_(regressor.weight_branch[-1].bias)


def branch_scores(network: MSIQA, fw: Tensor, fs: Tensor) -> Tensor:
    """Score vectors f_w and f_s: the regressor without its pooling (Eq. 7 to 9)."""
    S = F.leaky_relu(network.regressor.score_branch(fs)).squeeze(1)
    if network.config.score == "released":
        return S
    return S * network.regressor.weight_branch(fw).sigmoid().squeeze(1)


@dataclass(frozen=True)
class ScoredVectors:
    """f_w and f_s (N, 768) with scores and weights.

    Attributes:
        fw: (N, 768).
        fs: (N, 768).
        score: (N,) in Likert units.
        weight: (N,) how often each is drawn against the others.
        combination: (N,) number in COMBINATIONS, or UNLISTED.
    """

    fw: Tensor
    fs: Tensor
    score: Tensor
    weight: Tensor
    combination: Tensor


@dataclass(frozen=True)
class LadderVectors:
    """f_w and f_s (L, K, 768) of L slices at K rungs each, from the original to the worst.

    Attributes:
        times: (L,) how often each is drawn against the others.
        losses: (L,) of `training.loss_toll.loss_number`.
    """

    fw: Tensor
    fs: Tensor
    times: Tensor
    losses: Tensor


def fit_regressor(
    network: MSIQA,
    data: ScoredVectors,
    config: FusionConfig,
    loss: QualityLoss,
    *,
    seed: int,
    means: Tensor,
    ladders: LadderVectors | None = None,
) -> None:
    """Fit the score regressor, from fresh weights, to f_w and f_s.

    The vectors are standardised while the first layers learn, and the standardisation is folded
    into these layers afterwards. Where there are ladders and the configuration has a toll, two
    units of the weight branch learn nothing and carry it afterwards (`training.loss_toll`).

    Args:
        network: Its regressor changes, nothing else.
        data: What to fit; pictures are drawn with probabilities in proportion to their weight.
        config: Steps, rate, dropout.
        loss: On scores in Likert units, which become the network's own.
        seed: Of the weights, the draws and the dropout.
        means: (27,) mean score of each combination.
        ladders: Slices whose score should fall from rung to rung.
    """
    torch.manual_seed(seed)
    regressor: Any = network.regressor
    for module in regressor.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    centre_score(network)
    drops = [m for m in regressor.modules() if isinstance(m, nn.Dropout)]
    usual = [d.p for d in drops]
    for drop in drops:
        drop.p = config.dropout
    moments = [(v.mean(0), v.std(0).clamp_min(1e-3)) for v in (data.fw, data.fs)]
    fw, fs = ((v - m) / s for v, (m, s) in zip((data.fw, data.fs), moments, strict=True))
    silent = UNITS if config.toll and ladders is not None else 0
    reader = None
    if config.reader_first:
        listed = data.combination != UNLISTED
        reader = fit_reader(fw[listed], data.combination[listed], means)
        regressor.weight_branch[0] = ReaderFirst(reader, HIDDEN, READING, config.dropout)
        regressor.weight_branch[2].p = 0.0  # what is read is not dropped
    optimiser = torch.optim.AdamW(
        regressor.parameters(), lr=config.regressor_rate, weight_decay=WEIGHT_DECAY
    )
    _silence(regressor, silent)
    regressor.train()
    for step in range(config.regressor_steps):
        for group in optimiser.param_groups:
            group["lr"] = config.regressor_rate * one_cycle(step / config.regressor_steps)
        chosen = torch.multinomial(data.weight, 4 * BATCH, replacement=True)
        scores = branch_scores(network, fw[chosen], fs[chosen])
        value = loss(scores, data.score[chosen]) + config.range_weight * range_error(scores)
        if reader is not None:
            value = value + config.reader_weight * _off_expected(network, reader, fw, fs)
        if ladders is not None:
            rungs = _ladder_scores(network, ladders, moments)
            value = value + config.ladder_weight * ladder_error(rungs, config.ladder_margin)
            value = value + config.range_weight * range_error(rungs)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        _silence(regressor, silent)
    regressor.eval()
    if reader is not None:
        regressor.weight_branch[0] = regressor.weight_branch[0].folded()
    if silent and ladders is not None:
        mean, deviation = moments[0]
        # Not the anchors, which are the ladders' own first rungs; each as often as any other.
        scored = fw[data.combination != UNLISTED]
        toll = fit_toll((ladders.fw - mean) / deviation, ladders.losses, scored)
        toll.charge(regressor.weight_branch, config.toll)
    for drop, p in zip(drops, usual, strict=True):
        drop.p = p
    for branch, (mean, deviation) in zip(
        (regressor.weight_branch, regressor.score_branch), moments, strict=True
    ):
        _fold_in(branch[0], mean, deviation)


def _ladder_scores(
    network: MSIQA, ladders: LadderVectors, moments: Sequence[tuple[Tensor, Tensor]]
) -> Tensor:
    """Score the rungs of some ladders, on vectors standardised as the scored ones are."""
    chosen = torch.multinomial(ladders.times, BATCH, replacement=True)
    fw, fs = (
        ((v[chosen] - m) / s).flatten(0, 1)
        for v, (m, s) in zip((ladders.fw, ladders.fs), moments, strict=True)
    )
    return branch_scores(network, fw, fs).view(len(chosen), -1)


def _off_expected(network: MSIQA, reader: Reader, fw: Tensor, fs: Tensor) -> Tensor:
    """Squared distance from the expected score around standardised vectors, whatever their f_s."""
    chosen, other = torch.randint(len(fw), (2, EXPECTED_BATCH))
    spread = NEARBY * torch.rand(EXPECTED_BATCH, 1)
    near = fw[chosen] + spread * torch.randn(EXPECTED_BATCH, fw.shape[1])
    return (branch_scores(network, near, fs[other]) - reader.expected(near)).square().mean()


@torch.no_grad()
def _silence(regressor: Any, units: int) -> None:
    """Let the last units of the weight branch add nothing to it; they are the toll's."""
    last = regressor.weight_branch[-1].weight
    last[:, last.shape[1] - units :] = 0


@torch.no_grad()
def _fold_in(layer: Any, mean: Tensor, deviation: Tensor) -> None:
    """Make a linear layer that expects (x - mean) / deviation take x."""
    layer.weight.div_(deviation)
    layer.bias.sub_(layer.weight @ mean)
