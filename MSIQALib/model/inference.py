"""A network made ready to score: the same outputs in less time."""

from __future__ import annotations

from timm.models.swin_transformer import WindowAttention
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.channel_groups import GroupedResNet, by_groups
from MSIQALib.model.network import MSIQA


def made_faster(network: MSIQA, *, in_groups: bool) -> MSIQA:
    """Fold, fuse and group what can be, in place; the outputs differ by rounding alone.

    Args:
        network: In eval mode; it cannot learn any more afterwards.
        in_groups: Also compute ResNet by the groups of its channels, where it has any.

    Returns:
        The same network.
    """
    if isinstance(network.resnet, ResNetStages):
        folded = fold_batch_norm(network.resnet)
        network.resnet = quickest(folded) if in_groups else folded
    return fuse_attention(network)


def quickest(folded: ResNetStages) -> ResNetStages | GroupedResNet:
    """ResNet by the groups of its channels, or as it is where they save little."""
    return by_groups(folded) or folded


def fold_batch_norm(stages: ResNetStages) -> ResNetStages:
    """Merge each BatchNorm into the convolution before it, in place.

    Saves a pass over every activation; the outputs differ by rounding alone.

    Args:
        stages: In eval mode.

    Returns:
        The same stages.
    """
    for module in stages.modules():
        for conv_name, norm_name in _CONV_NORM_PAIRS:
            conv, norm = getattr(module, conv_name, None), getattr(module, norm_name, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
        if isinstance(module, nn.Sequential):
            _fold_downsampling(module)
    return stages


def fuse_attention(network: MSIQA) -> MSIQA:
    """Let Swin's attention run as PyTorch's one fused operation, in place.

    timm holds its own switch for this back as experimental; the outputs differ by rounding alone.

    Args:
        network: A network in eval mode.

    Returns:
        The same network.
    """
    for module in network.modules():
        if isinstance(module, WindowAttention):
            module.fused_attn = True  # type: ignore[misc]  # Final in timm, for TorchScript
    return network


_CONV_NORM_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))


def _fold_downsampling(module: nn.Sequential) -> None:
    for index in range(len(module) - 1):
        conv, norm = module[index], module[index + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[index] = fuse_conv_bn_eval(conv, norm)
            module[index + 1] = nn.Identity()
