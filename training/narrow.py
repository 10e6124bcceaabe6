"""Narrow ResNet-50s: the same blocks with fewer channels.

A narrow network costs a tenth of the whole one, so that it sees ten times the pictures in the same
time. Several of them side by side fill a ResNet-50 (`training.widening`).
"""

from __future__ import annotations

from typing import Any

import timm.models.resnet
import torch.nn.functional as F
from torch import Tensor, nn

from training.initial_filters import see_noise_resnet
from training.learner import Learner

EXPANSION = 4
"""Channels that a stage gives for each channel of its 3x3 convolutions."""

DEPTHS = (3, 4, 6, 3)
"""Blocks of each stage of a ResNet-50."""


class NarrowResNet(nn.Module):
    """A ResNet-50 with fewer channels, without its classifier.

    Args:
        stem: Channels of the first convolution, at least 28 for all point filters.
        widths: Channels of the 3x3 convolutions in each stage.
    """

    def __init__(self, stem: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        source: Any = timm.models.resnet.ResNet(
            timm.models.resnet.Bottleneck, DEPTHS, num_classes=0, channels=widths
        )
        self.conv1 = nn.Conv2d(3, stem, 7, 2, 3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(stem)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2 = source.layer1, source.layer2
        self.layer3, self.layer4 = source.layer3, source.layer4
        wide = EXPANSION * widths[0]
        first: Any = self.layer1[0]
        first.conv1 = nn.Conv2d(stem, widths[0], 1, bias=False)
        # timm leaves this out where stem and stage happen to have as many channels.
        first.downsample = nn.Sequential(nn.Conv2d(stem, wide, 1, bias=False), nn.BatchNorm2d(wide))
        see_noise_resnet(self.conv1, points=1.0)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the four stages: (N, 4 w_i, S / 4, S / 4) and halves of it."""
        return self.later(self.first(image))

    def first(self, image: Tensor) -> Tensor:
        """Output of the first stage, which all parts of a wide network share."""
        first: Tensor = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(image)))))
        return first

    def later(self, first: Tensor) -> list[Tensor]:
        """Outputs of all four stages, from that of the first."""
        outputs = [first]
        for layer in (self.layer2, self.layer3, self.layer4):
            outputs.append(layer(outputs[-1]))
        return outputs


class NarrowLearner(Learner):
    """A narrow ResNet that learns.

    Args:
        stem: As in `NarrowResNet`.
        widths: As in `NarrowResNet`.
        means: As in `Learner`.
    """

    def __init__(
        self, stem: int, widths: tuple[int, int, int, int], means: Tensor | None = None
    ) -> None:
        super().__init__(NarrowResNet(stem, widths), [EXPANSION * w for w in widths], means)
        self.first_is_frozen = False

    def teach_readers(self, only: bool) -> None:
        """As of `Learner`; what `freeze_first` has frozen stays so."""
        super().teach_readers(only)
        if self.first_is_frozen:
            self.freeze_first()

    def freeze_first(self) -> None:
        """Keep stem and first stage as they are, their statistics too; undone by nothing."""
        self.first_is_frozen = True
        for module in (self.stages.conv1, self.stages.bn1, self.stages.layer1):
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> NarrowLearner:
        """As of `Learner`, and for the first stage where it is frozen."""
        super().train(mode)
        for module in (self.stages.bn1, self.stages.layer1):
            if not any(p.requires_grad for p in module.parameters()):
                module.eval()
        return self
