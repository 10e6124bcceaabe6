"""Pictures in, scores and heatmaps out: the network as the assessor sees it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from MSIQALib.assessment.device import CPU_BATCH, Device
from MSIQALib.likert import SCORE_RANGE
from MSIQALib.model.checkpoint import LoadedModel
from MSIQALib.model.inference import made_faster
from MSIQALib.model.network import Prediction

logger = logging.getLogger(__name__)

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PictureScore:
    """What the network says of one picture.

    Attributes:
        score: Likert score, clipped to 0..4.
        S: Score branch in Likert units, not clipped.
        W: Weight branch, 0..1.
        heatmaps: Channel-mean of the absolute activation for each feature map by name, float32,
            at the map's own resolution; empty unless asked for.
    """

    score: float
    S: float
    W: float
    heatmaps: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


class Scorer(Protocol):
    """Anything that scores a batch of RGB pictures, each uint8 (H, W, 3)."""

    def prepare(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Resize pictures to the network's input, uint8 (N, 3, size, size), on the CPU."""

    def score(self, batch: torch.Tensor, *, heatmaps: bool = False) -> list[PictureScore]:
        """Score a prepared batch."""


class NetworkScorer:
    """Runs MS-IQA on one device.

    Float32 on CPU and MPS, float16 autocast on CUDA.

    Args:
        model: Network and description, as loaded; the network is copied, not changed.
        device: Where to run.
    """

    def __init__(self, model: LoadedModel, device: Device) -> None:
        self.info = model.info
        self.device = device
        # A GPU is done with a large convolution as soon as with several small ones.
        in_groups = device.name == "cpu"
        network = made_faster(copy.deepcopy(model.network).eval(), in_groups=in_groups)
        # Channels-last is the layout in which both oneDNN and cuDNN are fastest here.
        self._network = network.to(memory_format=torch.channels_last).to(device.name)

    def prepare(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """See :class:`Scorer`."""
        return torch.stack([self.info.preprocessing.resize(picture) for picture in pictures])

    def score(self, batch: torch.Tensor, *, heatmaps: bool = False) -> list[PictureScore]:
        """See :class:`Scorer`. A batch that does not fit into GPU memory is halved and retried.

        Raises:
            torch.cuda.OutOfMemoryError: Not even one picture fits.
        """
        if self.device.name == "cpu" and len(batch) > CPU_BATCH:
            # More at once only spills out of the caches.
            parts = batch.split(CPU_BATCH)
            return [row for part in parts for row in self._score(part, heatmaps=heatmaps)]
        try:
            return self._score(batch, heatmaps=heatmaps)
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
            half = len(batch) // 2
            logger.warning("GPU memory is short: running %d slices at once instead", half)
            first = self.score(batch[:half], heatmaps=heatmaps)
            return first + self.score(batch[half:], heatmaps=heatmaps)

    @torch.inference_mode()
    def _score(self, batch: torch.Tensor, *, heatmaps: bool) -> list[PictureScore]:
        on_device = batch.to(self.device.name, non_blocking=True)
        kind = self.device.name.partition(":")[0]
        with torch.autocast(kind, dtype=torch.float16, enabled=self.device.autocast):
            prediction = self._network(
                self.info.preprocessing.normalise(on_device), features=heatmaps
            )
        maps = _heatmaps(prediction)
        scale = self.info.scale
        raw, S, W = (
            value.float().cpu().numpy().astype(np.float64)
            for value in (prediction.score, prediction.S, prediction.W)
        )
        score = np.clip(scale.offset + scale.factor * raw, *SCORE_RANGE)
        S = scale.offset + scale.factor * S
        return [
            PictureScore(
                float(score[i]),
                float(S[i]),
                float(W[i]),
                {name: values[i] for name, values in maps.items()},
            )
            for i in range(len(batch))
        ]


def _heatmaps(prediction: Prediction) -> dict[str, npt.NDArray[np.float32]]:
    return {
        name: (torch.linalg.vector_norm(feature, 1, dim=1, dtype=torch.float32) / feature.shape[1])
        .cpu()
        .numpy()
        for name, feature in prediction.features.items()
    }
