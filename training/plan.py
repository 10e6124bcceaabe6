"""How long end-to-end training is, and when the network is measured."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import WholeConfig
from training.schedule import one_cycle


@dataclass(frozen=True)
class Plan:
    """How long a run is, and when it is measured.

    Attributes:
        whole: The configuration.
        images: Labelled images to train on, which make an epoch; 0 where there are no epochs.
    """

    whole: WholeConfig
    images: int

    def __post_init__(self) -> None:
        if not self.whole.steps and self.whole.epochs and not self.images:
            raise ValueError("epochs need labelled images")

    @property
    def steps(self) -> int:
        """All optimiser steps. A step may lie in two epochs, so that each has a full batch."""
        if self.whole.steps:
            return self.whole.steps
        return -(-self.whole.epochs * self.images // self.whole.batch)

    def epoch(self, done: int) -> int:
        """Epochs that are complete after so many steps."""
        return done * self.whole.batch // self.images if self.images else 0

    def learning_rate(self, done: int) -> float:
        """The rate of the step that follows so many steps."""
        peak = self.whole.learning_rate
        return peak * one_cycle(done / self.steps) if self.whole.schedule == "one-cycle" else peak

    def evaluates(self, done: int) -> bool:
        """Whether it is time to measure after so many steps."""
        if done == self.steps:
            return True
        every, epoch = self.whole.evaluate_epochs, self.epoch(done)
        return bool(every) and epoch > self.epoch(done - 1) and epoch % every == 0
