"""From a seed to a PET/CT study, in memory or as DICOM series on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Geometry, Volume
from MSIQALib.phantom import dicom
from MSIQALib.phantom.acquisition import (
    CTProtocol,
    CTScanner,
    PETProtocol,
    axial_geometry,
    scan_pet,
    slice_positions,
)
from MSIQALib.phantom.anatomy import Lesion, Torso
from MSIQALib.phantom.frame import BOTTOM_MM, TOP_MM
from MSIQALib.phantom.recipe import DEFAULT_RECIPE, Degradation
from MSIQALib.phantom.shapes import Array
from MSIQALib.phantom.staging import moved_in_at_the_end, refuse_to_overwrite
from MSIQALib.version import __version__

Progress = Callable[[int, int], None]
_FEWEST, _MOST = 2, 2000
_PET_STEP_MM = 5.0  # the finest that the PET's slices get


@dataclass(frozen=True)
class Phantom:
    """A phantom on disk.

    Attributes:
        ct: Folder of the CT series.
        pet: Folder of the PET series.
        description: The file ``phantom.json``, which says all of this and more.
        ct_geometry: Grid of the CT; slice 0 is the lowest.
        pet_geometry: Grid of the PET.
        degradations: Ranges of poorer quality, in mm along the patient axis.
        lesions: Where the lesions are.
        seed: What it was made from.
    """

    ct: Path
    pet: Path
    description: Path
    ct_geometry: Geometry
    pet_geometry: Geometry
    degradations: tuple[Degradation, ...]
    lesions: tuple[Lesion, ...]
    seed: int


@dataclass(frozen=True, eq=False)
class PhantomImages:
    """A phantom in memory.

    Attributes:
        ct: HU.
        pet: SUVbw.
        degradations: Ranges of poorer quality.
        lesions: Where the lesions are.
    """

    ct: Volume
    pet: Volume
    degradations: tuple[Degradation, ...]
    lesions: tuple[Lesion, ...]


class _Plan:
    """Grids and scanners of one phantom."""

    def __init__(
        self,
        slices: int,
        seed: int,
        recipe: tuple[Degradation, ...],
        extent_mm: tuple[float, float],
    ) -> None:
        low, high = extent_mm
        if not _FEWEST <= slices <= _MOST:
            raise InputError(
                "phantom",
                f"{slices} slices were asked for",
                f"Ask for a number from {_FEWEST} to {_MOST}",
            )
        if not BOTTOM_MM <= low < high <= TOP_MM:
            raise InputError(
                "phantom",
                f"the range {low:g} to {high:g} mm is not part of the torso",
                f"Choose an ascending range within {BOTTOM_MM:g} to {TOP_MM:g} mm",
            )
        if seed < 0:
            raise InputError("phantom", f"the seed is {seed}", "Choose a seed of 0 or more")
        self.seed, self.recipe = (
            seed,
            tuple(d for d in recipe if d.start_mm < high and d.stop_mm > low),
        )
        self.torso = Torso(seed)
        self.ct_protocol, self.pet_protocol = CTProtocol(), PETProtocol()
        step = (high - low) / slices
        self.ct_geometry = axial_geometry(
            self.ct_protocol.matrix, self.ct_protocol.field_mm, (0.0, 0.0), low + step / 2, step,
            slices,
        )  # fmt: skip
        # The PET has slices of its own that begin below the CT's first and end above its last.
        pet_step = max(_PET_STEP_MM, step / 2.0)
        first = low + step / 2 - 0.3 * pet_step
        last = high - step / 2
        self.pet_geometry = axial_geometry(
            self.pet_protocol.matrix, self.pet_protocol.field_mm, self.pet_protocol.centre_mm,
            first, pet_step, math.ceil((last - first) / pet_step) + 1,
        )  # fmt: skip
        key = json.dumps(
            [__version__, seed, slices, list(extent_mm), [d.to_dict() for d in self.recipe]]
        )
        self.identity = dicom.StudyIdentity(key, seed)

    @property
    def steps(self) -> int:
        return self.ct_geometry.size[2] + self.pet_geometry.size[2]

    def ct_slices(self) -> Iterator[Array]:
        scanner = CTScanner(self.torso, self.ct_geometry, self.ct_protocol, self.recipe, self.seed)
        for k in range(self.ct_geometry.size[2]):
            yield scanner.scan(k)

    def pet(self, tick: Callable[[], None]) -> Array:
        return scan_pet(
            self.torso, self.pet_geometry, self.pet_protocol, self.recipe, self.seed, tick
        )

    def describe(self) -> dict[str, Any]:
        ct_z, pet_z = slice_positions(self.ct_geometry), slice_positions(self.pet_geometry)
        return {
            "what": "Computer-generated PET/CT of a torso; no patient was imaged",
            "version": __version__,
            "seed": self.seed,
            "slice_order": "index 0 is the lowest slice; positions are LPS z in mm",
            "ct": _grid(self.ct_geometry),
            "pet": _grid(self.pet_geometry),
            "degradations": [
                {
                    **d.to_dict(),
                    "ct_slices": [k for k, z in enumerate(ct_z) if d.holds(z)],
                    "pet_slices": [k for k, z in enumerate(pet_z) if d.holds(z)],
                }
                for d in self.recipe
            ],
            "lesions": [asdict(lesion) for lesion in self.torso.lesions],
        }  # fmt: skip


def build_phantom(
    *,
    slices: int = 48,
    seed: int = 0,
    recipe: tuple[Degradation, ...] = DEFAULT_RECIPE,
    extent_mm: tuple[float, float] = (BOTTOM_MM, TOP_MM),
    progress: Progress | None = None,
) -> PhantomImages:
    """Make a phantom in memory.

    Args:
        slices: Number of CT slices over the range.
        seed: Which patient and which noise; the same seed gives the same voxels.
        recipe: Ranges of poorer quality; an empty tuple for none.
        extent_mm: The part of the torso, in LPS z.
        progress: Called with the slices done and the slices in all.

    Returns:
        CT in HU and PET in SUV, on their own grids in one frame of reference.

    Raises:
        InputError: A number is out of range.
    """
    plan = _Plan(slices, seed, recipe, extent_mm)
    tick = _ticker(plan.steps, progress)
    ct = np.empty(plan.ct_geometry.size[::-1], dtype=np.float32)
    for k, plane in enumerate(plan.ct_slices()):
        ct[k] = plane
        tick()
    pet = plan.pet(tick)
    source = Path(f"phantom-{seed}")
    frame = str(plan.identity.uid("frame of reference"))
    return PhantomImages(
        ct=Volume(
            ct, plan.ct_geometry, "CT", "HU", source, patient=f"phantom-{seed}",
            frame_of_reference=frame, series_uid=str(plan.identity.uid("CT", "series")),
            description="CT torso, phantom",
        ),
        pet=Volume(
            pet, plan.pet_geometry, "PT", "SUVbw", source, patient=f"phantom-{seed}",
            frame_of_reference=frame, series_uid=str(plan.identity.uid("PT", "series")),
            description="FDG PET torso, phantom",
        ),
        degradations=plan.recipe,
        lesions=plan.torso.lesions,
    )  # fmt: skip


def make_phantom(
    output: Path,
    *,
    slices: int = 48,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    recipe: tuple[Degradation, ...] = DEFAULT_RECIPE,
    extent_mm: tuple[float, float] = (BOTTOM_MM, TOP_MM),
) -> Phantom:
    """Write a phantom as two DICOM series, ``output/CT`` and ``output/PET``, and phantom.json.

    The folders appear whole or not at all: everything is written to a temporary folder in
    ``output`` and moved at the end.

    Args:
        output: Folder to write to; made where it is missing.
        slices: Number of CT slices over the range.
        seed: Which patient and which noise; the same seed gives the same files.
        overwrite: Replace an earlier phantom.
        progress: Called with the slices done and the slices in all.
        recipe: Ranges of poorer quality; an empty tuple for none.
        extent_mm: The part of the torso, in LPS z.

    Returns:
        Where everything is.

    Raises:
        InputError: A number is out of range.
        OutputError: A CT or PET folder with files is there already, the folder cannot be written,
            or the disk is full.
    """
    plan = _Plan(slices, seed, recipe, extent_mm)
    if not overwrite:
        refuse_to_overwrite(output, ("CT", "PET"))
    tick = _ticker(plan.steps, progress)
    with moved_in_at_the_end(output, ("CT", "PET", "phantom.json")) as part:
        (part / "CT").mkdir()
        (part / "PET").mkdir()
        for k, hu in enumerate(plan.ct_slices()):
            dicom.write_ct_slice(part / "CT", hu, k, plan.ct_geometry, plan.identity)
            tick()
        for k, suv in enumerate(plan.pet(tick)):
            dicom.write_pet_slice(part / "PET", suv, k, plan.pet_geometry, plan.identity)
        text = json.dumps(plan.describe(), indent=2)
        (part / "phantom.json").write_text(text + "\n", encoding="utf-8")
    return Phantom(
        ct=output / "CT",
        pet=output / "PET",
        description=output / "phantom.json",
        ct_geometry=plan.ct_geometry,
        pet_geometry=plan.pet_geometry,
        degradations=plan.recipe,
        lesions=plan.torso.lesions,
        seed=seed,
    )


def _ticker(total: int, progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tick


def _grid(geometry: Geometry) -> dict[str, Any]:
    return {
        "slices": geometry.size[2],
        "first_mm": round(geometry.origin[2], 4),
        "spacing_mm": round(geometry.spacing[2], 4),
    }
