"""`msiqa convert`: the authors' checkpoint into this project's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(convert)


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC.pt", help="The authors' MSIQA.pt.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Weights file to write.")],
    quantise: Annotated[
        bool, typer.Option("--quantise", help="Store 8-bit weights: a quarter of the size.")
    ] = False,
) -> None:
    """Convert the authors' released checkpoint.

    The network keeps the released code's score (S alone). Nothing in the file is executed.
    """
    from MSIQALib.model.checkpoint import save_model
    from MSIQALib.model.released import convert_released
    from MSIQALib.model.weights_info import WeightsInfo, file_digest

    network = convert_released(source)
    info = WeightsInfo(
        config=network.config,
        quantised=quantise,
        provenance={
            "source": "released checkpoint of the MS-IQA authors",
            "source_file": source.name,
            "source_sha256": file_digest(source),
        },
    )
    save_model(target, network, info)
    typer.echo(str(target))
