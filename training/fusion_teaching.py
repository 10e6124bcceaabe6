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
from training.fused_vectors import FusedVectors
from training.fusion_readers import FusionReaders
from training.schedule import one_cycle
from training.stored_features import StoredFeatures, StoredLadders

logger = logging.getLogger(__name__)

BATCH = 16
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 5.0
LEAST_DEVIATION = 1e-3
PICTURE_NOISE = 0.2
"""Deviation of the noise on averages of single pictures, which are few enough to learn by heart."""

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


class Averaged:
    """f_w and f_s of pictures whose stages are one average over their cells: a 49th of the work.

    The attention reads averages of whole stages too, so that it can learn from far more pictures in
    the same time.

    Args:
        features: Of the pictures.
        standardised: Makes their stages what the convolutions read.
        noise: Deviation of the noise that is laid on the averages.
    """

    def __init__(self, features: StoredFeatures, standardised: Standardised, noise: float) -> None:
        self._averages = standardised.averages(features)
        self._last = features.last
        self._noise = noise

    def __call__(self, fusion: MultiScaleFusion, chosen: Tensor) -> Tensor:
        """Give f_w (N, 768) of some pictures.

        Args:
            fusion: Its convolutions read standardised stages.
            chosen: Numbers of the pictures.
        """
        attended = []
        for average, reduce, attend in zip(
            self._averages, fusion.reduce, fusion.attend, strict=True
        ):
            values = average[chosen]
            values = values + self._noise * torch.randn_like(values)
            attended.append(attend(reduce(values[:, :, None, None])))
        return F.adaptive_max_pool1d(torch.cat(attended, 1).flatten(1), MAX_LENGTH)

    def fs(self, fusion: MultiScaleFusion, chosen: Tensor) -> Tensor:
        """Give f_s (N, 768) of some pictures, without noise; as it is where it is an average."""
        average = self._last[chosen].float().mean((2, 3), keepdim=True)
        return fusion.attend_last(average).flatten(1)


def teach_fusion(
    network: MSIQA,
    features: StoredFeatures,
    config: FusionConfig,
    *,
    seed: int,
    ladders: StoredLadders | None = None,
    scores: Tensor | None = None,
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
        scores: (27,) mean score of each combination, which it learns too.

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
    vectors, readers = FusedVectors(network), FusionReaders(ladders, config, scores)
    parameters = [*network.fusion.parameters(), *readers.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.fusion_rate, weight_decay=WEIGHT_DECAY)
    climb = None if ladders is None else _Climb(network, readers, ladders, standardised, config)
    averaged = None
    if config.averaged_pictures:
        averaged = Averaged(features, standardised, PICTURE_NOISE)
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
            pair = vectors(standardised(features, chosen), features.last[chosen].float())
            loss = readers.strength_error(pair, features, chosen)
            total, count, done = total + loss.item(), count + 1, done + 1
            loss = loss + readers.score_error(pair, features.combination[chosen])
            if averaged is not None:
                some = torch.randint(len(features), (config.averaged_pictures,))
                both = [averaged(network.fusion, some), averaged.fs(network.fusion, some)]
                loss = loss + readers.strength_error(both, features, some)
                loss = loss + readers.score_error(both, features.combination[some])
            if climb is not None:
                loss = loss + climb.error()
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


class _Climb:
    """Draws ladders for each step, and says how far they are from their order."""

    def __init__(
        self,
        network: MSIQA,
        readers: FusionReaders,
        ladders: StoredLadders,
        standardised: Standardised,
        config: FusionConfig,
    ) -> None:
        self._network, self._readers, self._ladders = network, readers, ladders
        self._standardised, self._config = standardised, config
        self._vectors = FusedVectors(network)
        self._often = ladders.weights(config.fusion_ladder_times)
        self._averaged = None
        if config.averaged_ladders:
            noise = AVERAGE_NOISE * config.stage_noise
            self._averaged = Averaged(ladders.features, standardised, noise)

    def error(self) -> Tensor:
        """Error in the order of some whole ladders, and of some averaged ones."""
        some, rows = self._draw(self._config.fusion_ladders)
        rungs = self._ladders.features
        pair = self._vectors(self._standardised(rungs, rows), rungs.last[rows].float())
        total = self._readers.order_error(pair, some)
        if self._averaged is not None:
            some, rows = self._draw(self._config.averaged_ladders)
            vectors = [self._averaged(self._network.fusion, rows)]
            if self._readers.score is not None:
                vectors.append(self._averaged.fs(self._network.fusion, rows))
            total = total + self._readers.order_error(vectors, some)
        return total

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        some = self._often.multinomial(count, replacement=True)
        return some, self._ladders.rows(some)


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
