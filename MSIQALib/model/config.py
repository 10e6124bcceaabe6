"""What one MS-IQA network is, as a set of named choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

ScoreRule = Literal["paper", "released"]
AttentionActivation = Literal["softmax", "sigmoid"]
Pooling = Literal["average", "max"]

FEATURE_NAMES = ("F1", "F2", "F3", "F4", "F_W", "F_S")
"""The paper's feature maps in the order in which Fig. 2 shows them."""

RESNET_CHANNELS = (256, 512, 1024, 2048)
SWIN_CHANNELS = (96, 192, 384, 768)
STAGE_COUNT = 4
CELL = 32
"""Pixels of a backbone's input along a cell of its last stage."""


@dataclass(frozen=True)
class ModelConfig:
    """Every choice that makes one MS-IQA network differ from another.

    The paper's text, its Fig. 1 and the authors' released code disagree in three places. The
    defaults take the paper's score, and for the other two what Fig. 1 and the code agree on.

    Attributes:
        score: "paper" is Eq. 9, S x W. "released" is S alone: the released code divides
            sum(S*W) by sum(W) over a single number, so that its weight branch cancels out.
        agca_activation: The first activation in AGCA: "softmax" over the vertices (Fig. 1 and
            the code) or "sigmoid" (the text at Eq. 4).
        fs_pooling: How F_S becomes f_s: "average" (Fig. 1 and the code) or "max" (the text:
            "a same process as F_W").
        resnet: The ResNet module, RM. Without it F_i is Swin's output alone.
        swin: The Swin Transformer module, STM. Without it F_i is ResNet's output alone and F_S
            comes from ResNet's last stage.
        fusion: The multi-scale feature fusion module, MSFFM. Without it there is neither the
            1x1 convolution nor AGCA: the pooled F_i are concatenated as they are.
        regressor: The two-branch score regressor, SRM. Without it one linear layer maps
            (f_w, f_s) to the score.
        stages: How many stages, counted from the first, take part (Table 2: 1 to 4). F_S comes
            from the last of them.
        swin_stride: Swin reads every n-th row and column of the input. The paper's is 1; with 2
            ResNet sees 448 pixels where Swin sees 224.
        swin_size: Height and width to which the input is resized for Swin, bicubically and without
            antialiasing, as the paper resizes its pictures; 0 for as it is. With 224 ResNet may see
            a picture as it is, and Swin what both see in the paper.
        dropout: Dropout probability between the two linear layers of each branch.
        pretrained: Start both backbones from timm's ImageNet weights, which timm downloads. It
            matters when a network is made afresh, not when weights are loaded into it.
    """

    score: ScoreRule = "paper"
    agca_activation: AttentionActivation = "softmax"
    fs_pooling: Pooling = "average"
    resnet: bool = True
    swin: bool = True
    fusion: bool = True
    regressor: bool = True
    stages: int = STAGE_COUNT
    swin_stride: int = 1
    swin_size: int = 0
    dropout: float = 0.5
    pretrained: bool = True

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}"
                )
        if not (self.resnet or self.swin):
            raise ValueError("At least one of resnet and swin must be True")
        if self.stages not in range(1, STAGE_COUNT + 1):
            raise ValueError(f"stages must be 1 to {STAGE_COUNT}, not {self.stages!r}")
        if not (isinstance(self.swin_stride, int) and self.swin_stride >= 1):
            raise ValueError(f"swin_stride must be 1 or more, not {self.swin_stride!r}")
        if not isinstance(self.swin_size, int) or self.swin_size < 0 or self.swin_size % CELL:
            raise ValueError(f"swin_size must be a multiple of {CELL}, not {self.swin_size!r}")
        if self.swin_size and self.swin_stride != 1:
            raise ValueError("swin_stride must be 1 where there is a swin_size")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout!r}")

    @classmethod
    def released(cls) -> ModelConfig:
        """The network of the authors' published code and checkpoint."""
        return cls(score="released")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Build from a mapping, for example one read from a file.

        Raises:
            ValueError: A name is not a field, or a value is not allowed.
        """
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ValueError(f"Unknown model option: {', '.join(unknown)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return dataclasses.asdict(self)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Channels of F_1, F_2, ... as far as ``stages`` goes (Eq. 3)."""
        return tuple(
            self.resnet * RESNET_CHANNELS[i] + self.swin * SWIN_CHANNELS[i]
            for i in range(self.stages)
        )

    @property
    def last_stage_channels(self) -> int:
        """Channels of the map that F_S is made from."""
        return (SWIN_CHANNELS if self.swin else RESNET_CHANNELS)[self.stages - 1]

    @property
    def cell(self) -> int:
        """Of how many pixels the input's height and width must be a multiple."""
        return CELL * (self.swin_stride if self.swin else 1)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature maps that this network has."""
        return tuple(
            name
            for index, name in enumerate(FEATURE_NAMES)
            if index < self.stages or index >= STAGE_COUNT
        )


_CHOICES: dict[str, tuple[str, ...]] = {
    "score": get_args(ScoreRule),
    "agca_activation": get_args(AttentionActivation),
    "fs_pooling": get_args(Pooling),
}
