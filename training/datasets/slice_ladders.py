"""Pictures of single slices made worse step by step in physical terms, drawn afresh each time.

`training.datasets.ladders` does the same to volumes, as a study would be made worse; on one plane
the losses are cheap enough to be drawn anew for each picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from MSIQALib.imaging.volume import Geometry, Modality, Unit, Volume
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety, compose
from training.datasets.distorted import INPUT_SIZE, SOURCE_SIZE, shrink, to_tensor
from training.datasets.ladders import Ladder
from training.degradations import DEGRADATIONS, Degradation
from training.distortions import Picture

SPACING_MM = (0.98, 0.98, 3.27)
"""Of the sarcoma studies' CT. Only an order is learnt, so that it may stand for other grids too."""

IN_PLANE: tuple[Degradation, ...] = tuple(d for d in DEGRADATIONS if d.name != "breathing")
"""Those that one plane can show."""

EFFECTS: tuple[tuple[str, ...], ...] = (
    ("PET counts", "PET counts, unfiltered"),
    ("PET resolution",),
    ("CT dose", "CT noise"),
)
"""Losses of one plane that look alike: grain of the PET, smoothness of the PET, grain of the CT."""

SEVERAL = "several"
"""Whose slices the pictures of a varied ladder are."""


def draw_rungs(
    slices: tuple[CleanSlice, ...],
    size: int,
    variety: Variety,
    count: int,
    rng: np.random.Generator,
    times: Mapping[str, float] | None = None,
) -> tuple[Degradation, list[Picture]]:
    """Draw one content, unchanged and at growing strengths of one degradation.

    Args:
        slices: Where to draw from; for losses of the PET, those with one of their own.
        size: Height and width of the pictures.
        variety: Of the content.
        count: Rungs with the original, at most as many as the degradations have strengths.
        rng: Source of randomness.
        times: How often a degradation is drawn against 1 of the others, by its name.

    Returns:
        The degradation, and (size, size, 3) uint8 from the original to the worst.
    """
    own_pet = tuple(clean for clean in slices if clean.own_pet)
    kinds = [d for d in IN_PLANE if own_pet or d.of != "PT"]
    if times:
        shares = np.array([times.get(kind.name, 1.0) for kind in kinds])
        degradation = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    else:
        # As runs drew before there was a choice, so that they can be repeated.
        degradation = kinds[int(rng.integers(len(kinds)))]
    if degradation.of == "PT":
        # A drawn uptake is too smooth to lose resolution, and CT alone shows no loss of the PET.
        slices, variety = own_pet, replace(variety, no_pet=0)
    worse = np.sort(rng.permutation(len(degradation.strengths) - 1)[: count - 1]) + 1
    content, noise = (int(seed) for seed in rng.integers(2**31, size=2))
    rungs = []
    for step in (0, *worse):
        strength = degradation.strengths[int(step)]
        rungs.append(
            compose(
                slices,
                size,
                variety,
                np.random.default_rng(content),
                lambda clean, s=strength: degrade_slice(clean, degradation, s, noise),
            )
        )
    return degradation, rungs


def varied_ladders(
    slices: tuple[CleanSlice, ...],
    count: int,
    variety: Variety,
    *,
    seed: int,
    size: int = INPUT_SIZE,
) -> list[Ladder]:
    """Draw whole pictures at every strength, as `draw_rungs` does.

    Args:
        slices: As in `draw_rungs`.
        count: Ladders.
        variety: Of the content.
        seed: Another seed, other ladders.
        size: Height and width of the pictures.
    """
    ladders = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        rungs = len(IN_PLANE[0].strengths)
        degradation, pictures = draw_rungs(slices, SOURCE_SIZE, variety, rungs, rng)
        shrunk = [to_tensor(shrink(picture, size)) for picture in pictures]
        ladders.append(Ladder(SEVERAL, degradation.name, torch.stack(shrunk)))
    return ladders


def effect(degradation: str) -> int:
    """Number in EFFECTS of what a degradation of `IN_PLANE` looks like, by its name."""
    return next(i for i, alike in enumerate(EFFECTS) if degradation in alike)


def degrade_slice(
    clean: CleanSlice, degradation: Degradation, strength: float, seed: int
) -> CleanSlice:
    """Make one slice worse, as a volume of one plane.

    Args:
        clean: The slice.
        degradation: One of `IN_PLANE`.
        strength: In the degradation's unit.
        seed: Of the noise.
    """
    if strength == degradation.strengths[0]:
        return clean
    ct, pet = degradation.apply(
        _plane(clean.ct, "CT", "HU", clean.source),
        _plane(clean.pet, "PT", "SUVbw", clean.source),
        strength,
        seed,
    )
    return CleanSlice(clean.source, ct.array[0].astype(np.int16), pet.array[0].astype(np.float16))


def _plane(values: np.ndarray, modality: Modality, unit: Unit, source: str) -> Volume:
    height, width = values.shape
    geometry = Geometry((width, height, 1), SPACING_MM, (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return Volume(values[None].astype(np.float32), geometry, modality, unit, Path(source))
