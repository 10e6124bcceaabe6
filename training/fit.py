"""Fits the fusion and the score regressor on stored features of frozen backbones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.network import MSIQA
from MSIQALib.model.regressor import MAX_LENGTH
from training.config import FusionConfig
from training.datasets.distorted import LEVEL_TARGETS
from training.distortions import COMBINATIONS
from training.levels import level_error
from training.losses import QualityLoss, ladder_error
from training.narrow import LEVELS_WEIGHT, combination_error
from training.schedule import one_cycle
from training.stored_features import StoredFeatures

logger = logging.getLogger(__name__)

BATCH = 16
TYPICAL_SCORE = 2.5
WEIGHT_DECAY = 0.02
STAGE_NOISE = 0.2
LEAST_DEVIATION = 1e-3
TARGETS = LEVEL_TARGETS + len(COMBINATIONS)


class FusedVectors(nn.Module):
    """The fusion of a network, and f_w and f_s as its regressor pools them.

    Args:
        network: Its fusion is used as it is, not copied.
    """

    def __init__(self, network: MSIQA) -> None:
        super().__init__()
        self.network = network

    def forward(self, stages: Sequence[Tensor], last: Tensor) -> tuple[Tensor, Tensor]:
        """Give f_w (N, 768) and f_s (N, 768)."""
        fw_map, fs_map = self.network.fusion([(stage,) for stage in stages], last)
        fw = F.adaptive_max_pool1d(fw_map.amax((2, 3)), MAX_LENGTH)
        average = self.network.config.fs_pooling == "average"
        return fw, fs_map.mean((2, 3)) if average else fs_map.amax((2, 3))


def teach_fusion(
    network: MSIQA, features: StoredFeatures, config: FusionConfig, *, seed: int
) -> list[float]:
    """Teach the fusion the distortions' levels, through two linear heads that are dropped.

    The stages are standardised channel by channel while the 1x1 convolutions learn, and the
    standardisation is folded into these afterwards: what tells noise is often a weak channel
    beside strong ones that show anatomy. Some noise on the standardised stages keeps few pictures
    from being learnt by heart. Channels that never change take no part.

    Args:
        network: Its fusion changes, nothing else.
        features: Of freshly distorted pictures; no score takes part.
        config: Epochs and rate.
        seed: Of the order and the heads.

    Returns:
        The mean error of each epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    moments = [_moments(stage) for stage in features.stages]
    alive = [torch.nonzero(deviation > 0).flatten() for _, deviation in moments]
    whole = list(network.fusion.reduce)
    for index, (reduce, channels) in enumerate(zip(whole, alive, strict=True)):
        network.fusion.reduce[index] = nn.Conv2d(len(channels), reduce.out_channels, 1)
    vectors = FusedVectors(network)
    heads = nn.ModuleList(
        nn.Sequential(nn.LayerNorm(MAX_LENGTH), nn.Linear(MAX_LENGTH, TARGETS)) for _ in range(2)
    )
    parameters = [*network.fusion.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.fusion_rate, weight_decay=WEIGHT_DECAY)
    steps = max(1, config.fusion_epochs * (len(features) // BATCH))
    done, errors = 0, []
    network.fusion.train()
    for epoch in range(config.fusion_epochs):
        order = torch.randperm(len(features), generator=generator)
        total, count = 0.0, 0
        for chosen in order.split(BATCH):
            if len(chosen) < BATCH:
                continue
            for group in optimiser.param_groups:
                group["lr"] = config.fusion_rate * one_cycle(done / steps)
            stages = []
            for stage, channels, (mean, deviation) in zip(
                features.stages, alive, moments, strict=True
            ):
                values = stage[chosen][:, channels].float()
                z = (values - mean[channels, None, None]) / _divisor(deviation[channels])
                stages.append(z + STAGE_NOISE * torch.randn_like(z))
            pair = vectors(stages, features.last[chosen].float())
            loss = torch.stack(
                [
                    _strength_error(head(vector), features, chosen)
                    for head, vector in zip(heads, pair, strict=True)
                ]
            ).sum()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            total, count, done = total + loss.item(), count + 1, done + 1
        errors.append(total / max(count, 1))
        logger.info("fusion epoch %d: error %.4f", epoch + 1, errors[-1])
    network.fusion.eval()
    for index, (reduce, channels, (mean, deviation)) in enumerate(
        zip(whole, alive, moments, strict=True)
    ):
        taught: Any = network.fusion.reduce[index]
        _fold_in(taught, mean[channels], _divisor(deviation[channels]).flatten())
        _put_back(reduce, taught, channels)
        network.fusion.reduce[index] = reduce
    return errors


def _strength_error(given: Tensor, features: StoredFeatures, chosen: Tensor) -> Tensor:
    """Error of (N, 3 + 27) levels and combinations, as one head gives them."""
    logs = given[:, LEVEL_TARGETS:].log_softmax(1)
    error = combination_error(logs, features.combination[chosen])
    return error + LEVELS_WEIGHT * level_error(given[:, :LEVEL_TARGETS], features.levels[chosen])


def _divisor(deviation: Tensor) -> Tensor:
    return deviation.clamp_min(LEAST_DEVIATION)[:, None, None]


@torch.no_grad()
def _put_back(whole: Any, taught: Any, channels: Tensor) -> None:
    """Give a 1x1 convolution the weights that were taught on some of its channels."""
    whole.weight.zero_()
    whole.weight[:, channels] = taught.weight
    whole.bias.copy_(taught.bias)


def _moments(stage: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of (N, C, 7, 7), in slices to save memory."""
    total, squares, count = 0.0, 0.0, 0
    for part in stage.split(64):
        values = part.double()
        total = total + values.sum((0, 2, 3))
        squares = squares + values.square().sum((0, 2, 3))
        count += values.numel() // values.shape[1]
    mean = torch.as_tensor(total) / count
    deviation = (torch.as_tensor(squares) / count - mean.square()).clamp_min(0).sqrt()
    return mean.float(), deviation.float()


def fused(network: MSIQA, features: StoredFeatures) -> tuple[Tensor, Tensor]:
    """Compute f_w and f_s of all pictures with the fusion as it is."""
    vectors = FusedVectors(network).eval()
    pairs = []
    with torch.inference_mode():
        for chosen in torch.arange(len(features)).split(64):
            stages = [s[chosen].float() for s in features.stages]
            pairs.append(vectors(stages, features.last[chosen].float()))
    fw, fs = zip(*pairs, strict=True)
    return torch.cat(fw).clone(), torch.cat(fs).clone()


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
    """f_w and f_s (N, 768) with scores (N,) in Likert units and each picture's weight (N,)."""

    fw: Tensor
    fs: Tensor
    score: Tensor
    weight: Tensor


@dataclass(frozen=True)
class LadderVectors:
    """f_w and f_s (L, K, 768) of L slices at K rungs each, from the original to the worst."""

    fw: Tensor
    fs: Tensor


def fit_regressor(
    network: MSIQA,
    data: ScoredVectors,
    config: FusionConfig,
    loss: QualityLoss,
    *,
    seed: int,
    ladders: LadderVectors | None = None,
) -> None:
    """Fit the score regressor, from fresh weights, to f_w and f_s.

    The vectors are standardised while the first layers learn, and the standardisation is folded
    into these layers afterwards.

    Args:
        network: Its regressor changes, nothing else.
        data: What to fit; pictures are drawn with probabilities in proportion to their weight.
        config: Steps, rate, dropout.
        loss: On scores in Likert units, which become the network's own.
        seed: Of the weights, the draws and the dropout.
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
    optimiser = torch.optim.AdamW(
        regressor.parameters(), lr=config.regressor_rate, weight_decay=WEIGHT_DECAY
    )
    regressor.train()
    for step in range(config.regressor_steps):
        for group in optimiser.param_groups:
            group["lr"] = config.regressor_rate * one_cycle(step / config.regressor_steps)
        chosen = torch.multinomial(data.weight, 4 * BATCH, replacement=True)
        value = loss(branch_scores(network, fw[chosen], fs[chosen]), data.score[chosen])
        if ladders is not None:
            value = value + config.ladder_weight * _order_error(network, ladders, moments, config)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    regressor.eval()
    for drop, p in zip(drops, usual, strict=True):
        drop.p = p
    for branch, (mean, deviation) in zip(
        (regressor.weight_branch, regressor.score_branch), moments, strict=True
    ):
        _fold_in(branch[0], mean, deviation)


def _order_error(
    network: MSIQA,
    ladders: LadderVectors,
    moments: Sequence[tuple[Tensor, Tensor]],
    config: FusionConfig,
) -> Tensor:
    """Error of some ladders' order, on vectors standardised as the scored ones are."""
    chosen = torch.randint(len(ladders.fw), (BATCH,))
    fw, fs = (
        ((v[chosen] - m) / s).flatten(0, 1)
        for v, (m, s) in zip((ladders.fw, ladders.fs), moments, strict=True)
    )
    scores = branch_scores(network, fw, fs).view(len(chosen), -1)
    return ladder_error(scores, config.ladder_margin)


@torch.no_grad()
def _fold_in(layer: Any, mean: Tensor, deviation: Tensor) -> None:
    """Make a linear layer or 1x1 convolution that expects (x - mean) / deviation take x."""
    matrix = layer.weight.view(layer.weight.shape[0], -1)
    matrix.div_(deviation)
    layer.bias.sub_(matrix @ mean)


def tune(
    network: MSIQA,
    features: StoredFeatures,
    weight: Tensor,
    config: FusionConfig,
    loss: QualityLoss,
    *,
    seed: int,
) -> None:
    """Train fusion and regressor together on scores, after both have been fitted apart.

    Args:
        network: Its fusion and regressor change, its backbones do not.
        features: With a score for each picture, in Likert units.
        weight: (N,) how often each is drawn, relatively.
        config: Steps and rate.
        loss: On scores.
        seed: Of the draws and the dropout.
    """
    torch.manual_seed(seed)
    vectors = FusedVectors(network)
    parameters = [*network.fusion.parameters(), *network.regressor.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.tuning_rate, weight_decay=WEIGHT_DECAY)
    drops = [m for m in network.regressor.modules() if isinstance(m, nn.Dropout)]
    usual = [d.p for d in drops]
    for drop in drops:
        drop.p = config.dropout
    network.fusion.train()
    network.regressor.train()
    for step in range(config.tuning_steps):
        for group in optimiser.param_groups:
            group["lr"] = config.tuning_rate * one_cycle(step / config.tuning_steps)
        chosen = torch.multinomial(weight, BATCH, replacement=True)
        stages = [s[chosen].float() for s in features.stages]
        scores = branch_scores(network, *vectors(stages, features.last[chosen].float()))
        value = loss(scores, features.score[chosen])
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        if (step + 1) % 20 == 0:
            logger.info("tuning step %d: loss %.4f", step + 1, value.item())
    network.fusion.eval()
    network.regressor.eval()
    for drop, p in zip(drops, usual, strict=True):
        drop.p = p
