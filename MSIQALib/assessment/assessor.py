"""Scores a study slice by slice, as a stream."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from MSIQALib.assessment.result import (
    DEFAULT_THRESHOLD,
    NOT_REACHED,
    SliceResult,
    Status,
    StudyResult,
)
from MSIQALib.assessment.scorer import PictureScore, Scorer
from MSIQALib.errors import InputError
from MSIQALib.imaging.slices import FusedSlice
from MSIQALib.imaging.volume import Geometry

logger = logging.getLogger(__name__)


class Study(Protocol):
    """A study as the assessor needs it; :class:`~MSIQALib.imaging.slices.FusedStudy` is one."""

    @property
    def geometry(self) -> Geometry:
        """The axial grid."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed while reading and fusing."""

    def position_mm(self, k: int) -> float:
        """Position of slice k along the patient axis."""

    def __len__(self) -> int:
        """Number of slices of the grid."""

    def __iter__(self) -> Iterator[FusedSlice]:
        """The slices in order, each fused when it is asked for."""


class HeatmapSink(Protocol):
    """Takes each slice's heatmaps as they come."""

    def write(self, index: int, heatmaps: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Keep one slice's heatmaps, (h, w) by name."""


@dataclass(frozen=True)
class Progress:
    """How far an assessment is.

    Attributes:
        done: Slices dealt with, scored or found not to be assessable.
        total: Slices of the grid.
        seconds: Time since the first slice was asked for.
        rows: The results that are new since the last report.
    """

    done: int
    total: int
    seconds: float
    rows: tuple[SliceResult, ...] = field(default=())

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None before the first slice."""
        if not self.done:
            return None
        return self.seconds / self.done * (self.total - self.done)


def _never() -> bool:
    return False


class Assessor:
    """Runs a scorer over a study in batches.

    While one batch is scored, the next is read, fused and resized in a second thread. Never more
    than two batches are in memory.

    Args:
        scorer: Scores prepared batches.
        batch_size: Slices scored at once.
    """

    def __init__(self, scorer: Scorer, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self._scorer = scorer
        self._batch_size = batch_size

    def stream(
        self,
        slices: Iterable[FusedSlice],
        *,
        heatmaps: HeatmapSink | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> Iterator[list[SliceResult]]:
        """Score slices as they come.

        Args:
            slices: Fused slices; those without a picture pass through with their reason.
            heatmaps: Where to put the heatmaps; without it none are computed.
            cancelled: Asked before each batch; once it says True the stream ends.

        Yields:
            The results of one batch after the other, in the order of the slices.
        """
        source = iter(slices)
        with ThreadPoolExecutor(1, "fuse") as pool:
            following = pool.submit(self._next_batch, source)
            while not cancelled():
                batch, pictures = following.result()
                if not batch:
                    return
                following = pool.submit(self._next_batch, source)
                scores: list[PictureScore] = []
                if pictures is not None:
                    scores = self._scorer.score(pictures, heatmaps=heatmaps is not None)
                yield list(_rows(batch, scores, heatmaps))

    def _next_batch(
        self, source: Iterator[FusedSlice]
    ) -> tuple[list[FusedSlice], torch.Tensor | None]:
        batch = list(islice(source, self._batch_size))
        pictures = [item.rgb for item in batch if item.rgb is not None]
        return batch, (self._scorer.prepare(pictures) if pictures else None)

    def assess(
        self,
        study: Study,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        record: Mapping[str, Any] | None = None,
        heatmaps: HeatmapSink | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> StudyResult:
        """Assess a whole study.

        Args:
            study: The slices and their grid.
            threshold: Likert score under which a slice counts as poor.
            record: What is needed to repeat the run; kept with the result.
            heatmaps: Where to put the heatmaps; without it none are computed.
            on_progress: Called after every batch, in this thread.
            cancelled: Asked before every batch.

        Returns:
            The result. When the run was cancelled or failed half-way it holds the slices that
            were finished and says in ``stopped`` why it ended.

        Raises:
            Exception: The run failed before the first slice was finished.
        """
        rows: list[SliceResult] = []
        status, stopped = Status.COMPLETE, None
        start = time.monotonic()
        try:
            for batch in self.stream(study, heatmaps=heatmaps, cancelled=cancelled):
                rows.extend(batch)
                if on_progress is not None:
                    seconds = time.monotonic() - start
                    on_progress(Progress(len(rows), len(study), seconds, tuple(batch)))
        except Exception as error:
            if not rows:
                raise
            logger.exception("The assessment failed after %d slices", len(rows))
            status = Status.FAILED
            stopped = f"failed after {len(rows)} of {len(study)} slices: {_cause(error)}"
        if status is Status.COMPLETE and len(rows) < len(study):
            status = Status.CANCELLED
            stopped = f"cancelled after {len(rows)} of {len(study)} slices"
        rows += [
            SliceResult(index, study.position_mm(index), NOT_REACHED)
            for index in range(len(rows), len(study))
        ]
        return StudyResult(
            slices=tuple(rows),
            geometry=study.geometry,
            threshold=threshold,
            status=status,
            stopped=stopped,
            warnings=study.warnings,
            record=record or {},
        )


def _cause(error: Exception) -> str:
    """Why a run failed, without paths: folders are often named after patients."""
    if isinstance(error, InputError):
        return error.cause
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _rows(
    batch: list[FusedSlice], scores: list[PictureScore], heatmaps: HeatmapSink | None
) -> Iterator[SliceResult]:
    remaining = iter(scores)
    for item in batch:
        if item.not_assessed is not None:
            yield SliceResult(item.index, item.position_mm, item.not_assessed)
            continue
        scored = next(remaining)
        if heatmaps is not None:
            heatmaps.write(item.index, scored.heatmaps)
        yield SliceResult(item.index, item.position_mm, score=scored.score, S=scored.S, W=scored.W)
