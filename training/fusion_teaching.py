"""Teaches the fusion the distortions' strengths, on stored features of frozen backbones."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from MSIQALib.model.network import MSIQA
from MSIQALib.model.regressor import MAX_LENGTH
from training.config import FusionConfig
from training.datasets.distorted import LEVEL_TARGETS
from training.distortions import COMBINATIONS
from training.fused_vectors import FusedVectors
from training.levels import level_error
from training.losses import ladder_error
from training.narrow import LEVELS_WEIGHT, combination_error
from training.schedule import one_cycle
from training.stored_features import StoredFeatures, StoredLadders

logger = logging.getLogger(__name__)

BATCH = 16
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 5.0
LEAST_DEVIATION = 1e-3
STRENGTHS = LEVEL_TARGETS + len(COMBINATIONS)
ORDER_WEIGHT = 3.0


class Standardised:
    """Stages standardised channel by channel; channels that never change are left out.

    What tells noise is often a weak channel beside strong ones that show anatomy.

    Args:
        features: What the means and deviations are of.
        noise: Deviation of the noise that is added.
    """

    def __init__(self, features: StoredFeatures, noise: float) -> None:
        self._noise = noise
        moments = [_moments(stage) for stage in features.stages]
        self._alive = [torch.nonzero(deviation > 0).flatten() for _, deviation in moments]
        self._means = [m[c] for (m, _), c in zip(moments, self._alive, strict=True)]
        self._deviations = [
            d[c].clamp_min(LEAST_DEVIATION) for (_, d), c in zip(moments, self._alive, strict=True)
        ]

    def __call__(self, features: StoredFeatures, chosen: Tensor) -> list[Tensor]:
        """Give the stages of some pictures, with noise that keeps them from being learnt by heart.

        Args:
            features: With the same channels.
            chosen: Numbers of the pictures.
        """
        stages = []
        for stage, alive, mean, deviation in zip(
            features.stages, self._alive, self._means, self._deviations, strict=True
        ):
            values = stage[chosen][:, alive].float()
            z = (values - mean[:, None, None]) / deviation[:, None, None]
            stages.append(z + self._noise * torch.randn_like(z))
        return stages

    def convolutions(self, whole: nn.ModuleList) -> nn.ModuleList:
        """Make fresh 1x1 convolutions of the standardised channels, one for each of `whole`.

        The second half of the outputs begins as the constant 1. f_w keeps the largest of 49 cells,
        which is a poor way to count specks; the attention that multiplies the channels is of
        averages, and a constant channel hands it on as it is.
        """
        outputs = [reduce.out_channels for reduce in whole]
        fresh = nn.ModuleList(
            nn.Conv2d(len(alive), n, 1) for alive, n in zip(self._alive, outputs, strict=True)
        )
        reduce: Any
        for reduce in fresh:
            nn.init.zeros_(reduce.weight[reduce.out_channels // 2 :])
            nn.init.ones_(reduce.bias[reduce.out_channels // 2 :])
        return fresh

    @torch.no_grad()
    def put_back(self, whole: nn.ModuleList, taught: nn.ModuleList) -> None:
        """Make `whole` compute on the stages as they are what `taught` does on standardised ones.

        Channels that were left out get a weight of zero.
        """
        reduce: Any
        small: Any
        for reduce, small, alive, mean, deviation in zip(
            whole, taught, self._alive, self._means, self._deviations, strict=True
        ):
            matrix = small.weight.flatten(1) / deviation
            reduce.weight.zero_()
            reduce.weight[:, alive] = matrix[:, :, None, None]
            reduce.bias.copy_(small.bias - matrix @ mean)


def teach_fusion(
    network: MSIQA,
    features: StoredFeatures,
    config: FusionConfig,
    *,
    seed: int,
    ladders: StoredLadders | None = None,
) -> list[float]:
    """Teach the fusion the distortions' strengths, through two linear heads that are dropped.

    The stages are standardised while the 1x1 convolutions learn, and the standardisation is folded
    into these afterwards.

    Args:
        network: Its fusion changes, nothing else.
        features: Of distorted pictures; no score takes part.
        config: Epochs, rate, noise; of the ladders how many a step, how often which and their
            margin.
        seed: Of the order and the heads.
        ladders: Whose order the fusion learns too.

    Returns:
        The mean error of each epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    standardised = Standardised(features, config.stage_noise)
    whole = network.fusion.reduce
    network.fusion.reduce = standardised.convolutions(whole)
    vectors = FusedVectors(network)
    # Strengths, and as the last output the place on a ladder.
    heads = nn.ModuleList(
        nn.Sequential(nn.LayerNorm(MAX_LENGTH), nn.Linear(MAX_LENGTH, STRENGTHS + 1))
        for _ in range(2)
    )
    parameters = [*network.fusion.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.fusion_rate, weight_decay=WEIGHT_DECAY)
    steps = max(1, config.fusion_epochs * (len(features) // BATCH))
    done, errors = 0, []
    drawn = None if ladders is None else ladders.weights(config.fusion_ladder_times)
    network.fusion.train()
    for epoch in range(config.fusion_epochs):
        order = torch.randperm(len(features), generator=generator)
        total, count = 0.0, 0
        for chosen in order.split(BATCH):
            if len(chosen) < BATCH:
                continue
            for group in optimiser.param_groups:
                group["lr"] = config.fusion_rate * one_cycle(done / steps)
            pair = vectors(standardised(features, chosen), features.last[chosen].float())
            loss = sum(
                (
                    _strength_error(head(vector), features, chosen)
                    for head, vector in zip(heads, pair, strict=True)
                ),
                torch.zeros(()),
            )
            total, count, done = total + loss.item(), count + 1, done + 1
            if ladders is not None and drawn is not None:
                climbed = ladders.rows(drawn.multinomial(config.fusion_ladders, replacement=True))
                rungs = ladders.features
                pair = vectors(standardised(rungs, climbed), rungs.last[climbed].float())
                for head, vector in zip(heads, pair, strict=True):
                    places = head(vector)[:, -1].view(-1, ladders.rungs)
                    loss = loss + ORDER_WEIGHT * ladder_error(places, config.ladder_margin)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT)
            optimiser.step()
        errors.append(total / max(count, 1))
        logger.info("fusion epoch %d: error %.4f", epoch + 1, errors[-1])
    taught, network.fusion.reduce = network.fusion.reduce, whole
    standardised.put_back(whole, taught)
    network.fusion.eval()
    return errors


def _strength_error(given: Tensor, features: StoredFeatures, chosen: Tensor) -> Tensor:
    """Error of (N, 3 + 27 + 1) levels, combinations and, not looked at, place on a ladder."""
    logs = given[:, LEVEL_TARGETS:STRENGTHS].log_softmax(1)
    error = combination_error(logs, features.combination[chosen])
    return error + LEVELS_WEIGHT * level_error(given[:, :LEVEL_TARGETS], features.levels[chosen])


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
