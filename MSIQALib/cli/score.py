"""`msiqa score`: ready-made pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from MSIQALib.cli.arguments import (
    BatchSizeOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    ViewsOption,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(score)


def score(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="8-bit RGB pictures.")],
    model: ModelOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = None,
    several_views: ViewsOption = False,
) -> None:
    """Score fused PET/CT pictures (JPEG, PNG, ...): file, score, S and W of each."""
    from MSIQALib.assessment.pictures import score_pictures

    rows = [
        {"file": str(path), "score": one.score, "s": one.S, "w": one.W}
        for path, one in score_pictures(
            images,
            weights=model,
            device_name=device,
            batch_size=batch_size,
            several_views=several_views,
        )
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    typer.echo("file\tscore\ts\tw")
    for row in rows:
        typer.echo(f"{row['file']}\t{row['score']:.4f}\t{row['s']:.4f}\t{row['w']:.4f}")
