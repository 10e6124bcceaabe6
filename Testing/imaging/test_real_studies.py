"""Real PET/CT: SUV against an independent conversion, DICOM against NIfTI, every study whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MSIQALib.imaging.reader import read_volume
from MSIQALib.imaging.slices import OUTSIDE_PET, fuse_study


def test_activity_becomes_the_published_suv(data_root: Path) -> None:
    """STS_001 as the scanner wrote it (Bq/ml) and the crop that others turned into SUV."""
    whole = read_volume(data_root / "pet-raw-bqml", modality="PT")
    crop = read_volume(data_root / "sts-nifti" / "STS_001" / "PET.nii.gz", modality="PT")
    shift = np.linalg.inv(whole.geometry.ijk_to_lps) @ crop.geometry.ijk_to_lps
    np.testing.assert_allclose(shift[:3, :3], np.eye(3), atol=1e-6)
    i, j, k = np.rint(shift[:3, 3]).astype(int)
    np.testing.assert_allclose(shift[:3, 3], (i, j, k), atol=1e-4)
    depth, height, width = crop.array.shape
    mine = whole.array[k : k + depth, j : j + height, i : i + width]
    # Both are stored as 16-bit integers; below SUV 0.1 the rounding of the crop is over 0.1 %.
    body = crop.array > 0.1
    ratio = mine[body] / crop.array[body]
    assert np.median(ratio) == pytest.approx(1.0, abs=1e-5)
    assert np.percentile(np.abs(ratio - 1.0), 99) < 1e-3
    assert np.abs(mine - crop.array).max() < 1e-3
    assert whole.geometry.size == (128, 128, 267)
    assert any("3.190 mm instead of 3.270 mm" in sentence for sentence in whole.warnings)


@pytest.mark.parametrize("name", ["STS_002", "STS_008", "STS_019"])
def test_dicom_and_nifti_are_the_same(data_root: Path, name: str) -> None:
    for modality, file in (("CT", "CT"), ("PT", "PET")):
        dicom = read_volume(data_root / "sts-dicom" / name, modality=modality)
        nifti = read_volume(data_root / "sts-nifti" / name / f"{file}.nii.gz", modality=modality)
        np.testing.assert_allclose(dicom.array, nifti.array, atol=1e-5)
        np.testing.assert_allclose(dicom.geometry.ijk_to_lps, nifti.geometry.ijk_to_lps, atol=1e-4)
        assert dicom.warnings == ()


@pytest.mark.slow
def test_every_study_is_fused_whole(data_root: Path) -> None:
    outside = {}
    total = 0
    for folder in sorted((data_root / "sts-nifti").iterdir()):
        ct = read_volume(folder / "CT.nii.gz", modality="CT")
        study = fuse_study(ct, read_volume(folder / "PET.nii.gz", modality="PT"))
        for one in study:
            assert (one.rgb is None) == (one.not_assessed is not None)
            if one.rgb is not None:
                assert one.rgb.shape == (*ct.array.shape[1:], 3)
                assert one.rgb.any()
        total += len(study)
        outside[folder.name] = study.not_assessed.count(OUTSIDE_PET)
    assert total == 1275
    assert {name: count for name, count in outside.items() if count} == {
        "STS_019": 2,
        "STS_035": 2,
        "STS_041": 1,
    }
