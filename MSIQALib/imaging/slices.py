"""A PET/CT study as fused axial slices, made one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MSIQALib.errors import InputError
from MSIQALib.imaging import pairing
from MSIQALib.imaging.fusion import FusionOptions, fuse_rgb
from MSIQALib.imaging.orientation import along_patient_axes, to_axial
from MSIQALib.imaging.resampling import SliceResampler
from MSIQALib.imaging.volume import Geometry, Volume

OUTSIDE_PET = "outside the PET"
MISSING_CT = "missing from the CT series"
MISSING_PET = "missing from the PET series"

CT_ALONE = (
    "CT alone is outside the training domain: the network was trained on fused PET/CT, and the "
    "scores are not validated without PET."
)


@dataclass(frozen=True, eq=False)
class FusedSlice:
    """One axial slice, ready for the network.

    Attributes:
        index: k in the axial grid, 0 nearest to the feet.
        position_mm: LPS z of the slice's centre, ascending towards the head.
        rgb: uint8, shape (H, W, 3); None exactly where ``not_assessed`` says why.
        not_assessed: Why the slice cannot be assessed, or None.
    """

    index: int
    position_mm: float
    rgb: npt.NDArray[np.uint8] | None
    not_assessed: str | None = None


@dataclass(frozen=True, eq=False)
class FusedStudy:
    """A lazy sequence of fused slices; nothing but the slice asked for is computed or kept.

    Attributes:
        geometry: The axial grid: the CT's, its axes permuted and flipped to L, P, S.
        options: How the slices are fused.
        warnings: What the readers and the pairing let pass.
        not_assessed: For each slice why it cannot be assessed, or None.
    """

    geometry: Geometry
    options: FusionOptions
    warnings: tuple[str, ...]
    not_assessed: tuple[str | None, ...]
    _ct: Volume = field(repr=False)
    _pet: SliceResampler | None = field(repr=False)

    def __len__(self) -> int:
        return self.geometry.size[2]

    def __iter__(self) -> Iterator[FusedSlice]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> FusedSlice:
        """Fuse slice ``k``; negative indices count from the head.

        Raises:
            IndexError: There is no such slice.
        """
        if not -len(self) <= k < len(self):
            raise IndexError(f"slice {k} of {len(self)}")
        k %= len(self)
        reason = self.not_assessed[k]
        rgb = None
        if reason is None:
            suv = self._pet(k) if self._pet is not None else None
            rgb = fuse_rgb(np.ascontiguousarray(self._ct.array[k]), suv, self.options)
        return FusedSlice(k, self.position_mm(k), rgb, reason)

    @property
    def assessable(self) -> list[int]:
        """The slices that can be assessed, in their order."""
        return [k for k, reason in enumerate(self.not_assessed) if reason is None]

    def position_mm(self, k: int) -> float:
        """LPS z, in mm, of the centre of slice ``k``."""
        width, height, _ = self.geometry.size
        centre = np.asarray([(width - 1) / 2, (height - 1) / 2, k, 1.0])
        return float((self.geometry.ijk_to_lps @ centre)[2])


def fuse_study(
    ct: Volume,
    pet: Volume | None,
    options: FusionOptions | None = None,
    *,
    ignore_frame_of_reference: bool = False,
) -> FusedStudy:
    """Check that CT and PET belong together and prepare their fused axial slices.

    Args:
        ct: CT in HU.
        pet: PET in body-weight SUV, on any grid; None for a CT alone.
        options: How to fuse; the defaults look like PET-CT-IQA-DS.
        ignore_frame_of_reference: Take PET and CT of different frames of reference as registered.

    Returns:
        The study, on the CT's grid turned to axial, from feet to head. Slices that the PET does not
        cover, or that a series lacks, are there and marked.

    Raises:
        InputError: A volume has one slice, is empty or has voxels that are not finite; the CT's
            slices are too oblique; PET and CT are swapped, of different patients or frames of
            reference, or do not overlap; no slice is left to assess.
    """
    ct = to_axial(ct)
    pet = along_patient_axes(pet) if pet is not None else None
    ct_range = pairing.check_values(ct, "CT")
    if pet is None:
        pairing.check_places(ct, ct_range, None, 0.0)
        reasons = [MISSING_CT if k in ct.missing_slices else None for k in range(len(ct.array))]
        return FusedStudy(
            geometry=ct.geometry,
            options=options or FusionOptions(),
            warnings=(*ct.warnings, CT_ALONE),
            not_assessed=tuple(reasons),
            _ct=ct,
            _pet=None,
        )

    pet_low, _ = pairing.check_values(pet, "PET")
    pairing.check_places(ct, ct_range, pet, pet_low)
    let_pass = pairing.check_identity(ct, pet, ignore_frame_of_reference=ignore_frame_of_reference)
    resampler = SliceResampler(pet, ct.geometry)
    pairing.check_overlap(ct, pet, resampler)
    reasons = [_reason(k, ct, pet, resampler) for k in range(len(ct.array))]
    if all(reasons):
        raise InputError(
            ct.source,
            "no slice is left to assess: each is missing or outside the PET",
            "Give the complete series of one examination",
        )
    outside = reasons.count(OUTSIDE_PET)
    if outside:
        let_pass += (f"{outside} of {len(reasons)} CT slices lie outside the PET.",)
    return FusedStudy(
        geometry=ct.geometry,
        options=options or FusionOptions(),
        warnings=(*ct.warnings, *pet.warnings, *let_pass),
        not_assessed=tuple(reasons),
        _ct=ct,
        _pet=resampler,
    )


def _reason(k: int, ct: Volume, pet: Volume, resampler: SliceResampler) -> str | None:
    """Why slice ``k`` of the CT cannot be assessed, or None."""
    if k in ct.missing_slices:
        return MISSING_CT
    if not resampler.covers(k):
        return OUTSIDE_PET
    if not set(pet.missing_slices).isdisjoint(resampler.neighbours(k)):
        return MISSING_PET
    return None
