"""Stored outputs of a backbone whose weights no longer change.

The fusion averages every stage to 7 x 7 before anything else, so these averages are all that it
needs: half a megabyte an image, computed once for all folds of a cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.fusion import POOLED_SIZE
from training.datasets.distorted import normalise

BATCH = 16


def refresh_statistics(
    backbone: nn.Module,
    picture: Callable[[int], Tensor],
    count: int,
    *,
    keep: tuple[str, ...] = (),
) -> None:
    """Measure the batch normalisations' means and variances anew, as plain averages.

    Training saw quarter slices and moving averages of changing weights; what is scored later are
    whole slices.

    Args:
        backbone: Its running statistics change, nothing else.
        picture: Gives (3, H, W) uint8 by number.
        count: How many pictures; rounded down to whole batches.
        keep: How the names of modules begin whose statistics stay: what was frozen while the rest
            learnt has given it its pictures with these.
    """
    named = [(n, m) for n, m in backbone.named_modules() if isinstance(m, nn.BatchNorm2d)]
    norms = [norm for name, norm in named if not f"{name}.".startswith(keep)]
    if not norms or count < BATCH:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    backbone.train()
    for name, norm in named:
        norm.train(not f"{name}.".startswith(keep))
    with torch.no_grad():
        for start in range(0, count - BATCH + 1, BATCH):
            backbone(normalise(torch.stack([picture(i) for i in range(start, start + BATCH)])))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    backbone.eval()


def pooled_stages(
    backbone: Callable[[Tensor], list[Tensor]], picture: Callable[[int], Tensor], count: int
) -> list[Tensor]:
    """Compute each stage's 7 x 7 averages.

    Args:
        backbone: A ResNetStages or SwinStages, in eval mode, or what gives the same averages.
        picture: Gives (3, S, S) uint8 by number.
        count: How many pictures.

    Returns:
        For each stage (count, C, 7, 7) float16.
    """
    batches: list[list[Tensor]] = []
    with torch.inference_mode():
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            stages = backbone(normalise(torch.stack([picture(i) for i in numbers])))
            batches.append([F.adaptive_avg_pool2d(s, POOLED_SIZE).half() for s in stages])
    if not batches:
        return []
    return [torch.cat(stage).contiguous() for stage in zip(*batches, strict=True)]
