"""Teaches the fusion the distortions' strengths, on stored features of frozen backbones."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.fusion import MultiScaleFusion
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

AVERAGE_NOISE = 0.4 / 7
"""Share of the stages' noise that is laid on their averages. Independent noise of 7 x 7 cells would
leave a seventh of it; less served."""


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

    def averages(self, features: StoredFeatures) -> list[Tensor]:
        """Give the stages of all pictures averaged over their cells, (N, C) each, without noise."""
        averages = []
        for stage, alive, mean, deviation in zip(
            features.stages, self._alive, self._means, self._deviations, strict=True
        ):
            parts = [part[:, alive].float().mean((2, 3)) for part in stage.split(256)]
            averages.append((torch.cat(parts) - mean) / deviation)
        return averages

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


class AveragedLadders:
    """f_w of ladders whose stages are one average over their cells: a 49th of the work.

    The attention reads averages of whole stages too, so that it can learn an order from far more
    ladders in the same time.

    Args:
        ladders: Stored ladders.
        standardised: Makes their stages what the convolutions read.
        noise: Deviation of the noise that is laid on the averages.
    """

    def __init__(self, ladders: StoredLadders, standardised: Standardised, noise: float) -> None:
        self._averages = standardised.averages(ladders.features)
        self._noise = noise

    def __call__(self, fusion: MultiScaleFusion, chosen: Tensor) -> Tensor:
        """Give f_w (N, 768) of some rungs.

        Args:
            fusion: Its convolutions read standardised stages.
            chosen: Numbers of the rungs.
        """
        attended = []
        for average, reduce, attend in zip(
            self._averages, fusion.reduce, fusion.attend, strict=True
        ):
            values = average[chosen]
            values = values + self._noise * torch.randn_like(values)
            attended.append(attend(reduce(values[:, :, None, None])))
        return F.adaptive_max_pool1d(torch.cat(attended, 1).flatten(1), MAX_LENGTH)


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
        config: Epochs, rate, noise, how open the attention begins; of the ladders how many a step,
            how often which and their margin.
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
    if config.attention_start:
        open_attention(network.fusion, config.attention_start)
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
    averaged = None
    if ladders is not None and config.averaged_ladders:
        noise = AVERAGE_NOISE * config.stage_noise
        averaged = AveragedLadders(ladders, standardised, noise)
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
            if averaged is not None and ladders is not None and drawn is not None:
                chosen_too = drawn.multinomial(config.averaged_ladders, replacement=True)
                fw = averaged(network.fusion, ladders.rows(chosen_too))
                places = heads[0](fw)[:, -1].view(-1, ladders.rungs)
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


@torch.no_grad()
def open_attention(fusion: MultiScaleFusion, start: float) -> None:
    """Let the stages' attention hand on its vertices from the first step.

    With an adjacency of nearly zero, and a softmax over hundreds of vertices, hardly anything gets
    through it at first.

    Args:
        fusion: The adjacency of its stages' attention changes.
        start: Added to each vertex's tie to itself.
    """
    attend: Any
    for attend in fusion.attend:
        attend.adjacency += start * torch.eye(len(attend.adjacency))


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
