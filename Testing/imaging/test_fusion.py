"""Fused pictures: closed forms of the blend, and the published data set's own pictures."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from MSIQALib.imaging.colour_map import heat_map
from MSIQALib.imaging.fusion import FusionOptions, fuse_rgb

PLAIN = FusionOptions(max_stretch=1.0)


def fuse(hu: float, suv: float | None, options: FusionOptions = PLAIN) -> np.ndarray:
    ct = np.full((2, 3), hu, np.float32)
    pet = None if suv is None else np.full((2, 3), suv, np.float32)
    rgb = fuse_rgb(ct, pet, options)
    assert rgb.shape == (2, 3, 3)
    assert rgb.dtype == np.uint8
    return rgb[0, 0].astype(int)


@pytest.mark.parametrize(
    ("hu", "grey"), [(-1000, 0), (-85, 0), (40, 63.75), (165, 127.5), (3000, 127.5)]
)
def test_ct_window(hu: float, grey: float) -> None:
    np.testing.assert_allclose(fuse(hu, 0.0), grey, atol=1)
    np.testing.assert_array_equal(fuse(hu, 0.0), fuse(hu, None))


@pytest.mark.parametrize("suv", [0.0, 0.6, 1.5, 2.3, 4.0, 5.0, 30.0])
def test_pet_colours_are_half_of_the_map(suv: float) -> None:
    colour = heat_map()[round(255 * min(suv / 5.0, 1.0))]
    np.testing.assert_allclose(fuse(-1000, suv), colour / 2, atol=1)
    np.testing.assert_allclose(fuse(1000, suv), np.minimum(colour / 2 + 127.5, 255), atol=1)


def test_negative_suv_is_no_uptake() -> None:
    np.testing.assert_array_equal(fuse(0, -1.0), fuse(0, 0.0))


def test_opacity_shares_the_blend() -> None:
    assert fuse(1000, 0.0, FusionOptions(opacity=0.25, max_stretch=1))[0] == pytest.approx(
        191, abs=1
    )
    np.testing.assert_allclose(fuse(1000, 5.0, FusionOptions(opacity=0.25)), 255, atol=1)


def test_brightest_channel_is_stretched_to_white_but_not_too_far() -> None:
    ct = np.asarray([[-1000, 200]], np.float32)
    pet = np.asarray([[0.0, 2.0]], np.float32)
    plain = fuse_rgb(ct, pet, PLAIN)[0, 1].astype(float)
    stretched = fuse_rgb(ct, pet, FusionOptions(max_stretch=2.0))[0, 1]
    assert stretched[0] == 255
    np.testing.assert_allclose(stretched, plain * 255 / plain[0], atol=2)
    capped = fuse_rgb(ct, pet * 0, FusionOptions())[0, 1]
    np.testing.assert_allclose(capped, 127.5 * 1.25, atol=1)
    assert not fuse_rgb(ct - 1000, pet * 0, FusionOptions()).any()


def test_map_ascends_from_black_through_red_to_white() -> None:
    table = heat_map()
    assert table.shape == (256, 3)
    assert (np.diff(table, axis=0) >= 0).all()
    np.testing.assert_array_equal(table[[0, -1]], [[0, 0, 0], [255, 255, 255]])
    assert (table[:, 0] >= table.max(axis=1)).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"ct_width": 0.0},
        {"suv_high": 0.0},
        {"opacity": 1.1},
        {"max_stretch": 0.5},
        {"ct_centre": float("nan")},
    ],
)
def test_options_that_make_no_picture_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        FusionOptions(**wrong)


def test_options_are_recorded_by_name() -> None:
    options = FusionOptions(suv_high=7.0)
    assert FusionOptions(**options.to_dict()) == options
    assert options.to_dict()["suv_high"] == 7.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="same shape"):
        fuse_rgb(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), PLAIN)


def clean_pictures(data_root: Path) -> list[np.ndarray]:
    folder = data_root / "pet-ct-iqa-ds"
    with (folder / "labels.csv").open() as table:
        names = [
            row["file"]
            for row in csv.DictReader(table)
            if float(row["poisson_lambda"]) == float(row["gaussian_sigma"]) == 0
            and row["jpeg_quality"] == "100"
        ]
    assert len(names) == 15
    pictures = []
    for name in names:
        with Image.open(folder / "images" / name) as picture:
            pictures.append(np.asarray(picture.convert("RGB"), float))
    return pictures


def test_data_set_pictures_lie_on_our_blend(data_root: Path) -> None:
    """In R - B and G - B grey drops out: what is left is half of the map, times the stretch."""
    half = heat_map()[:, :2] / 2 - heat_map()[:, 2:] / 2
    steps = np.linspace(0, 255, 2000)
    curve = np.stack([np.interp(steps, np.arange(256), half[:, n]) for n in (0, 1)], axis=1)
    options = FusionOptions()
    nearest, distances = [], []
    for picture in clean_pictures(data_root):
        blocks = picture.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))  # JPEG's chroma grid
        spread = np.ptp(blocks, axis=2)
        greys = blocks[(spread < 1) & (blocks[..., 2] > 130) & (blocks[..., 2] < 165), 2]
        table = np.median(greys)  # saturated, without uptake
        stretch = table / 127.5
        assert 1.0 <= stretch <= options.max_stretch
        coloured = blocks[spread > 10][::5]
        chroma = (coloured[:, :2] - coloured[:, 2:]) / stretch
        distance, index = cKDTree(curve).query(chroma)
        assert np.median(distance) < 1.2
        assert np.percentile(distance, 95) < 3.5
        nearest.append(index)
        distances.append(distance)
    # Not only where most pixels are: in each stretch of the curve.
    at, distance = steps[np.concatenate(nearest)], np.concatenate(distances)
    for low in range(10, 210, 8):
        here = (at >= low) & (at < low + 8)
        assert here.sum() > 20
        assert np.median(distance[here]) < 2.0


def test_fusing_is_quick() -> None:
    rng = np.random.default_rng(0)
    ct = rng.normal(0, 300, (512, 512)).astype(np.float32)
    pet = rng.exponential(1.0, (512, 512)).astype(np.float32)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        fuse_rgb(ct, pet, FusionOptions())
        times.append(time.perf_counter() - start)
    assert min(times) < 0.030  # about 0.003 where nothing else runs
