"""What a user can set for a run, and the command line that says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from MSIQALib.assessment.result import DEFAULT_THRESHOLD

MAPS = ("F1", "F2", "F3", "F4", "F_W", "F_S")
"""The feature maps that can be loaded as volumes: four encoder stages and the two branches."""

MODULE = "MSIQALib.process"
"""What Python's -m gets. It is `msiqa`, tied to the life of the process that started it."""


@dataclass(frozen=True)
class Settings:
    """The settings of one run.

    Attributes:
        device: "auto", "cuda", "mps" or "cpu".
        threshold: Likert score under which a slice counts as poor.
        ct_centre: Centre of the CT window (HU).
        ct_width: Width of the CT window (HU).
        maps: Which of :data:`MAPS` to write as volumes.
        weights: Weights file; None for the shipped one.
    """

    device: str = "auto"
    threshold: float = DEFAULT_THRESHOLD
    ct_centre: float = 40.0
    ct_width: float = 250.0
    maps: tuple[str, ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        """Refuse maps that do not exist.

        Raises:
            ValueError: A name is none of :data:`MAPS`.
        """
        unknown = [name for name in self.maps if name not in MAPS]
        if unknown:
            raise ValueError(
                f"There is no map {', '.join(unknown)}; the maps are {', '.join(MAPS)}"
            )

    def arguments(self, *, ct: Path, pet: Path | None, output: Path) -> list[str]:
        """What follows the name of the Python program.

        Args:
            ct: The CT's file.
            pet: The PET's file, in SUV; None to assess the CT alone.
            output: Folder for the results.
        """
        arguments = ["-m", MODULE, "assess", "--progress", "json"]
        arguments += ["--ct", str(ct), "--output", str(output)]
        if pet is not None:
            arguments += ["--pet", str(pet)]
        arguments += ["--device", self.device, "--threshold", f"{self.threshold:g}"]
        arguments += ["--ct-centre", f"{self.ct_centre:g}", "--ct-width", f"{self.ct_width:g}"]
        if self.maps:
            arguments.append("--features")
        if self.weights is not None:
            arguments += ["--model", str(self.weights)]
        return arguments
