"""Trains the whole network on scores, as the paper does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from training.config import TrainingConfig, WholeConfig
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import DistortedSlices, Sampling, normalise
from training.datasets.labelled import LabelledImage, mean_scores
from training.datasets.views import LabelledViews
from training.losses import QualityLoss
from training.run_folder import RunFolder, Timer
from training.schedule import one_cycle

logger = logging.getLogger(__name__)

LOG_EVERY = 5
NAME = "whole"
VIEWS = 1000
"""Views of each labelled image that are drawn from where views are wanted."""

Draw = Callable[[int], tuple[Tensor, float]]


class ScoredPictures:
    """Pictures with scores by number: labelled images, and fresh ones scored by their mean.

    Args:
        images: Labelled images of the training patients only.
        slices: Clean content for the fresh pictures; may be empty where there are none.
        config: Share of fresh pictures and their content's magnification.
        seed: Another seed, other pictures.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        slices: tuple[CleanSlice, ...],
        config: WholeConfig,
        *,
        seed: int,
    ) -> None:
        self._config = config
        self._seed = seed
        self._views = LabelledViews(images, VIEWS if config.views else 1, seed)
        self._means = mean_scores(images)
        sampling = Sampling(grid=1.0, variety=Variety(zoom=config.zoom))
        self._fresh = DistortedSlices(slices, sampling, seed=seed, length=2**62)

    def __call__(self, index: int) -> tuple[Tensor, float]:
        """Give picture number `index`, (3, 224, 224) uint8, and its score in Likert units."""
        rng = np.random.default_rng([self._seed, index])
        if rng.random() < self._config.fresh:
            return self._fresh[index][0], self._means[self._fresh.strengths(index)]
        number = int(rng.integers(len(self._views)))
        return self._views[number], self._views.image(number).score


def train_whole(
    network: nn.Module,
    draw: Draw,
    config: TrainingConfig,
    loss: QualityLoss,
    folder: RunFolder,
    *,
    stop: Callable[[int], bool] = lambda _: False,
) -> bool:
    """Train end to end, from the last checkpoint where there is one.

    Args:
        network: Takes (N, 3, H, W) and gives something with a `score` (N,), in Likert units.
        draw: Gives a picture and its score by number, the same for the same number.
        config: The run's.
        loss: On scores.
        folder: For checkpoints and the log.
        stop: Asked after each step, with the number of steps done; True stops the run where it
            can go on later.

    Returns:
        Whether all steps are done.
    """
    whole = config.whole
    groups = _groups(network, whole)
    kind = torch.optim.Adam if whole.optimiser == "adam" else torch.optim.AdamW
    optimiser = kind(groups, lr=whole.learning_rate)
    torch.manual_seed(config.seed)
    first = 0
    state = folder.load(NAME)
    if state:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        first = state["step"]
    timer = Timer(config.checkpoint_minutes)
    network.train()
    if whole.frozen_statistics:
        freeze_statistics(network)
    for step in range(first, whole.steps):
        share = one_cycle(step / whole.steps) if whole.schedule == "one-cycle" else 1.0
        for group in optimiser.param_groups:
            group["lr"] = whole.learning_rate * group["factor"] * share
        items = [draw(step * whole.batch + i) for i in range(whole.batch)]
        images = normalise(torch.stack([picture for picture, _ in items]))
        value = loss(network(images).score, torch.tensor([score for _, score in items]))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if (step + 1) % LOG_EVERY == 0:
            row = {"step": step + 1, "seconds": round(timer.elapsed)}
            folder.log(NAME, row | {"loss": round(value.item(), 5)})
        stopping = stop(step + 1)
        if stopping or timer.due() or step + 1 == whole.steps:
            folder.save(
                NAME,
                {
                    "step": step + 1,
                    "network": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "random": torch.get_rng_state(),
                },
            )
        if stopping:
            return False
    network.eval()
    return True


def _groups(network: nn.Module, whole: WholeConfig) -> list[dict]:
    backbone = {id(p) for n, p in network.named_parameters() if n.startswith(("resnet.", "swin."))}
    parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for parameter in network.parameters():
        parts[id(parameter) in backbone].append(parameter)
    factors = (1.0, whole.backbone_factor)
    return [{"params": p, "factor": f} for p, f in zip(parts, factors, strict=True) if p]


def freeze_statistics(network: nn.Module) -> None:
    """Use the batch normalisations' stored means and variances, and keep them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


@torch.inference_mode()
def score_images(network: nn.Module, images: Iterable[LabelledImage], batch: int = 16) -> Tensor:
    """Score labelled images as they are, in Likert units.

    Args:
        network: In eval mode, its score in Likert units.
        images: Which.
        batch: Images at once.
    """
    views = LabelledViews(tuple(images), 1, 0)
    scores = []
    for numbers in torch.arange(len(views)).split(batch):
        pictures = torch.stack([views[int(i)] for i in numbers])
        scores.append(network(normalise(pictures)).score)
    return torch.cat(scores).clone()
