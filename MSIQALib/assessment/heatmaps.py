"""Heatmaps of the feature maps: kept on disk while they come, read back on one scale.

A heatmap is the channel-mean of the absolute activation. One scale serves the whole volume, so
that slices compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from MSIQALib.atomic import output_error

FloatMap = npt.NDArray[np.float32]

LOW_PERCENTILE = 1.0
HIGH_PERCENTILE = 99.5
"""Robust ends of the scale: a few hot pixels must not darken the rest."""

SAMPLE_LIMIT = 1_000_000
"""At most so many values are drawn for the percentiles, whatever the number of slices."""


@dataclass(frozen=True)
class HeatScale:
    """The activations that map to 0 and 1."""

    low: float
    high: float

    def apply(self, values: FloatMap) -> FloatMap:
        """Scale to 0..1, clipped."""
        span = self.high - self.low
        if span <= 0:
            return np.zeros_like(values)
        return np.clip((values - self.low) / span, 0, 1)


class HeatmapStore:
    """Feature heatmaps of a study, in files of a folder.

    Memory does not grow with the number of slices. The folder belongs to the caller, who also
    removes it.

    Args:
        folder: An existing empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[int, int] = {}
        self._shapes: dict[str, tuple[int, int]] = {}
        self._scales: dict[str, HeatScale] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The maps that were written, in the network's order."""
        return tuple(self._shapes)

    @property
    def indices(self) -> tuple[int, ...]:
        """The slices that have heatmaps, in the order of writing."""
        return tuple(self._rows)

    def write(self, index: int, heatmaps: Mapping[str, FloatMap]) -> None:
        """Append one slice's heatmaps.

        Args:
            index: The slice's index.
            heatmaps: (h, w) by name; names and shapes are the same for every slice.

        Raises:
            OutputError: The folder cannot be written, or the disk is full.
        """
        for name, values in heatmaps.items():
            shape = self._shapes.setdefault(name, (values.shape[0], values.shape[1]))
            if values.shape != shape:
                raise ValueError(f"{name} is {values.shape}, but was {shape} before")
            try:
                with self._file(name).open("ab") as file:
                    file.write(np.ascontiguousarray(values, dtype=np.float32).tobytes())
            except OSError as error:
                raise output_error(self._folder, error) from error
        self._rows[index] = len(self._rows)
        self._scales.clear()

    def scale(self, name: str) -> HeatScale:
        """The robust scale of one map over all slices written so far."""
        if name not in self._scales:
            values = self._open(name).reshape(-1)
            sample = values[:: max(1, values.size // SAMPLE_LIMIT)]
            low, high = np.percentile(sample, (LOW_PERCENTILE, HIGH_PERCENTILE))
            self._scales[name] = HeatScale(float(low), float(high))
        return self._scales[name]

    def slice_map(self, name: str, index: int, shape: tuple[int, int]) -> FloatMap:
        """One slice's heatmap on the slice's own grid.

        Args:
            name: One of :attr:`names`.
            index: One of :attr:`indices`.
            shape: (H, W) of the fused slice that was scored.

        Returns:
            float32 (H, W), 0..1 on the volume's scale.

        Raises:
            KeyError: That slice or map was not written.
        """
        values = self._open(name)[self._rows[index]]
        return self.scale(name).apply(enlarge(values, shape))

    def volume_slices(self, name: str, count: int, shape: tuple[int, int]) -> Iterator[FloatMap]:
        """The heatmaps of slices 0..count-1 one by one; zeros where there is none."""
        for index in range(count):
            if index in self._rows:
                yield self.slice_map(name, index, shape)
            else:
                yield np.zeros(shape, np.float32)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.float32"

    def _open(self, name: str) -> npt.NDArray[np.float32]:
        height, width = self._shapes[name]
        return np.memmap(self._file(name), np.float32, "r").reshape(-1, height, width)


def enlarge(values: FloatMap, shape: tuple[int, int]) -> FloatMap:
    """Bring a feature map's heatmap onto the slice that it was computed from.

    The network sees the slice padded to a square; cell (0, 0) of the map covers the top left
    corner of that square. Enlarged bicubically, pixel areas aligned.

    Args:
        values: (h, w), not negative.
        shape: (H, W) of the slice.

    Returns:
        float32 (H, W), not negative.
    """
    height, width = shape
    side = max(height, width)
    large = F.interpolate(
        torch.from_numpy(np.array(values, np.float32))[None, None],
        size=(side, side),
        mode="bicubic",
        align_corners=False,
    )[0, 0]
    top, left = (side - height) // 2, (side - width) // 2
    return large[top : top + height, left : left + width].clamp_min_(0).numpy()
