"""Agreement by hand-computed cases; initial filters and stage heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.initial_filters import see_noise_resnet, see_noise_swin
from training.levels import StageHeads, level_error, weighted_error
from training.metrics import agreement


def test_agreement_of_a_small_case() -> None:
    result = agreement([1, 2, 3, 4], [1, 3, 2, 4])
    assert result.n == 4
    assert result.srocc == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert result.plcc == pytest.approx(4 / 5)
    assert result.rmse == pytest.approx((2 / 4) ** 0.5)


def test_a_monotone_curve_keeps_the_ranks_only() -> None:
    result = agreement([1, 10, 100, 1000], [1, 2, 3, 4])
    assert result.srocc == pytest.approx(1)
    assert result.plcc < 0.9


@pytest.mark.parametrize("wrong", [([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_shapes_that_cannot_be_compared_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        agreement(*wrong)


def test_first_filters_of_resnet_are_silent_on_flat_pictures() -> None:
    conv = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    see_noise_resnet(conv)
    flat = torch.tensor([0.3, -0.9, 0.7]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert conv(flat)[..., 3:-3, 3:-3].abs().max() < 1e-4
    specked = flat.clone()
    specked[0, 0, 16, 16] = 1.0
    assert conv(specked)[..., 3:-3, 3:-3].abs().max() > 0.1


def test_first_filters_of_swin_see_a_speck_at_each_place() -> None:
    conv = nn.Conv2d(3, 96, 4, 4)
    see_noise_swin(conv)
    black = -torch.ones(1, 3, 4, 4)
    for place in range(16):
        specked = black.clone()
        specked.view(3, 16)[1, place] = 1.0
        assert (conv(specked) - conv(black)).abs().max() > 0.5
    assert conv(black)[:, :-8].abs().max() < 0.6


def test_heads_learn_levels_and_damage_from_a_stage_that_shows_them() -> None:
    torch.manual_seed(0)
    heads = StageHeads((6,))
    optimiser = torch.optim.AdamW(heads.parameters(), lr=5e-3)
    errors = []
    for _ in range(150):
        levels = torch.rand(8, 3)
        damage = levels[:, :2, None, None].expand(-1, -1, 14, 14)
        stage = torch.cat((levels, -levels), 1)[:, :, None, None].expand(-1, -1, 28, 28)
        loss = heads.loss([stage], levels, damage)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(loss.item())
    assert sum(errors[-10:]) < 0.3 * sum(errors[:10])


def test_specks_weigh_more_only_where_asked() -> None:
    wanted = torch.zeros(4, 3)
    specks = torch.tensor([1.0, 0.0, 0.0]).expand(4, 3)
    noise = torch.tensor([0.0, 1.0, 0.0]).expand(4, 3)
    assert weighted_error(specks, wanted, 1.0).allclose(level_error(specks, wanted))
    assert weighted_error(noise, wanted, 1.0).allclose(level_error(noise, wanted))
    ratio = weighted_error(specks, wanted, 3.0) / weighted_error(noise, wanted, 3.0)
    assert ratio.item() == pytest.approx(3.0)
