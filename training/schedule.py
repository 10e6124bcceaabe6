"""Learning rates over a run."""

from __future__ import annotations

import math

WARM_UP = 0.1


def one_cycle(done: float, warm_up: float = WARM_UP) -> float:
    """Share of the peak learning rate: a short linear rise, then half a cosine down to zero.

    Args:
        done: Share of the steps that are done, 0..1.
        warm_up: Share of the steps that the rise takes.
    """
    return min(1.0, (done + 1e-3) / warm_up) * 0.5 * (1 + math.cos(math.pi * done))
