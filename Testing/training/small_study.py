"""A PET/CT study that takes no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MSIQALib.imaging.volume import Geometry, Volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def small_study() -> tuple[Volume, Volume]:
    """A body with an organ and a lesion, 24 slices of 5 mm."""
    z, y, x = np.mgrid[:24, :48, :48].astype(np.float32)
    body = np.hypot((x - 24) / 20, (y - 24) / 15) < 1
    organ = np.hypot(np.hypot(x - 16, y - 24) / 6, (z - 12) / 8) < 1
    lesion = np.hypot(np.hypot(x - 32, y - 22) / 2, (z - 12) / 1.5) < 1
    ct = np.where(body, 20 + 60 * organ + 40 * lesion, -1000) + 5 * np.sin(z + y)
    pet = 0.8 * body + 2.0 * organ + 8.0 * lesion
    geometry = Geometry((48, 48, 24), (6.0, 6.0, 5.0), (-141.0, -141.0, -60.0), IDENTITY)
    volumes = (
        Volume(array.astype(np.float32), geometry, modality, unit, Path(modality))
        for array, modality, unit in ((ct, "CT", "HU"), (pet, "PT", "SUVbw"))
    )
    return next(volumes), next(volumes)
