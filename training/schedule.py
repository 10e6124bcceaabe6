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


def warm_cosine(done: float, warm_up: float, last: float) -> float:
    """Share of the peak learning rate: a linear rise, then half a cosine down to a last share.

    Args:
        done: Share of the steps that are done, 0..1.
        warm_up: Share of the steps that the rise takes.
        last: Share of the peak that is left at the end.
    """
    if done < warm_up:
        return (done + 1e-3) / warm_up
    fall = 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))
    return last + (1 - last) * fall
