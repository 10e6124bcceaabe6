"""From an 8-bit picture to what the network reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

LEVELS = 255


@dataclass(frozen=True)
class Preprocessing:
    """How a fused slice becomes an input.

    Attributes:
        size: Height and width of the input in pixels.
        mean: Subtracted from every channel after scaling to 0..1.
        std: Divided by after that.
    """

    size: int = 224
    mean: float = 0.5
    std: float = 0.5

    def __post_init__(self) -> None:
        if self.size <= 0 or self.std <= 0:
            raise ValueError("size and std must be positive")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build from a mapping; unknown names raise a ValueError."""
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"Unknown preprocessing option: {', '.join(unknown)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return dataclasses.asdict(self)

    def resize(self, picture: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Resize one picture as OpenCV's bicubic does, without antialiasing.

        PyTorch's bicubic has the same kernel (a = -0.75) and the same alignment; what is left is
        rounding, at most one grey level on a few pixels. Pictures that are not square get black
        borders, so that anatomy keeps its proportions.

        Args:
            picture: (H, W, 3), RGB, uint8.

        Returns:
            uint8 tensor of shape (3, size, size).
        """
        import torch
        import torch.nn.functional as F

        image = torch.from_numpy(square(picture)).permute(2, 0, 1)[None]
        if image.shape[-2:] == (self.size, self.size):
            return image[0].contiguous()
        resized = F.interpolate(
            image.float(), size=(self.size, self.size), mode="bicubic", align_corners=False
        )
        return resized.round_().clamp_(0, LEVELS).to(torch.uint8)[0]

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Turn uint8 images into the network's input.

        Args:
            batch: uint8, (N, 3, size, size), on any device.

        Returns:
            float32 of the same shape, in channels-last memory, on the same device.
        """
        import torch

        scaled = batch.to(torch.float32).div_(LEVELS).sub_(self.mean).div_(self.std)
        return scaled.contiguous(memory_format=torch.channels_last)

    def __call__(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> torch.Tensor:
        """Prepare several pictures of any size as one batch, float32 (N, 3, size, size)."""
        import torch

        return self.normalise(torch.stack([self.resize(picture) for picture in pictures]))


def square(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pad with black to a centred square.

    Args:
        picture: (H, W, 3), uint8.

    Returns:
        (S, S, 3), S the longer side; contiguous and writable, as torch wants it. The picture itself
        where it is all that already.
    """
    height, width = picture.shape[:2]
    side = max(height, width)
    if height == width:
        if picture.flags.c_contiguous and picture.flags.writeable:
            return picture
        return np.array(picture, order="C")
    top, left = (side - height) // 2, (side - width) // 2
    padded = np.zeros((side, side, 3), np.uint8)
    padded[top : top + height, left : left + width] = picture
    return padded
