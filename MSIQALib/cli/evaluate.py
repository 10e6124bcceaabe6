"""`msiqa evaluate`: how well the scores agree with people's."""

from __future__ import annotations

import json
from dataclasses import asdict
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
    app.command()(evaluate)


def evaluate(
    images_dir: Annotated[Path, typer.Argument(help="Folder of the pictures.")],
    labels: Annotated[Path, typer.Argument(help="CSV with the columns file and score (0..4).")],
    model: ModelOption = None,
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = None,
    several_views: ViewsOption = False,
) -> None:
    """Compare scores with labels: number of pictures, SROCC, PLCC and RMSE."""
    from MSIQALib.assessment.agreement import measure_agreement, read_labels
    from MSIQALib.assessment.pictures import score_pictures

    truth = read_labels(labels)
    scored = score_pictures(
        [images_dir / file for file in truth],
        weights=model,
        device_name=device,
        batch_size=batch_size,
        several_views=several_views,
    )
    agreement = measure_agreement(labels, [one.score for _, one in scored], list(truth.values()))
    if as_json:
        typer.echo(json.dumps(asdict(agreement)))
        return
    typer.echo(f"n      {agreement.n}")
    for name in ("srocc", "plcc", "rmse"):
        typer.echo(f"{name:6} {getattr(agreement, name):.4f}")
