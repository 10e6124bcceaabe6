"""What was done to the images of PET-CT-IQA-DS, and to whose slice, from the images themselves.

The published set is a folder of JPEG files and a list of scores; it says neither which patient and
slice an image shows nor how it was distorted. Both can be measured, and neither the files' names
nor their order is looked at:

- the JPEG quality is in the file's quantisation tables;
- sigma is the noise in the air around the body;
- images of one slice look alike, whatever was done to them;
- slices of one patient share the table, which stands at the same pixels in all of them;
- lambda is how much brighter an image is than the cleanest one of its slice, since specks only
  ever add.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes
from scipy.stats import norm

from MSIQALib.errors import InputError
from training.datasets.jpeg_tables import jpeg_quality
from training.distortions import LAMBDAS, QUALITIES, Distortion, Picture, decode_picture

SLICES_OF_A_PATIENT = 5

_CELL = 16
_AIR_MEAN, _AIR_PEAK = 7, 60
_SIGMA_OF_AIR = ((0.0, 1.5), (5.0, 3.05), (10.0, 6.5))
"""Sigma, and up to which root mean square value of the air it is taken.

Half of the noise is cut off at 0 and JPEG rounds the rest: sigma 0 leaves 0 to 1, sigma 5 leaves
2.0 to 2.7 and sigma 10 leaves 3.4 to 5.5, depending on the quality.
"""

_SAME_SLICE = 3.5
"""Grey levels between the cells of two images up to which they are the same slice (1.6 at most
between distortions of one slice, 6.2 at least between slices)."""

_SAME_TABLE = 0.47
"""Share of the outline of one slice that another has at the same place, from which on they are the
same patient's (0.53 at least to the nearest slice of the patient, 0.41 at most to others)."""

_TISSUE = (15, 240)
_TISSUE_SHARE = 0.8
"""Squares of the body with so many values in this range are looked at: JPEG's ringing beside them
cannot be clipped at the ends of the range, which would be brightness, too."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of JFIF, BT.601


@dataclass(frozen=True)
class Recovered:
    """What an image shows and what was done to it.

    Attributes:
        path: The image.
        patient: A name for the patient, P1, P2, ...; the same content gives the same names.
        slice: Which of the patient's slices, 1, 2, ...
        distortion: With the strengths of the data set.
        lam: Lambda as it was measured, before it was rounded to one of the set's.
    """

    path: Path
    patient: str
    slice: str
    distortion: Distortion
    lam: float


def noise_sigma(picture: Picture, path: Path) -> float:
    """Tell sigma from the air around the body.

    Args:
        picture: (H, W, 3) uint8.
        path: For the message.

    Raises:
        InputError: There is no air, or it is noisier than in the data set.
    """
    return _sigma(_air(_cells(picture), path)[0], path)


def recover(paths: Sequence[Path]) -> tuple[Recovered, ...]:
    """Find patient, slice and distortion of each image.

    Args:
        paths: JPEG files of the data set, in any order and under any names. All images of a slice
            together tell best; without a slice's pristine image, lambda is measured against the
            cleanest one that is there.

    Returns:
        In the order of `paths`.

    Raises:
        InputError: An image is not of the kind that the data set holds.
    """
    traces = [_trace(path) for path in paths]
    slices = _group_slices(traces)
    names = _name(traces, slices)
    found: dict[Path, Recovered] = {}
    for members, (patient, number) in zip(slices, names, strict=True):
        group = [traces[i] for i in members]
        measured = _lambdas(group)
        for i, level in _levels(group, measured).items():
            done = Distortion(level, group[i].sigma, group[i].quality)
            path = group[i].path
            found[path] = Recovered(path, patient, number, done, measured[i])
    return tuple(found[path] for path in paths)


@dataclass(frozen=True, eq=False)
class _Trace:
    """What the first look at an image keeps."""

    path: Path
    quality: int
    sigma: float
    brightness: float
    content: npt.NDArray[np.float32]


def _trace(path: Path) -> _Trace:
    quality = jpeg_quality(path)
    if quality not in QUALITIES:
        levels = ", ".join(map(str, QUALITIES))
        raise InputError(
            path, f"its JPEG quality is {quality}, not one of {levels}", "Give the published files"
        )
    picture = decode_picture(path.read_bytes())
    cells = _cells(picture)
    noise, level = _air(cells, path)
    # Without the mean of the noise, which the end of the range turns into brightness.
    content = (cells.mean(axis=(1, 3, 4)) - level - 2).clip(0)
    return _Trace(path, quality, _sigma(noise, path), float(picture.mean()), content)


def _cells(picture: Picture) -> npt.NDArray[np.float32]:
    """(rows, 16, columns, 16, 3): the picture in squares, without what is left over."""
    rows, columns = (n // _CELL for n in picture.shape[:2])
    inside = picture[: rows * _CELL, : columns * _CELL].astype(np.float32)
    return inside.reshape(rows, _CELL, columns, _CELL, 3)


def _air(cells: npt.NDArray[np.float32], path: Path) -> tuple[float, float]:
    """Root mean square and mean value of the air's squares; the middle one of each."""
    means = cells.mean(axis=(1, 3, 4))
    quiet = (means < _AIR_MEAN) & (cells.max(axis=(1, 3, 4)) < _AIR_PEAK)
    if not quiet.any():
        raise InputError(
            path, "there is no air around the body to measure the noise in", "Give whole slices"
        )
    squares = np.sqrt(np.square(cells).mean(axis=(1, 3, 4)))
    return float(np.median(squares[quiet])), float(np.median(means[quiet]))


