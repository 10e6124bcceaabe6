"""Where a study lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StudyPaths:
    """A CT and, where there is one, its PET, as :func:`MSIQALib.imaging.reader.read_volume` wants.

    Attributes:
        name: What to call it: the name of its folder.
        ct: The CT's file or folder.
        pet: The PET's file or folder; None for a CT alone.
        ct_series: Series Instance UID, where the folder holds several CT series.
        pet_series: Series Instance UID, where the folder holds several PET series.
    """

    name: str
    ct: Path
    pet: Path | None = None
    ct_series: str | None = None
    pet_series: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The study as JSON values."""
        return {
            "name": self.name,
            "ct": str(self.ct),
            "pet": None if self.pet is None else str(self.pet),
            "ct_series": self.ct_series,
            "pet_series": self.pet_series,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StudyPaths:
        """Read what :meth:`to_dict` made."""
        pet = values.get("pet")
        return cls(
            name=str(values["name"]),
            ct=Path(values["ct"]),
            pet=None if pet is None else Path(pet),
            ct_series=values.get("ct_series"),
            pet_series=values.get("pet_series"),
        )
