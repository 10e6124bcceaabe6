"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Weights file (.safetensors); the shipped one by default."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cuda, cuda:N, mps or cpu.", show_default=True)
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, help="Slices scored at once; by default what suits."),
]
ViewsOption = Annotated[
    bool,
    typer.Option(
        "--several-views",
        help="Score the mean of four views a pixel apart: steadier, four times as long.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
