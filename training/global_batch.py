"""Makes a batch that is spread over several processes act as one batch.

A mean gradient, which is what data-parallel training gives, is not enough for this network: its
ranking loss compares all pairs of a batch (Eq. 11), its batch normalisations measure the whole
batch, and its dropouts draw for each picture. With what is here, so many processes with a share
of the batch each do, up to rounding, what one process does with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def process_count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_number() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def own_rows(batch: int) -> slice:
    """This process's share of a batch of `batch` pictures.

    Raises:
        ValueError: The batch cannot be shared out evenly.
    """
    share, rest = divmod(batch, process_count())
    if rest or not share:
        raise ValueError(f"a batch of {batch} cannot be shared out to {process_count()} processes")
    first = share * process_number()
    return slice(first, first + share)


def seed_step(seed: int, step: int) -> None:
    """Seed what the network draws in a step, alike in all processes.

    So neither an interruption nor the number of processes changes what is drawn.
    """
    torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))


def whole_batch(own: Tensor) -> Tensor:
    """Join the scores of all processes.

    Only this process's own have a gradient. A loss of the joined scores, taken in every process,
    multiplied by their number and averaged by data-parallel training, gives the gradient of the
    loss of the whole batch.

    Args:
        own: (n,) scores of this process's pictures.

    Returns:
        (n * processes,) in the order of the batch.
    """
    if process_count() == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(process_count())]
    dist.all_gather(parts, own.detach().contiguous())
    parts[process_number()] = own
    return torch.cat(parts)


def act_as_one_batch(network: nn.Module, device: torch.device) -> None:
    """Replace what looks at a batch as a whole, or draws for each of its pictures.

    Names, weights and what the network does in evaluation mode stay the same.

    Args:
        network: Changes in place. Call this before its optimiser is made.
        device: Where it is trained: PyTorch's own synchronised normalisation needs a GPU.
    """
    _replace(network, nn.Dropout, lambda old: PictureDropout(old.p))
    _replace(network, DropPath, lambda old: PicturePath(old.drop_prob, old.scale_by_keep))
    if process_count() == 1:
        return
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    else:
        _replace(network, nn.BatchNorm2d, SharedBatchNorm.like)


def freeze_statistics(network: nn.Module) -> None:
    """Use the batch normalisations' stored means and variances, and keep them."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def _replace(network: nn.Module, kind: type, make: Callable[[Any], nn.Module]) -> None:
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            # Subclasses do something of their own, or have been replaced already.
            if type(child) is kind:
                setattr(parent, name, make(child).train(child.training))


def _kept(x: Tensor, shape: tuple[int, ...], probability: float) -> Tensor:
    """Draw ones and zeros for the whole batch, and take this process's share.

    Args:
        x: (n, ...) this process's share of the batch; says type and device.
        shape: Of the draws of one picture.
        probability: Of a one.
    """
    n = x.shape[0]
    drawn = torch.empty((n * process_count(), *shape), device=x.device).bernoulli_(probability)
    return drawn[own_rows(n * process_count())].to(x.dtype)


class PictureDropout(nn.Module):
    """Dropout whose draws belong to the pictures, whichever process has them.

    Args:
        p: Probability of a zero.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of (n, ...) in training mode."""
        if not self.training or self.p == 0:
            return x
        return x * _kept(x, tuple(x.shape[1:]), 1 - self.p) / (1 - self.p)


class PicturePath(nn.Module):
    """Stochastic depth, likewise: leaves a residual branch out, picture by picture.

    Args:
        p: Probability of leaving it out.
        rescale: Make up for it where it is kept.
    """

    def __init__(self, p: float, rescale: bool) -> None:
        super().__init__()
        self.p = p
        self.rescale = rescale

    def forward(self, x: Tensor) -> Tensor:
        """Leave out pictures of (n, ...) in training mode."""
        if not self.training or self.p == 0:
            return x
        kept = _kept(x, (1,) * (x.ndim - 1), 1 - self.p)
        return x * kept / (1 - self.p) if self.rescale else x * kept


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over all processes' pictures, on any device.

    PyTorch's SyncBatchNorm does this on GPUs, faster, and not on CPUs.
    """

    @classmethod
    def like(cls, old: nn.BatchNorm2d) -> SharedBatchNorm:
        """Take the place of a normalisation, with its very parameters and buffers."""
        new = cls(old.num_features, old.eps, old.momentum, old.affine, old.track_running_stats)
        new.weight, new.bias = old.weight, old.bias
        for name, buffer in old.named_buffers():
            new.register_buffer(name, buffer)
        return new

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (n, C, H, W)."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        count = x.numel() // x.shape[1] * process_count()
        mean = _SumOverProcesses.apply(x.sum((0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = _SumOverProcesses.apply(centred.square().sum((0, 2, 3))) / count
        if self.track_running_stats:
            self._keep(mean.detach(), variance.detach() * count / max(count - 1, 1))
        out = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            out = out * self.weight[:, None, None] + self.bias[:, None, None]
        return out.to(input.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
