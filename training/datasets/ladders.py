"""Ladders: one slice of a real study, made worse step by step.

In physical terms, which act on the volumes, or by the data set's distortions, on the fused picture.
Nobody scored these pictures, but of two rungs the lower is surely not the better picture. That
order is all that training takes from them (`training.losses.ladder_error`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from MSIQALib.atomic import atomic_path
from MSIQALib.errors import InputError
from MSIQALib.imaging.fusion import FusionOptions
from MSIQALib.imaging.slices import fuse_study
from MSIQALib.imaging.volume import Volume
from MSIQALib.model.preprocessing import square
from training.datasets.composition import orient, random_options
from training.datasets.distorted import INPUT_SIZE, SOURCE_SIZE, shrink, to_tensor
from training.datasets.volume_pairs import find_pairs
from training.degradations import DEGRADATIONS, Degradation
from training.distortions import Picture, distort
from training.picture_degradations import PictureDegradation

MARGIN_MM = 33.0
"""Kept on either side of the slice: more than any degradation reaches along the patient."""

WHOLE_FIELD = 0.5
"""Share of the ladders on which a crop is enlarged and laid on a whole field of view."""

MAGNIFICATION = (1.0, 3.0)

LEAST_PART = 0.5
"""Of the height and of the width of a slice, where a part of it is taken."""

LEAST_COVERED = 3
"""Slices with a PET: the outermost two are not drawn."""


@dataclass(frozen=True)
class Ladder:
    """Rungs of one slice.

    Attributes:
        patient: Whose slice.
        degradation: Name of what was done.
        pictures: (K, 3, S, S) uint8, from the original to the worst.
    """

    patient: str
    degradation: str
    pictures: Tensor


def read_pairs(folder: Path) -> list[tuple[str, Volume, Volume]]:
    """Read the PET/CT pairs `folder/*/{CT,PET}`, by name.

    Raises:
        InputError: There is no pair.
    """
    return [(pair.name, *pair.read()) for pair in find_pairs(folder)]


def stored_ladders(
    folder: Path,
    slices: int,
    *,
    held_out: int,
    seed: int,
    cache: Path | None = None,
    degradations: Sequence[Degradation | PictureDegradation] | None = None,
    varied: bool = False,
    size: int = INPUT_SIZE,
) -> list[Ladder]:
    """Draw ladders of the studies in a folder, or read them from the cache.

    Args:
        folder: As in `read_pairs`.
        slices: As in `draw_ladders`.
        held_out: The last so many studies, by name, are left out.
        seed: As in `draw_ladders`.
        cache: A folder for the pictures; filled when it is empty.
        degradations: What is done; None for all that act on volumes.
        varied: As in `draw_ladders`.
        size: As in `draw_ladders`.
    """
    degradations = DEGRADATIONS if degradations is None else degradations
    drawn = MAGNIFICATION, [(d.name, d.strengths) for d in degradations]
    what = hashlib.sha256(repr(drawn).encode()).hexdigest()
    how = "-varied" if varied else ""
    if size != INPUT_SIZE:
        how += f"-{size}"
    name = f"bordered-ladders-{slices}-{held_out}-{seed}-{what[:8]}{how}.npz"
    stored = cache / name if cache else None
    if stored and stored.is_file():
        with np.load(stored) as arrays:
            columns = arrays["patient"], arrays["degradation"], arrays["pictures"]
        return [
            Ladder(str(p), str(d), torch.from_numpy(x)) for p, d, x in zip(*columns, strict=True)
        ]
    pairs = read_pairs(folder)
    chosen = pairs[: len(pairs) - held_out]
    ladders = draw_ladders(
        chosen, slices, seed=seed, degradations=degradations, varied=varied, size=size
    )
    if stored:
        with atomic_path(stored) as part, part.open("wb") as out:
            np.savez(
                out,
                patient=[one.patient for one in ladders],
                degradation=[one.degradation for one in ladders],
                pictures=torch.stack([one.pictures for one in ladders]).numpy(),
            )
    return ladders


def draw_ladders(
    pairs: Sequence[tuple[str, Volume, Volume]],
    slices: int,
    *,
    seed: int,
    degradations: Sequence[Degradation | PictureDegradation] = DEGRADATIONS,
    varied: bool = False,
    size: int = INPUT_SIZE,
) -> list[Ladder]:
    """Draw ladders from each study.

    Args:
        pairs: Name, CT and PET of each study, with the same planes.
        slices: Ladders for each study and degradation, each at a slice of its own.
        seed: Of the slices, the fusion's windows, the magnifications and the noise.
        degradations: What is done.
        varied: Whether a part of the slice is taken, mirrored or turned, and the CT's window and
            the opacity are drawn too.
        size: Height and width of the pictures.

    Raises:
        InputError: The PET of a study covers fewer than three slices of its CT.
    """
    ladders = []
    for number, (name, ct, pet) in enumerate(pairs):
        study = fuse_study(ct, pet, ignore_frame_of_reference=True)
        covered = study.assessable
        if len(covered) < LEAST_COVERED:
            raise InputError(
                ct.source,
                f"the PET covers {len(covered)} of its {len(study)} slices",
                "Leave this study out",
            )
        for kind, degradation in enumerate(degradations):
            rng = np.random.default_rng([seed, number, kind])
            for _ in range(slices):
                k = covered[int(rng.integers(1, len(covered) - 1))]
                pictures = _rungs(ct, pet, k, degradation, rng, varied=varied, size=size)
                ladders.append(Ladder(name, degradation.name, pictures))
    return ladders


def _rungs(
    ct: Volume,
    pet: Volume,
    k: int,
    degradation: Degradation | PictureDegradation,
    rng: np.random.Generator,
    *,
    varied: bool = False,
    size: int = INPUT_SIZE,
) -> Tensor:
    centre = float(ct.geometry.ijk_to_lps[2, 3] + k * ct.geometry.ijk_to_lps[2, 2])
    near_ct, near_pet = _slab(ct, centre), _slab(pet, centre)
    # One noise for all rungs, so that they differ by strength alone.
    noise = int(rng.integers(2**31))
    options = FusionOptions(suv_high=float(np.exp(rng.uniform(np.log(4), np.log(10)))))
    frame = _frame(rng)
    if varied:
        options = replace(random_options(rng), suv_high=options.suv_high)
    view = int(rng.integers(2**31)) if varied else None

    def look(worse_ct: Volume, worse_pet: Volume) -> Picture:
        study = fuse_study(worse_ct, worse_pet, options, ignore_frame_of_reference=True)
        nearest = min(range(len(study)), key=lambda i: abs(study.position_mm(i) - centre))
        rgb = study[nearest].rgb
        if rgb is None:
            raise ValueError(f"{ct.source}: slice {k} is not covered by the PET")
        if view is not None:
            rgb = _part(rgb, np.random.default_rng(view))
        return _lay(rgb, frame)

    if isinstance(degradation, PictureDegradation):
        clean = look(near_ct, near_pet)
        rungs = [distort(clean, step, np.random.default_rng(noise)) for step in degradation.steps]
    else:
        rungs = [
            look(*degradation.apply(near_ct, near_pet, strength, noise))
            for strength in degradation.strengths
        ]
    # With the borders that an assessment gives them.
    return torch.stack([to_tensor(shrink(square(rung), size)) for rung in rungs])


def _slab(volume: Volume, centre_mm: float) -> Volume:
    """The planes within MARGIN_MM of a position along the patient."""
    positions = volume.geometry.ijk_to_lps[2, 3] + (
        np.arange(volume.array.shape[0]) * volume.geometry.ijk_to_lps[2, 2]
    )
    kept = np.flatnonzero(np.abs(positions - centre_mm) <= MARGIN_MM)
    first, last = int(kept[0]), int(kept[-1]) + 1
    origin = volume.geometry.ijk_to_lps @ (0, 0, first, 1)
    size = (*volume.geometry.size[:2], last - first)
    geometry = replace(volume.geometry, size=size, origin=tuple(float(v) for v in origin[:3]))
    return replace(volume, array=volume.array[first:last], geometry=geometry)


def _frame(rng: np.random.Generator) -> tuple[float, float, float] | None:
    """Magnification and place of a crop on a whole field of view; None leaves it as it is."""
    zoom = float(np.exp(rng.uniform(*np.log(MAGNIFICATION))))
    place = float(rng.random()), float(rng.random())
    return (zoom, *place) if rng.random() < WHOLE_FIELD else None


def _part(rgb: Picture, rng: np.random.Generator) -> Picture:
    """Take a random part of a picture, mirrored or turned."""
    shape = [max(1, round(side * rng.uniform(LEAST_PART, 1))) for side in rgb.shape[:2]]
    top, left = (
        int(rng.integers(side - part + 1)) for side, part in zip(rgb.shape[:2], shape, strict=True)
    )
    return orient(rgb[top : top + shape[0], left : left + shape[1]], rng)


def _lay(rgb: Picture, frame: tuple[float, float, float] | None) -> Picture:
    if frame is None or max(rgb.shape[:2]) >= SOURCE_SIZE:
        return rgb
    height, width = rgb.shape[:2]
    zoom = min(frame[0], SOURCE_SIZE / max(height, width))
    piece = cv2.resize(rgb, (round(width * zoom), round(height * zoom)))
    canvas = np.zeros((SOURCE_SIZE, SOURCE_SIZE, 3), np.uint8)
    top = int(frame[1] * (SOURCE_SIZE - piece.shape[0]))
    left = int(frame[2] * (SOURCE_SIZE - piece.shape[1]))
    canvas[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    return canvas
