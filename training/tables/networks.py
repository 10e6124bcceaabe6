"""Networks of libraries, trained on a fold by the loop that trains MS-IQA, or as published."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from training.config import TrainingConfig, read_config
from training.datasets.labelled import Fold
from training.evaluation import SCALES
from training.tables.fold_folders import forget_fold
from training.tables.fold_training import train_on_fold
from training.tables.handcrafted import as_batch, missing
from training.tables.methods import CannotRun, Setting

PAPER = Path(__file__).resolve().parents[1] / "configs" / "paper.yaml"
"""Its protocol is that of all networks which start from ImageNet weights, as it is MS-IQA's."""


@dataclass(frozen=True)
class Scored:
    """What the training loop reads of a network's output: scores (N,), in its target's units."""

    score: Tensor


class LibraryNetwork(nn.Module):
    """Lets a library's network stand in MS-IQA's place.

    Args:
        network: Takes (N, 3, 224, 224), 0..1, and gives (N, 1) or (N,).
        offset: Added to its output: the mean training score in the units that it learns, so that a
            fresh network starts near.
        call: Name of the method to call; empty calls the network itself.
    """

    def __init__(self, network: nn.Module, offset: float, call: str = "") -> None:
        super().__init__()
        self.network = network
        self.register_buffer("offset", torch.tensor(offset))
        self._call = call

    def forward(self, image: Tensor) -> Scored:
        """Score pictures that were normalised to -1..1, as MS-IQA's are."""
        inner = getattr(self.network, self._call) if self._call else self.network
        # In 16 bits scores of 2 to 4 would be 1/64 apart; the offset is added in 32.
        return Scored(inner(image * 0.5 + 0.5).float().flatten() + self.offset)


class TrainedNetwork:
    """A network that is trained on each fold.

    Args:
        setting: Its options name the factory, whether it starts from ImageNet weights, and under
            `whole` what differs from the paper's protocol.

    Raises:
        CannotRun: The library is missing, or it may not download the ImageNet weights.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        options = setting.options
        paper = read_config(PAPER)
        self._config = TrainingConfig(
            name=f"table1-{options['row']}",
            seed=setting.seed,
            loss=paper.loss,
            whole=replace(paper.whole, **options.get("whole", {})),
        )
        self._factory = library_class(options["factory"]["module"], options["factory"]["name"])

    def predict(self, fold: Fold) -> dict[str, float]:
        """Train, or load what was trained, and score; see :class:`~.methods.Method`."""
        config, runs = self._config, self._setting.work
        if self._setting.again or self._setting.trial:
            forget_fold(runs, config.name, fold)
        return train_on_fold(self.build(self._start(fold)), config, fold, runs)

    def _start(self, fold: Fold) -> float:
        """The mean training score, in the units that the network learns."""
        scale = SCALES[self._config.whole.target]
        mean = float(np.mean([i.score for i in fold.training]))
        return (mean - scale.offset) / scale.factor

    def build(self, offset: float) -> LibraryNetwork:
        """A fresh network.

        Args:
            offset: See :class:`LibraryNetwork`.

        Raises:
            CannotRun: Its ImageNet weights cannot be fetched.
        """
        torch.manual_seed(self._setting.seed)
        factory = self._setting.options["factory"]
        start = contextlib.nullcontext() if self._setting.options["imagenet"] else random_weights()
        with start:
            network = fetched(lambda: self._factory(**factory.get("arguments", {})))
        return LibraryNetwork(network, offset, factory.get("call", ""))


class PublishedMetric:
    """A method of pyiqa with its published weights, applied as it is to whole pictures.

    Raises:
        CannotRun: pyiqa is missing, or the weights cannot be fetched.
    """

    def __init__(self, setting: Setting) -> None:
        create = library_class("pyiqa", "create_metric")
        self._metric = fetched(lambda: create(setting.options["metric"], device="cpu"))
        self._sign = -1.0 if self._metric.lower_better else 1.0

    @torch.inference_mode()
    def predict(self, fold: Fold) -> dict[str, float]:
        """Score; see :class:`~.methods.Method`."""
        return {
            i.path.name: self._sign * float(self._metric(as_batch(i.read()))) for i in fold.held_out
        }


def library_class(module: str, name: str) -> Any:
    """Find a class or function of an optional library.

    Raises:
        CannotRun: The library is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise CannotRun(missing(module.partition(".")[0], error)) from error


def fetched(make: Callable[[], Any]) -> Any:
    """Make something that may fetch files from the internet.

    Raises:
        CannotRun: It failed; the libraries raise all kinds of errors without a network.
    """
    try:
        return make()
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CannotRun(f"could not be made: {reason[0][:200]}") from error


@contextlib.contextmanager
def random_weights() -> Iterator[None]:
    """Let timm make networks without ImageNet weights: some of pyiqa's ask for them always."""
    import timm

    original = timm.create_model

    def without_weights(*arguments: Any, **options: Any) -> nn.Module:
        return original(*arguments, **{**options, "pretrained": False})

    with mock.patch.object(timm, "create_model", without_weights):
        yield