def _sigma(noise: float, path: Path) -> float:
    for sigma, most in _SIGMA_OF_AIR:
        if noise < most:
            return sigma
    raise InputError(
        path, "the air around the body is noisier than in the data set", "Give the published files"
    )


def _group_slices(traces: Sequence[_Trace]) -> list[list[int]]:
    """Numbers of the images of each slice: nearest content first, as far as it is alike."""
    groups: list[list[int]] = []
    for i, trace in enumerate(traces):
        near = [
            group
            for group in groups
            if any(_distance(trace, traces[member]) < _SAME_SLICE for member in group)
        ]
        groups = [group for group in groups if group not in near]
        groups.append([i, *(member for group in near for member in group)])
    return groups


def _distance(a: _Trace, b: _Trace) -> float:
    if a.content.shape != b.content.shape:
        return np.inf
    return float(np.abs(a.content - b.content).mean())


def _name(traces: Sequence[_Trace], slices: Sequence[Sequence[int]]) -> list[tuple[str, str]]:
    """Patient and number of each slice, from their content alone."""
    shown = [_cleanest([traces[i] for i in members]) for members in slices]
    outlines = [_outline(trace.path) for trace in shown]
    sums = [float(trace.content.sum()) for trace in shown]
    patients = _group_patients(outlines)
    names = [("", "")] * len(slices)
    patients.sort(key=lambda members: sum(sums[i] for i in members))
    for p, members in enumerate(patients, 1):
        for s, i in enumerate(sorted(members, key=lambda i: sums[i]), 1):
            names[i] = (f"P{p}", str(s))
    return names


def _cleanest(group: Sequence[_Trace]) -> _Trace:
    """Least noise, least compression, then fewest specks, which are brightness."""
    return min(group, key=lambda trace: (trace.sigma, -trace.quality, trace.brightness))


def _outline(path: Path) -> npt.NDArray[np.bool_]:
    grey = decode_picture(path.read_bytes()).mean(axis=2).astype(np.uint8)
    solid = binary_fill_holes(cv2.medianBlur(grey, 3) > 30)
    return np.asarray(solid ^ binary_erosion(solid), bool)


