"""Ready-made pictures come back as 8-bit RGB, whatever they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from MSIQALib.errors import InputError
from MSIQALib.imaging.picture import read_picture

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_rgb_is_kept(tmp_path: Path, name: str) -> None:
    Image.fromarray(RGB).save(tmp_path / name)
    picture = read_picture(tmp_path / name)
    np.testing.assert_array_equal(picture, RGB)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_formats_are_read(tmp_path: Path, name: str) -> None:
    Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8)).save(tmp_path / name)
    np.testing.assert_allclose(read_picture(tmp_path / name)[8, 8], (200, 100, 50), atol=4)


def test_grey_and_palette_are_expanded(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), RGB[..., :1].repeat(3, 2))
    Image.fromarray(RGB).quantize(35).save(tmp_path / "palette.png")
    assert read_picture(tmp_path / "palette.png").shape == (5, 7, 3)


def test_transparency_lies_on_black(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full((5, 7), 255, np.uint8)])
    rgba[0, :, 3] = 0
    rgba[1, :, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert not picture[0].any()
    np.testing.assert_allclose(picture[1], RGB[1] * (128 / 255), atol=1)
    np.testing.assert_array_equal(picture[2:], RGB[2:])


def test_what_is_no_8_bit_picture(tmp_path: Path) -> None:
    Image.fromarray(RGB[..., 0].astype(np.uint16) * 200).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="8 bits"):
        read_picture(tmp_path / "deep.png")
    pages = [Image.fromarray(RGB), Image.fromarray(RGB)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="2 pictures"):
        read_picture(tmp_path / "pages.tif")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="no picture"):
        read_picture(tmp_path / "text.png")
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_picture(tmp_path / "cut.png")
    with pytest.raises(InputError, match="no such file"):
        read_picture(tmp_path / "none.png")
