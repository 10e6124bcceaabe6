"""Patients' CT and PET volumes in a folder of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from MSIQALib.errors import InputError
from MSIQALib.imaging.reader import IMAGE_SUFFIXES, read_volume
from MSIQALib.imaging.volume import Volume


@dataclass(frozen=True)
class PairPaths:
    """Where one patient's CT and PET lie.

    Attributes:
        name: The patient's folder.
        ct: An image file in HU, or a folder of DICOM.
        pet: An image file in SUV, or a folder of DICOM.
    """

    name: str
    ct: Path
    pet: Path

    @property
    def are_images(self) -> bool:
        """Whether both are image files."""
        return self.ct.is_file() and self.pet.is_file()

    def read(self) -> tuple[Volume, Volume]:
        """Read CT and PET, each on its own grid.

        Raises:
            InputError: One of them cannot be used.
        """
        ct = read_volume(self.ct, modality="CT")
        pet = read_volume(self.pet, modality="PT")
        # Image files do not say what they hold; here their names do.
        return replace(ct, modality="CT"), replace(pet, modality="PT")


def find_pairs(folder: Path) -> list[PairPaths]:
    """Find the PET/CT pairs `folder/*/{CT,PET}`, by name.

    Raises:
        InputError: There is no pair.
    """
    pairs = []
    for path in sorted(folder.glob("*")):
        ct, pet = _find(path, "CT"), _find(path, "PET")
        if ct and pet:
            pairs.append(PairPaths(path.name, ct, pet))
    if not pairs:
        raise InputError(folder, "there are no PET/CT pairs in it", "Point MSIQA_DATA at real data")
    return pairs


def _find(patient: Path, name: str) -> Path | None:
    """The image file or DICOM folder of this name."""
    choices = [patient / f"{name}{suffix}" for suffix in (*IMAGE_SUFFIXES, "")]
    return next((path for path in choices if path.exists()), None)
