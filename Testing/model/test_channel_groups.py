"""Groups of channels that do not mix are computed one by one, and give the same stages."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from MSIQALib.assessment.device import Device
from MSIQALib.assessment.scorer import NetworkScorer
from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.channel_groups import by_groups, multiplications
from MSIQALib.model.checkpoint import LoadedModel
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.inference import fold_batch_norm, made_faster
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import WeightsInfo


def small_resnet(stages: int = 2) -> Any:
    """Random weights and statistics, so that a channel in the wrong place is noticed."""
    torch.manual_seed(5)
    whole = ResNetStages(stages=stages, pretrained=False)
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
    return whole.eval()


@torch.no_grad()
def part(whole: Any, groups: int, *, reads: bool = False) -> None:
    """Zero what goes from one group of channels to another's, in stages 1 and 2.

    Args:
        whole: Changed in place.
        groups: Channels are dealt out to them in turn.
        reads: Leave the first convolution of each block's last group as it is.
    """
    for name in whole.stage_names:
        for number, block in enumerate(whole.get_submodule(name)):
            convolutions = {"first": block.conv1, "second": block.conv2, "third": block.conv3}
            if name == "layer1" and number == 0:
                del convolutions["first"]  # its input is the stem's
            if block.downsample is not None and name != "layer1":
                convolutions["shortcut"] = block.downsample[0]
            for which, convolution in convolutions.items():
                rows, columns = (torch.arange(n) % groups for n in convolution.weight.shape[:2])
                own = rows[:, None] == columns
                if reads and which == "first":
                    own |= rows[:, None] == groups - 1
                convolution.weight[~own] = 0


def compared(whole: Any) -> tuple[list[torch.Tensor], Any]:
    """Stages of the whole network, and the grouped one."""
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        wanted = whole(image)
        grouped = by_groups(fold_batch_norm(copy.deepcopy(whole)))
        if grouped is not None:
            for given, stage in zip(grouped(image), wanted, strict=True):
                torch.testing.assert_close(given, stage, atol=1e-4, rtol=1e-4)
                assert stage.std() > 0
    return wanted, grouped


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("groups", [2, 4])
def test_groups_give_the_stages_of_the_whole(groups: int, reads: bool) -> None:
    whole = small_resnet()
    part(whole, groups, reads=reads)
    _, grouped = compared(whole)
    assert [len(stage[0].first) for stage in grouped.stages] == [groups, groups]
    # Where nothing is read from other groups and the stem's convolutions are left out, 1 of groups.
    every = multiplications([whole.get_submodule(name) for name in whole.stage_names])
    stem = (64 * 64 + 64 * 256) * (1 - 1 / groups)
    more = 0.0
    if reads:
        first = (2 * 256 * 64 + (256 + 3 * 512) * 128 / 4) / groups
        more = first * (1 - 1 / groups)
    assert multiplications(grouped.stages) == pytest.approx(every / groups + stem + more)


def test_averages_are_those_of_the_whole() -> None:
    whole = small_resnet()
    part(whole, 2)
    grouped = by_groups(fold_batch_norm(copy.deepcopy(whole)))
    assert grouped is not None
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for given, wanted, stage in zip(
            grouped(image, 4), whole(image, 4), whole(image), strict=True
        ):
            torch.testing.assert_close(given, wanted, atol=1e-4, rtol=1e-4)
            blocks = stage.unflatten(2, (4, -1)).unflatten(4, (4, -1)).mean((3, 5))
            torch.testing.assert_close(wanted, blocks, atol=1e-4, rtol=1e-4)


def test_channels_that_are_always_0_cost_nothing() -> None:
    whole = small_resnet(stages=1)
    with torch.no_grad():
        for block in whole.layer1:
            for last in [(block.conv3, block.bn3), block.downsample or (None, None)]:
                if last[0] is not None:
                    last[0].weight[100:] = 0
                    last[1].bias[100:] = 0
                    last[1].running_mean[100:] = 0
    wanted, grouped = compared(whole)
    assert wanted[0][:, 100:].abs().max() == 0
    assert grouped.stages[0][0].third[0].out_channels == 100


def test_a_channel_that_is_constant_is_kept() -> None:
    """Nothing flows into it, but its bias does not vanish."""
    whole = small_resnet(stages=1)
    part(whole, 2)
    with torch.no_grad():
        for block in whole.layer1:
            block.conv3.weight[7] = 0
            block.bn3.bias[7] = 1.0
        whole.layer1[0].downsample[0].weight[7] = 0
    wanted, grouped = compared(whole)
    assert wanted[0][:, 7].min() > 0
    assert [len(block.first) for block in grouped.stages[0]] == [2, 2, 2]


def test_channels_that_all_mix_are_left_together() -> None:
    assert by_groups(fold_batch_norm(small_resnet())) is None


def test_a_group_that_lacks_a_block_goes_with_another() -> None:
    whole = small_resnet(stages=1)
    part(whole, 4)
    with torch.no_grad():
        whole.layer1[1].conv3.weight[3::4] = 0
        whole.layer1[1].bn3.bias[3::4] = 0.1
    _, grouped = compared(whole)
    assert [len(block.first) for block in grouped.stages[0]] == [3, 3, 3]


def test_a_stage_that_gives_nothing_is_left_as_it_is() -> None:
    whole = small_resnet(stages=1)
    with torch.no_grad():
        for block in whole.layer1:
            for norm in (block.bn3, *([block.downsample[1]] if block.downsample else [])):
                nn.init.zeros_(norm.weight)
                nn.init.zeros_(norm.bias)
    assert by_groups(fold_batch_norm(whole)) is None


def test_one_weight_between_two_groups_joins_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MSIQALib.model.channel_groups.WORTH_IT", 1.0)
    whole = small_resnet()
    part(whole, 2)
    with torch.no_grad():
        whole.layer2[3].conv2.weight[0, 1, 0, 2] = 0.5
    image = torch.randn(1, 3, 64, 64)
    grouped = by_groups(fold_batch_norm(copy.deepcopy(whole)))
    assert grouped is not None
    with torch.inference_mode():
        torch.testing.assert_close(grouped(image)[1], whole(image)[1], atol=1e-4, rtol=1e-4)
    assert [len(stage[0].first) for stage in grouped.stages] == [2, 1]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_only_a_cpu_goes_by_groups(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(
        "MSIQALib.assessment.scorer.made_faster",
        lambda network, in_groups: asked.append(in_groups) or made_faster(network, in_groups=False),
    )
    network = MSIQA(ModelConfig(stages=1, pretrained=False)).eval()
    NetworkScorer(LoadedModel(network, WeightsInfo(network.config)), Device(device, "", 1))
    assert asked == [device == "cpu"]
