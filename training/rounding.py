"""Lets a network compute, and learn, with its weights as they will be shipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from MSIQALib.model.quantization import dequantise, quantise


@contextmanager
def rounded(network: nn.Module) -> Iterator[None]:
    """Round the weights to 8 bits, and put them back when the block ends.

    Gradients that are taken inside are those at the rounded weights; a step that is made with them
    outside moves the exact ones (Bengio et al., Estimating or propagating gradients through
    stochastic neurons, 2013, section 4).

    Args:
        network: Its parameters change inside the block.
    """
    parameters = dict(network.named_parameters())
    exact = {name: p.detach().clone() for name, p in parameters.items()}
    # A narrow network's small weights are part of large ones once it is laid beside others.
    shipped = dequantise(quantise(network.state_dict(), least=1))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(shipped[name])
    try:
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(exact[name])
