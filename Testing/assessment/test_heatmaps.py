"""Heatmaps: one scale for a volume, the slice's geometry, NRRD that others can read."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from MSIQALib.assessment.heatmaps import HeatmapStore, enlarge
from MSIQALib.assessment.nrrd import write_heatmap_volume
from MSIQALib.errors import OutputError
from MSIQALib.imaging.volume import Geometry


@pytest.fixture
def store(tmp_path) -> HeatmapStore:
    folder = tmp_path / "maps"
    folder.mkdir()
    store = HeatmapStore(folder)
    for index, level in ((0, 1.0), (2, 5.0), (3, 9.0)):
        store.write(
            index, {"F1": np.full((8, 8), level, np.float32), "F4": np.eye(7, dtype=np.float32)}
        )
    return store


def test_one_scale_serves_the_whole_volume(store):
    """A slice of twice the activation is brighter, not stretched to its own range."""
    assert store.names == ("F1", "F4")
    assert store.indices == (0, 2, 3)
    levels = [store.slice_map("F1", k, (16, 16)).mean() for k in (0, 2, 3)]
    assert levels == pytest.approx([0.0, 0.5, 1.0], abs=0.02)


def test_slices_without_a_heatmap_are_zero(store):
    volume = list(store.volume_slices("F1", 5, (16, 16)))
    assert len(volume) == 5
    assert not volume[1].any()
    assert not volume[4].any()
    assert volume[3].mean() > 0.9
    with pytest.raises(KeyError):
        store.slice_map("F1", 1, (16, 16))


def test_a_hot_spot_stays_where_it_was():
    values = np.zeros((56, 56), np.float32)
    values[10, 40] = 1.0
    large = enlarge(values, (512, 512))
    row, column = np.unravel_index(large.argmax(), large.shape)
    # The centre of cell (r, c) of 56 lies at (r + 0.5) * 512 / 56 - 0.5.
    assert row == pytest.approx(10.5 * 512 / 56 - 0.5, abs=1)
    assert column == pytest.approx(40.5 * 512 / 56 - 0.5, abs=1)


def test_a_slice_that_is_not_square_was_padded():
    """The heatmap covers the padded square; the borders are cut away again."""
    values = np.zeros((8, 8), np.float32)
    values[2:6] = 1.0  # the middle half of the square
    large = enlarge(values, (100, 200))
    assert large.shape == (100, 200)
    assert large[10:90].min() > 0.8


def test_maps_must_keep_their_shape(store):
    with pytest.raises(ValueError, match="F1"):
        store.write(5, {"F1": np.zeros((4, 4), np.float32)})


OBLIQUE = Geometry(
    size=(5, 4, 3),
    spacing=(0.9, 1.1, 3.3),
    origin=(-100.5, 20.25, -300.0),
    direction=(0.0, -1.0, 0.0, 0.8, 0.0, -0.6, 0.6, 0.0, 0.8),
)


def test_nrrd_is_what_simpleitk_reads(tmp_path):
    path = tmp_path / "F1.nrrd"
    slices = [np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5) * k / 2 for k in range(3)]
    write_heatmap_volume(path, iter(slices), OBLIQUE, {"MSIQA_map": "F1"})
    image = sitk.ReadImage(str(path))
    assert image.GetSize() == OBLIQUE.size
    assert image.GetSpacing() == pytest.approx(OBLIQUE.spacing)
    assert image.GetOrigin() == pytest.approx(OBLIQUE.origin)
    assert image.GetDirection() == pytest.approx(OBLIQUE.direction)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(image), np.rint(np.stack(slices) * 255).astype(np.uint8)
    )
    assert image.GetMetaData("MSIQA_map") == "F1"


@pytest.mark.parametrize("count", [2, 4])
def test_a_volume_with_too_few_or_many_slices_is_not_left_behind(tmp_path, count):
    path = tmp_path / "F1.nrrd"
    with pytest.raises(ValueError, match="grid"):
        write_heatmap_volume(path, [np.zeros((4, 5), np.float32)] * count, OBLIQUE, {})
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"F1\.nrrd"):
        write_heatmap_volume(tmp_path / "file" / "F1.nrrd", [], OBLIQUE, {})
