"""Counting NaN in NIfTI files, which the NIfTI library turns into zeros without a word."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

_FLOATS = {16: "f4", 64: "f8"}  # NIfTI datatype codes
_CHUNK = 1 << 24


def count_not_finite(path: Path) -> int:
    """Count the voxels that are NaN or infinite as they are stored.

    Integer files, which cannot hold any, are not read beyond their header.

    Args:
        path: A .nii or .nii.gz file, NIfTI-1 or NIfTI-2, of either byte order.

    Returns:
        The number of such voxels; 0 where the header is no NIfTI header.

    Raises:
        OSError: The file cannot be read or unpacked.
    """
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        header = stream.read(540)
        for order in "<>":
            size = int(np.frombuffer(header[:4].ljust(4, b"\0"), f"{order}i4")[0])
            if size in (348, 540) and len(header) >= size:
                break
        else:
            return 0
        # Offsets of datatype and vox_offset in nifti1.h and nifti2.h.
        code_at, start_at, start_kind = (70, 108, "f4") if size == 348 else (12, 168, "i8")
        code = int(np.frombuffer(header, f"{order}i2", 1, code_at)[0])
        if code not in _FLOATS:
            return 0
        stream.seek(int(np.frombuffer(header, order + start_kind, 1, start_at)[0]))
        voxel = np.dtype(order + _FLOATS[code])
        count = 0
        while chunk := stream.read(_CHUNK):
            values = np.frombuffer(chunk[: len(chunk) // voxel.itemsize * voxel.itemsize], voxel)
            count += int(np.count_nonzero(~np.isfinite(values)))
    return count