def _group_patients(outlines: Sequence[npt.NDArray[np.bool_]]) -> list[list[int]]:
    """Join the slices with the most alike outlines first, five to a patient at most."""
    wide = [binary_dilation(outline) for outline in outlines]
    pairs = []
    for i, a in enumerate(outlines):
        for j in range(i):
            if a.shape == outlines[j].shape:
                b = outlines[j]
                share = max((a & wide[j]).sum(), (b & wide[i]).sum()) / max(
                    1, min(a.sum(), b.sum())
                )
                pairs.append((float(share), i, j))
    groups = {i: [i] for i in range(len(outlines))}
    for share, i, j in sorted(pairs, reverse=True):
        if share < _SAME_TABLE:
            break
        one, other = groups[i], groups[j]
        if one is not other and len(one) + len(other) <= SLICES_OF_A_PATIENT:
            one += other
            groups.update(dict.fromkeys(other, one))
    return list({id(group): group for group in groups.values()}.values())


def _lambdas(group: Sequence[_Trace]) -> list[float]:
    """Measure lambda of all images of a slice.

    A value v jumps to 255 with probability lambda * v / 255. JPEG keeps the mean luma of its
    blocks of 16 pixels, so the specks are still in it when they can no longer be seen.
    """
    reference = _cleanest(group)
    clean = decode_picture(reference.path.read_bytes())
    squares = _cells(clean).transpose(0, 2, 1, 3, 4)
    inside = ((squares >= _TISSUE[0]) & (squares <= _TISSUE[1])).all(-1).mean(
        (2, 3)
    ) >= _TISSUE_SHARE
    if not inside.any():
        raise InputError(
            reference.path, "there is no tissue to look for specks in", "Give the published files"
        )
    tissue = squares[inside]
    before = _after_noise(reference.sigma)
    found = []
    for trace in group:
        noisy = _after_noise(trace.sigma) - before
        expected = tissue + noisy[tissue.astype(np.uint8)]
        gain = tissue / 255 * (255 + noisy[255] - expected)
        picture = _cells(decode_picture(trace.path.read_bytes())).transpose(0, 2, 1, 3, 4)
        excess = (picture[inside] - expected) @ _LUMA
        found.append(float(excess.sum(dtype=np.float64) / (gain @ _LUMA).sum(dtype=np.float64)))
    # The cleanest image may have specks itself: then others would have fewer than none.
    alike = [lam for lam, one in zip(found, group, strict=True) if one.quality == reference.quality]
    own = min(LAMBDAS, key=lambda level: abs(level + min(alike)))
    return [lam + own for lam in found]


def _levels(group: Sequence[_Trace], measured: Sequence[float]) -> dict[int, float]:
    """Round the measured lambdas to the set's; a slice is distorted in no way twice."""
    alike: dict[tuple[float, int], list[int]] = {}
    for i, trace in enumerate(group):
        alike.setdefault((trace.sigma, trace.quality), []).append(i)
    levels: dict[int, float] = {}
    for members in alike.values():
        values = np.array([measured[i] for i in members])
        # More images than levels are copies: each takes the nearest.
        choices = itertools.permutations(LAMBDAS, len(members)) if len(members) <= 3 else ()
        nearest = tuple(LAMBDAS[int(np.abs(np.subtract(LAMBDAS, v)).argmin())] for v in values)
        fits = [(float(np.square(values - choice).sum()), choice) for choice in choices]
        levels |= dict(zip(members, min(fits)[1] if fits else nearest, strict=True))
    return levels


def _after_noise(sigma: float) -> npt.NDArray[np.float32]:
    """Mean of each value 0..255 after noise, clipping and cutting off the fraction."""
    values = np.arange(256)
    if sigma == 0:
        return values.astype(np.float32)
    reaches = norm.cdf((values[:, None] - np.arange(1, 256)) / sigma)
    return reaches.sum(axis=1).astype(np.float32)
