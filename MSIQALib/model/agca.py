"""Adaptive graph channel attention (Xiang et al., IEEE TIM 72, 2023), as MS-IQA uses it."""

from __future__ import annotations

import torch
from torch import nn

from MSIQALib.model.config import AttentionActivation

REDUCTION = 4
"""Channels of the input for each vertex of the graph."""

INITIAL_ADJACENCY = 1e-6


class AGCA(nn.Module):
    """Weights channels by a graph whose vertices are groups of them (Eq. 4 to 6).

    Args:
        channels: C, channels of the input; the graph has C / 4 vertices.
        activation: What turns vertex values into self-attention: softmax over the vertices, or
            an element-wise sigmoid.
    """

    def __init__(self, channels: int, activation: AttentionActivation) -> None:
        super().__init__()
        vertices = channels // REDUCTION
        self.activation = activation
        self.to_vertices = nn.Conv2d(channels, vertices, 1, bias=False)
        self.self_scale = nn.Parameter(torch.randn(1))
        self.adjacency = nn.Parameter(torch.full((vertices, vertices), INITIAL_ADJACENCY))
        self.graph_scale = nn.Parameter(torch.randn(1))
        self.to_channels = nn.Conv2d(vertices, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend over channels.

        Args:
            x: f_in, (N, C, H, W).

        Returns:
            The same shape, each channel multiplied by its attention weight in 0..1.
        """
        vertices = self.to_vertices(x.mean(dim=(2, 3), keepdim=True)).flatten(1)
        scaled = self.self_scale * vertices
        attention = scaled.softmax(1) if self.activation == "softmax" else scaled.sigmoid()
        # A = diag(attention) + A2 (Eq. 6), so v A = v * attention + v A2 without building A.
        mixed = vertices * attention + vertices @ self.adjacency
        mixed = torch.relu(self.graph_scale * mixed)
        weights = self.to_channels(mixed[:, :, None, None]).sigmoid()
        return x * weights
