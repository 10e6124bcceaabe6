"""Weights that see more pixels than the paper's 224: the same network on a finer grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from MSIQALib.assessment.device import choose_device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.errors import ModelFileError
from MSIQALib.model.backbones import SwinStages
from MSIQALib.model.checkpoint import LoadedModel, load_model, save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.preprocessing import Preprocessing
from MSIQALib.model.weights_info import WeightsInfo

CONFIG = ModelConfig(pretrained=False)
FINE = WeightsInfo(CONFIG, preprocessing=Preprocessing(size=448))


@pytest.fixture(scope="module")
def network() -> MSIQA:
    torch.manual_seed(2)
    return MSIQA(CONFIG).eval()


@pytest.fixture(scope="module")
def fine(network: MSIQA, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path = tmp_path_factory.mktemp("fine") / "fine.safetensors"
    save_model(path, network, FINE)
    return load_model(path)


def test_weights_for_448_pixels_see_448(fine: LoadedModel) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    scorer = NetworkScorer(fine, choose_device("cpu"))
    batch = scorer.prepare([picture])
    assert batch.shape == (1, 3, 448, 448)
    maps = scorer.score(batch, heatmaps=True)[0].heatmaps
    sizes = {name: values.shape for name, values in maps.items()}
    assert sizes["F1"] == (112, 112)
    assert sizes["F4"] == (14, 14)
    assert sizes["F_W"] == (7, 7)
    assert sizes["F_S"] == (14, 14)
    # What is folded and fused for speed computes the same on the finer grid.
    with torch.inference_mode():
        plain = fine.network(fine.info.preprocessing.normalise(batch)).score.item()
    raw = scorer.score(batch)[0]
    assert raw.S * raw.W == pytest.approx(plain * FINE.scale.factor, rel=1e-3)


def test_windows_keep_their_size(fine: LoadedModel, network: MSIQA) -> None:
    """Cells of one window see each other and, in the first block, none beyond."""
    swin = fine.network.swin
    assert swin is not None
    image = torch.rand(1, 3, 448, 448)
    changed = image.clone()
    changed[..., :28, :28] += 1  # one window of 7 x 7 patches of 4 pixels
    with torch.inference_mode():
        block = swin.layers[0].blocks[0]
        before, after = (block(swin.patch_embed(x)) for x in (image, changed))
    moved = (before - after).abs().amax((0, 3)) > 1e-6
    assert moved[:7, :7].all()
    assert moved.sum() == 49
    # The network that the weights came from still sees 224.
    assert network(torch.rand(1, 3, 224, 224)).score.shape == (1,)


def test_a_quarter_of_a_fine_picture_is_read_as_a_whole_one_is(
    fine: LoadedModel, network: MSIQA
) -> None:
    """More pixels are more of the same: the first block does not know how large the picture is."""
    assert fine.network.swin is not None
    assert network.swin is not None
    image = torch.rand(1, 3, 448, 448)
    with torch.inference_mode():
        large, small = (
            n.layers[0].blocks[0](n.patch_embed(x))
            for n, x in ((fine.network.swin, image), (network.swin, image[..., :224, :224]))
        )
    torch.testing.assert_close(large[:, :56, :56], small)


@pytest.mark.parametrize("size", [100, 300])
def test_a_size_without_whole_cells_is_refused(network: MSIQA, tmp_path: Path, size: int) -> None:
    path = tmp_path / "odd.safetensors"
    save_model(path, network, replace(FINE, preprocessing=Preprocessing(size=size)))
    with pytest.raises(ModelFileError, match=rf"odd\.safetensors.*multiple of 32: {size}"):
        load_model(path)


COARSE_SWIN = ModelConfig(swin_stride=2, pretrained=False)


def test_swin_may_see_every_other_pixel_of_what_resnet_sees(network: MSIQA, tmp_path: Path) -> None:
    both = MSIQA(COARSE_SWIN).eval()
    both.load_state_dict(network.state_dict())
    path = tmp_path / "both.safetensors"
    save_model(path, both, replace(FINE, config=COARSE_SWIN))
    loaded = load_model(path).network
    assert loaded.resnet is not None
    assert loaded.swin is not None
    image = torch.rand(1, 3, 448, 448)
    between = image.clone()
    between[..., 1::2, :] = between[..., :, 1::2] = 0  # rows and columns that Swin leaves out
    with torch.inference_mode():
        prediction, other = loaded(image, features=True), loaded(between)
        fine = loaded.resnet(image)
        coarse = network.swin(image[..., ::2, ::2])
        assert loaded(image).score == pytest.approx(prediction.score, rel=1e-5)
    assert other.S == prediction.S
    assert other.W != prediction.W
    for number, channels in enumerate((256, 512, 1024, 2048)):
        stage = prediction.features[f"F{number + 1}"]
        assert torch.equal(stage[:, :channels], fine[number])
        enlarged = stage[:, channels:]
        assert enlarged.shape[-2:] == stage.shape[-2:] == fine[number].shape[-2:]
        torch.testing.assert_close(
            enlarged.mean((2, 3)), coarse[number].mean((2, 3)), atol=1e-5, rtol=1e-4
        )
        # In between, not repeated: a quarter of the way from one cell to the next.
        one, next_one = coarse[number][..., 2, 2], coarse[number][..., 2, 3]
        other, last = coarse[number][..., 3, 2], coarse[number][..., 3, 3]
        wanted = 0.75 * (0.75 * one + 0.25 * next_one) + 0.25 * (0.75 * other + 0.25 * last)
        torch.testing.assert_close(enlarged[..., 5, 5], wanted, atol=1e-5, rtol=1e-4)
    assert prediction.features["F_S"].shape == (1, 768, 7, 7)


def test_swin_needs_whole_cells_of_what_it_sees(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    info = WeightsInfo(COARSE_SWIN, preprocessing=Preprocessing(size=96))
    save_model(path, MSIQA(COARSE_SWIN), info)
    with pytest.raises(ModelFileError, match=r"odd\.safetensors.*multiple of 64: 96"):
        load_model(path)


@pytest.mark.parametrize("stride", [0, -1, 1.5])
def test_a_stride_is_a_whole_number(stride: float) -> None:
    with pytest.raises(ValueError, match="swin_stride must be 1 or more"):
        ModelConfig.from_dict({"swin_stride": stride})


SMALL_SWIN = ModelConfig(swin_size=224, pretrained=False)


def test_swin_may_see_the_papers_size_of_what_resnet_sees(network: MSIQA, tmp_path: Path) -> None:
    """ResNet sees pictures of 512 pixels as they are, Swin what preprocessing makes of them."""
    both = MSIQA(SMALL_SWIN).eval()
    both.load_state_dict(network.state_dict())
    path = tmp_path / "native.safetensors"
    save_model(path, both, WeightsInfo(SMALL_SWIN, preprocessing=Preprocessing(size=512)))
    model = load_model(path)
    loaded = model.network
    assert model.info.config == SMALL_SWIN
    y, x, c = np.mgrid[:512, :512, :3]  # smooth, so that nothing beyond black and white is cut off
    picture = (128 + 100 * np.sin(x / (9 + c)) * np.cos(y / 13)).astype(np.uint8)
    image = model.info.preprocessing([picture])
    small = Preprocessing(size=224)([picture])
    with torch.inference_mode():
        prediction = loaded(image, features=True)
        fine, own, coarse = network.resnet(image), loaded.swin(image), network.swin(small)
        assert loaded(image).score == pytest.approx(prediction.score, rel=1e-5)
        for number, channels in enumerate((256, 512, 1024, 2048)):
            stage = prediction.features[f"F{number + 1}"]
            assert torch.equal(stage[:, :channels], fine[number])
            # All but the preprocessing's rounding to whole grey levels.
            assert own[number].shape == coarse[number].shape
            assert (own[number] - coarse[number]).abs().mean() < 0.02 * coarse[number].abs().mean()
            # The coarser map over the same field, from corner to corner.
            enlarged = stage[:, channels:]
            assert enlarged.shape[-2:] == stage.shape[-2:] == fine[number].shape[-2:]
            assert torch.equal(enlarged[..., 0, 0], own[number][..., 0, 0])
            assert torch.equal(enlarged[..., -1, -1], own[number][..., -1, -1])
        # Smaller ones than Swin's are enlarged for it; those of its size it sees as they are.
        loaded.set_input_size(96)
        assert loaded.swin(image[..., :96, :96])[0].shape == (1, 96, 56, 56)
        loaded.set_input_size(224)
        assert torch.equal(loaded(small).score, network(small).score)
        loaded.set_input_size(512)
        assert torch.equal(loaded(image, features=True).score, prediction.score)


@pytest.mark.parametrize(("size", "wanted"), [(512, 224), (96, 224)])
def test_swins_own_size_is_bicubic_without_antialiasing(size: int, wanted: int) -> None:
    swin = SwinStages(stages=1, pretrained=False, size=wanted).eval()
    swin.set_input_size(size)
    image = torch.rand(1, 3, size, size)
    resized = F.interpolate(image, (wanted, wanted), mode="bicubic", align_corners=False)
    with torch.inference_mode():
        given, expected = swin.embed(image), swin.patch_embed(resized)
    torch.testing.assert_close(given, expected, atol=1e-4, rtol=0)
    assert "_resizing" not in swin.state_dict()


@pytest.mark.parametrize("values", [{"swin_size": 100}, {"swin_size": -32}, {"swin_size": 224.0}])
def test_swins_size_has_whole_cells(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="swin_size must be a multiple of 32"):
        ModelConfig.from_dict(values)


def test_swin_has_a_stride_or_a_size() -> None:
    with pytest.raises(ValueError, match="swin_stride must be 1"):
        ModelConfig(swin_size=224, swin_stride=2)
    with pytest.raises(ValueError, match="either a size or a stride"):
        SwinStages(stages=1, pretrained=False, stride=2, size=224)
