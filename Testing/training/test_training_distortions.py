"""The distortions' statistics, the JPEG files, and the data set's own files made again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from training.datasets.labelled import read_labelled
from training.distortions import (
    COMBINATIONS,
    Distortion,
    NoiseBank,
    add_gaussian,
    add_specks,
    decode_picture,
    distort,
    distort_to_jpeg,
    encode_jpeg,
)


def flat(value: int, side: int = 512) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_there_are_27_combinations_and_one_is_pristine() -> None:
    assert len(set(COMBINATIONS)) == 27
    assert Distortion(0.0, 0.0, 100) in COMBINATIONS


@pytest.mark.parametrize(("lam", "value"), [(0.005, 255), (0.01, 100), (0.01, 30), (0.05, 200)])
def test_specks_come_at_the_rate_of_lambda_times_value(lam: float, value: int) -> None:
    img = flat(value)
    out = add_specks(img, lam, np.random.default_rng(1))
    rate = 1 - np.exp(-lam * value / 255)
    changed = (out != img).mean() if value < 255 else None
    if changed is None:
        assert (out == 255).all()
        return
    assert set(np.unique(out)) == {value, 255}
    assert changed == pytest.approx(rate, abs=4 * np.sqrt(rate / img.size))


def test_specks_hit_each_channel_on_its_own() -> None:
    img = flat(128)
    hit = add_specks(img, 0.05, np.random.default_rng(2)) != img
    each = hit.mean(axis=(0, 1))
    both = (hit[..., 0] & hit[..., 1]).mean()
    assert both == pytest.approx(each[0] * each[1], rel=0.25)


def test_black_gets_no_specks_and_the_input_stays() -> None:
    img = flat(0)
    assert not add_specks(img, 0.5, np.random.default_rng(0)).any()
    grey = flat(100)
    add_specks(grey, 0.5, np.random.default_rng(0))
    assert (grey == 100).all()


@pytest.mark.parametrize("bank", [None, NoiseBank(7)])
@pytest.mark.parametrize("sigma", [5.0, 10.0])
def test_gaussian_has_its_sigma_and_is_cut_off_not_rounded(sigma: float, bank) -> None:
    out = add_gaussian(flat(128), sigma, np.random.default_rng(3), bank).astype(float)
    assert out.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.01)
    assert out.mean() == pytest.approx(127.5, abs=0.05)


def test_gaussian_is_clipped_at_black() -> None:
    out = add_gaussian(flat(0), 10.0, np.random.default_rng(4)).astype(float)
    assert (out == 0).mean() == pytest.approx(0.5 + 0.0398, abs=0.005)  # P(N < 0.1 sigma)
    assert out.max() < 80


def test_bank_noise_is_uncorrelated_between_pictures() -> None:
    bank, rng = NoiseBank(1), np.random.default_rng(5)
    first, second = bank.draw(200_000, rng).copy(), bank.draw(200_000, rng).copy()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01


@pytest.mark.parametrize("quality", [100, 70, 40])
def test_jpeg_has_the_standard_tables_of_its_quality_and_420(quality: int) -> None:
    img = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    ours = Image.open(io.BytesIO(encode_jpeg(img, quality)))
    assert JpegImagePlugin.get_sampling(ours) == 2  # Pillow's number for 4:2:0
    buffer = io.BytesIO()
    Image.fromarray(img).save(buffer, "JPEG", quality=quality, subsampling=2)
    assert ours.quantization == Image.open(buffer).quantization


def test_colours_keep_their_places() -> None:
    img = flat(0, 32)
    img[..., 0] = 200
    mean = decode_picture(encode_jpeg(img, 100)).mean(axis=(0, 1))
    assert mean == pytest.approx([200, 0, 0], abs=2)


def test_same_generator_same_picture() -> None:
    img = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    what = Distortion(0.01, 10, 40)
    first = distort(img, what, np.random.default_rng(9))
    assert np.array_equal(first, distort(img, what, np.random.default_rng(9)))
    assert not np.array_equal(first, distort(img, what, np.random.default_rng(10)))
    assert first.shape == img.shape


@pytest.mark.parametrize("wrong", [(-0.1, 0, 100), (0, -1, 100), (0, 0, 0), (0, 0, 101)])
def test_impossible_strengths_are_refused(wrong: tuple) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Distortion(*wrong)


@pytest.mark.slow
def test_distorting_the_pristine_slices_gives_files_of_the_real_sizes(data_root: Path) -> None:
    images = read_labelled(data_root / "pet-ct-iqa-ds")
    pristine = {(i.patient, i.slice): i.read() for i in images if i.pristine}
    ratios: dict[Distortion, list[float]] = {}
    for number, image in enumerate(images):
        if image.pristine:
            continue
        rng = np.random.default_rng(number)
        made = len(distort_to_jpeg(pristine[image.patient, image.slice], image.distortion, rng))
        ratios.setdefault(image.distortion, []).append(made / image.path.stat().st_size)
    off = {d: abs(np.mean(r) - 1) for d, r in ratios.items()}
    assert len(off) == 26
    assert max(off.values()) < 0.04
    assert np.median(list(off.values())) < 0.01
