"""Batches of numbered pictures, prepared ahead by worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.global_batch import own_rows

Draw = Callable[[int], tuple[Tensor, float]]
"""Gives a picture, (3, H, W) uint8, and its score by number, the same for the same number."""

PREFETCH = 4
"""Batches that each worker keeps ready."""


class NumberedPictures(Dataset[tuple[int, Tensor, float]]):
    """What `draw` gives, with the number."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def __getitem__(self, number: int) -> tuple[int, Tensor, float]:
        picture, score = self._draw(number)
        return number, picture, score


class StepNumbers:
    """Numbers of this process's pictures, step by step.

    Args:
        first: The first step.
        last: The one after the last.
        batch: Pictures a step, over all processes.
    """

    def __init__(self, first: int, last: int, batch: int) -> None:
        self._first, self._last, self._batch = first, last, batch
        self._own = own_rows(batch)

    def __len__(self) -> int:
        return self._last - self._first

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._first, self._last):
            numbers = range(step * self._batch, (step + 1) * self._batch)
            yield list(numbers[self._own])


def load_batches(
    draw: Draw, numbers: StepNumbers, *, workers: int, device: torch.device
) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    """Give the batches of a run: numbers (n,), pictures (n, 3, H, W) uint8 and scores (n,).

    A picture depends on its number alone, so neither the workers nor where a run goes on changes
    what it sees.

    Args:
        draw: Makes pictures.
        numbers: Which, for each step.
        workers: Processes that make them; 0 makes them in this one.
        device: Where they go: for a GPU they are put into pinned memory, from which they are
            copied while it computes.
    """
    return DataLoader(
        NumberedPictures(draw),
        batch_sampler=numbers,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_together,
        pin_memory=device.type == "cuda",
        prefetch_factor=PREFETCH if workers else None,
        worker_init_fn=_start_worker,
    )


def _together(items: list[tuple[int, Tensor, float]]) -> tuple[Tensor, Tensor, Tensor]:
    numbers, pictures, scores = zip(*items, strict=True)
    return (
        torch.tensor(numbers),
        torch.stack(pictures),
        torch.tensor(scores, dtype=torch.float32),
    )


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)
