"""`msiqa phantom`: a PET/CT of this project's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(phantom)


def phantom(
    output: Annotated[Path, typer.Option(help="Folder for the two DICOM series.")],
    slices: Annotated[int, typer.Option(min=8, help="Number of CT slices.")] = 48,
    seed: Annotated[int, typer.Option(help="Another seed gives other noise.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a phantom that is already there.")
    ] = False,
) -> None:
    """Make a PET/CT phantom: a torso as two DICOM series, with parts of poorer quality."""
    from MSIQALib.phantom import make_phantom

    made = make_phantom(output, slices=slices, seed=seed, overwrite=overwrite)
    typer.echo(f"CT:  {made.ct}")
    typer.echo(f"PET: {made.pet}")
