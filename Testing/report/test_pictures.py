"""Cropping, heatmap overlays, overview, embedding."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from MSIQALib.report.pictures import (
    body_box,
    colour_bar,
    coronal_overview,
    coronal_row,
    data_uri,
    overlay_heatmap,
)


def test_the_crop_holds_the_body_and_leaves_the_table(body):
    box = body_box([body], margin=0)
    assert box.top == pytest.approx(20, abs=3)
    assert box.bottom == pytest.approx(61, abs=3)
    assert box.left == pytest.approx(30, abs=3)
    assert box.right == pytest.approx(91, abs=3)


def test_a_table_that_touches_the_back_is_left_out_too(body):
    large = body.repeat(4, axis=0).repeat(4, axis=1)  # rows 80..243, columns 120..363
    large[320:328] = 0
    large[244:249] = 180
    box = body_box([large], margin=0)
    assert (box.left, box.right) == (pytest.approx(120, abs=12), pytest.approx(364, abs=12))


def test_one_crop_holds_the_bodies_of_all_pictures(body):
    box = body_box([body, np.roll(body, 20, axis=1)], margin=0)
    assert box.left == pytest.approx(30, abs=3)
    assert box.right == pytest.approx(111, abs=3)


def test_the_crop_has_the_asked_shape_and_stays_inside(body):
    box = body_box([np.roll(body, -28, axis=1)], aspect=4 / 3)
    assert box.left == 0
    assert (box.right - box.left) / (box.bottom - box.top) == pytest.approx(4 / 3, abs=0.03)
    assert box.crop(body).shape == (box.bottom - box.top, box.right - box.left, 3)


def test_an_empty_picture_is_not_cropped():
    box = body_box([np.zeros((30, 40, 3), np.uint8)])
    assert (box.top, box.bottom, box.left, box.right) == (0, 30, 0, 40)


def test_noise_around_the_patient_does_not_widen_the_crop(body):
    noise = np.random.default_rng(0).normal(0, 12, body.shape)
    noisy = np.clip(body + noise, 0, 255).astype(np.uint8)
    quiet, loud = body_box([body]), body_box([noisy])
    assert abs(quiet.left - loud.left) <= 3
    assert abs(quiet.bottom - loud.bottom) <= 3


def test_body_of_real_slices(data_root):
    """In 405 real fused slices the crop keeps the patient and drops much of the black around."""
    names = sorted((data_root / "pet-ct-iqa-ds" / "images").glob("*.jpg"))[:24]
    for name in names:
        picture = np.asarray(Image.open(name).convert("RGB"))
        box = body_box([picture], margin=0)
        grey = picture.mean(axis=2)
        inside = grey[box.top : box.bottom, box.left : box.right]
        assert 0.1 < inside.size / grey.size < 0.6
        # Flesh and bone are bright; outside there is the table alone.
        assert (inside > 80).sum() > 0.8 * (grey > 80).sum()


def test_overlay_is_the_grey_slice_where_the_map_is_zero(body):
    shown = overlay_heatmap(body, np.zeros(body.shape[:2], np.float32))
    assert (np.ptp(shown.astype(int), axis=2) == 0).all()
    assert shown[40, 60, 0] == round(0.299 * 200 + 0.587 * 120 + 0.114 * 110)


def test_overlay_grows_with_the_map_and_ends_in_the_bars_last_colour(body):
    heat = np.zeros(body.shape[:2], np.float32)
    heat[40, 50:70] = np.linspace(0, 1, 20)
    shown = overlay_heatmap(body, heat, opacity=1.0).astype(int)
    difference = np.abs(shown - overlay_heatmap(body, np.zeros_like(heat)).astype(int)).sum(axis=2)
    assert difference[40, 51] < difference[40, 55] < difference[40, 60]
    assert (shown[40, 69] == colour_bar()[0, -1]).all()


def test_overlay_lets_bad_values_pass(body):
    heat = np.full(body.shape[:2], np.nan)
    heat[0] = 7.0
    shown = overlay_heatmap(body, heat)
    assert (shown[40] == overlay_heatmap(body, np.zeros_like(heat))[40]).all()
    assert (shown[0] == overlay_heatmap(body, np.ones_like(heat))[0]).all()


def test_overlay_of_another_shape_is_refused(body):
    with pytest.raises(ValueError, match="shape"):
        overlay_heatmap(body, np.zeros((10, 10)))


def test_colour_bar_brightens_steadily():
    brightness = colour_bar(64, 3)[1] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) > 0).all()


def test_overview_has_a_column_for_each_slice(body):
    first = coronal_row(body)
    picture = coronal_overview([None, first, np.zeros_like(first)])
    assert picture is not None
    assert picture.shape == (128, 3, 3)
    assert picture[:, 0].max() == picture[:, 2].max() == 0
    assert (picture[:, 1] == first).all()
    assert first[60].tolist() == [200, 120, 110]
    assert coronal_overview([None, None]) is None


def test_embedded_pictures_are_without_loss(body):
    head, _, data = data_uri(body).partition(",")
    assert head == "data:image/png;base64"
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == body).all()


def test_embedded_pictures_can_be_made_smaller(body):
    data = data_uri(body, longest=64).partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 48)
