"""CT without PET as content: slices with a drawn uptake, and their share."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_study import small_study

from MSIQALib.errors import InputError
from MSIQALib.imaging.volume import Geometry, Volume
from training import content
from training.config import DataConfig, TrainingConfig
from training.datasets.chest_ct import LUNG_SUV, TISSUE_SUV, draw_uptake, read_chest_ct
from training.datasets.clean_slices import CleanSlice
from training.run_folder import RunFolder


def chest() -> Volume:
    """Air, a lung and tissue side by side, 1 mm voxels, 24 thick enough for the blur."""
    array = np.full((24, 90, 90), -1024, np.float32)
    array[:, :, 30:60] = -850
    array[:, :, 60:] = 40
    geometry = Geometry((90, 90, 24), (2.0, 2.0, 4.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return Volume(array, geometry, "CT", "HU", Path("chest"))


def write(folder: Path, name: str, volume: Volume) -> None:
    folder.mkdir(exist_ok=True)
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing)
    sitk.WriteImage(image, str(folder / name))


def test_uptake_follows_the_anatomy_and_repeats() -> None:
    means = []
    for seed in range(8):
        suv = draw_uptake(chest(), np.random.default_rng(seed))
        means.append(
            [suv[:, :, columns].mean() for columns in (slice(20), slice(38, 52), slice(68, 90))]
        )
    air, lung, tissue = np.mean(means, 0)
    assert air < 0.02
    assert 0.7 < lung / LUNG_SUV < 1.8
    assert 0.7 < tissue / TISSUE_SUV < 1.8
    again = draw_uptake(chest(), np.random.default_rng(7))
    assert np.array_equal(suv, again)


def test_uptake_is_as_smooth_as_a_pet() -> None:
    row = draw_uptake(chest(), np.random.default_rng(0))[12, 45]
    # From lung to tissue within some 7 mm: neither a step nor a slope over centimetres.
    assert np.abs(np.diff(row[50:70])).max() < 0.4
    assert row[66] - row[54] > 0.3


def test_every_slice_is_read_and_the_cache_gives_the_same(tmp_path: Path) -> None:
    volume = chest()
    outside = volume.array.copy()
    outside[:, :5] = -3024  # beyond the circle that was reconstructed
    write(tmp_path / "in", "b.nii.gz", replace(volume, array=outside))
    write(tmp_path / "in", "a.mha", small_study()[0])
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    cache = tmp_path / "cache"
    cache.mkdir()
    slices = read_chest_ct(tmp_path / "in", cache)
    assert [s.source for s in slices] == ["a"] * 24 + ["b"] * 24
    assert slices[-1].ct.shape == slices[-1].pet.shape == (90, 90)
    assert slices[-1].ct.min() == -1024
    assert not any(s.own_pet for s in slices)
    (tmp_path / "in" / "a.mha").write_bytes(b"no longer an image")
    again = read_chest_ct(tmp_path / "in", cache)
    assert all(
        np.array_equal(one.ct, other.ct) and np.array_equal(one.pet, other.pet)
        for one, other in zip(slices, again, strict=True)
    )
    with pytest.raises(InputError, match=r"a\.mha"):
        read_chest_ct(tmp_path / "in")


def test_a_missing_folder_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_chest_ct(tmp_path / "chest-ct") == ()
    assert "chest-ct is missing" in caplog.text


def named(name: str, count: int) -> tuple[CleanSlice, ...]:
    plane = np.zeros((4, 4))
    return tuple(
        CleanSlice(name, plane.astype(np.int16), plane.astype(np.float16)) for _ in range(count)
    )


@pytest.mark.parametrize(
    ("folder", "share", "there", "expected"),
    [("chest", 0.4, 8, 40), ("chest", 0.01, 8, 8), ("chest", 0.4, 0, 0), ("", 0.4, 8, 0)],
)
def test_chest_ct_has_its_share_of_the_content(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    share: float,
    there: int,
    expected: int,
) -> None:
    monkeypatch.setattr(content, "read_volumes", lambda *_: named("study", 30))
    monkeypatch.setattr(content, "phantom_slices", lambda *_: named("phantom", 10))
    monkeypatch.setattr(content, "read_chest_ct", lambda *_: named("chest", there))
    data = DataConfig(chest_ct=folder, chest_ct_share=share, cache="")
    slices = content.read_slices(TrainingConfig(data=data), RunFolder(tmp_path))
    sources = [s.source for s in slices]
    assert (sources.count("study"), sources.count("phantom")) == (30, 30)
    assert sources.count("chest") == expected
