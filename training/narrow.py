"""Narrow ResNet-50s: the same blocks with fewer channels.

A narrow network costs a tenth of the whole one, so that it sees ten times the pictures in the same
time. Several of them side by side fill a ResNet-50 (`training.widening`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm.models.resnet
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.initial_filters import see_noise_resnet
from training.learner import Learner

EXPANSION = 4
"""Channels that a stage gives for each channel of its 3x3 convolutions."""

DEPTHS = (3, 4, 6, 3)
"""Blocks of each stage of a ResNet-50."""


class OwnBlock(nn.Module):
    """A bottleneck that also reads what others have computed, and gives channels of its own.

    Args:
        reads: Channels that it reads, its own among them.
        width: Channels of its 3x3 convolution.
        first: Whether there are none of its own yet, and its input's take their place.
    """

    def __init__(self, reads: int, width: int, *, first: bool) -> None:
        super().__init__()
        gives = EXPANSION * width
        self.conv1 = nn.Conv2d(reads, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, gives, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(gives)
        self.downsample: nn.Module = (
            nn.Sequential(nn.Conv2d(reads, gives, 1, bias=False), nn.BatchNorm2d(gives))
            if first
            else nn.Identity()
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, read: Tensor, own: Tensor) -> Tensor:
        """Give (N, 4 width, H, W) of what is read, added to its own channels so far."""
        x = F.relu(self.bn1(self.conv1(read)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + self.downsample(own))


class NarrowResNet(nn.Module):
    """A ResNet-50 with fewer channels, without its classifier.

    Args:
        stem: Channels of the first convolution, at least 28 for all point filters.
        widths: Channels of the 3x3 convolutions in each stage.
        own_first: Channels of the 3x3 convolutions that a part has for itself in the first stage,
            beside those of `widths`, which all parts share and which do not read them. At first
            nothing reads them but each other.
    """

    def __init__(self, stem: int, widths: tuple[int, int, int, int], own_first: int = 0) -> None:
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
        self.own: nn.ModuleList | None = None
        if own_first:
            more = EXPANSION * own_first
            self.own = nn.ModuleList(
                OwnBlock(wide + more if block else stem, own_first, first=not block)
                for block in range(DEPTHS[0])
            )
            second: Any = self.layer2[0]
            second.conv1 = _reads_more(second.conv1, more)
            second.downsample[0] = _reads_more(second.downsample[0], more)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the four stages: (N, 4 w_i, S / 4, S / 4) and halves of it."""
        return self.later(self.shared(image))

    @property
    def own_is_read(self) -> bool:
        """Whether the second stage reads the part's own channels in the first one."""
        if self.own is None:
            return False
        second: Any = self.layer2[0]
        shared = second.conv1.in_channels - self.own[-1].conv3.out_channels
        return bool(second.conv1.weight[:, shared:].any())

    def shared(self, image: Tensor) -> list[Tensor]:
        """What all parts of a wide network share: outputs of the stem and the first blocks."""
        outputs = [self.maxpool(F.relu(self.bn1(self.conv1(image))))]
        for block in self.layer1:
            outputs.append(block(outputs[-1]))
        return outputs

    def later(self, shared: Sequence[Tensor]) -> list[Tensor]:
        """Outputs of all four stages, from what parts share."""
        outputs = [shared[-1]]
        if self.own is not None:
            own = self.own[0](shared[0], shared[0])
            for block, read in zip(self.own[1:], shared[1:], strict=False):
                own = block(torch.cat((read, own), 1), own)
            outputs = [torch.cat((shared[-1], own), 1)]
        for layer in (self.layer2, self.layer3, self.layer4):
            outputs.append(layer(outputs[-1]))
        return outputs


def _reads_more(convolution: nn.Conv2d, channels: int) -> nn.Conv2d:
    """Let a 1x1 convolution read more channels, of which it makes nothing yet."""
    gives, reads = convolution.weight.shape[:2]
    wider = nn.Conv2d(reads + channels, gives, 1, convolution.stride, bias=False)  # type: ignore[arg-type]
    with torch.no_grad():
        wider.weight.zero_()
        wider.weight[:, :reads] = convolution.weight
    return wider


class NarrowLearner(Learner):
    """A narrow ResNet that learns.

    Args:
        stem: As in `NarrowResNet`.
        widths: As in `NarrowResNet`.
        means: As in `Learner`.
        own_first: As in `NarrowResNet`.
    """

    def __init__(
        self,
        stem: int,
        widths: tuple[int, int, int, int],
        means: Tensor | None = None,
        own_first: int = 0,
    ) -> None:
        channels = [EXPANSION * w for w in (widths[0] + own_first, *widths[1:])]
        super().__init__(NarrowResNet(stem, widths, own_first), channels, means)
        self.first_is_frozen = False

    def teach_readers(self, only: bool) -> None:
        """As of `Learner`; what `freeze_first` has frozen stays so.

        A part's own channels in the first stage learn with the readers while nothing else reads
        them.
        """
        super().teach_readers(only)
        if self.stages.own is not None and not self.stages.own_is_read:
            self.stages.own.requires_grad_(True)
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
