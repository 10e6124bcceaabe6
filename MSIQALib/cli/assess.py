"""`msiqa assess`: a PET and a CT in, a quality curve and a report out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from MSIQALib.cli.arguments import BatchSizeOption, DeviceOption, ModelOption, ViewsOption
from MSIQALib.cli.exit_codes import BAD_INPUT, CANCELLED
from MSIQALib.errors import MSIQAError
from MSIQALib.imaging.fusion import FusionOptions


class ProgressStyle(str, Enum):
    """How progress is shown."""

    bar = "bar"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(assess)


def assess(
    ct: Annotated[Path, typer.Option(help="CT: DICOM folder or file, NIfTI, NRRD or MHA (HU).")],
    output: Annotated[Path, typer.Option(help="Folder for the results; made where missing.")],
    pet: Annotated[
        Path | None,
        typer.Option(help="PET: the same kinds; files other than DICOM must hold SUV."),
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Also write the six heatmap volumes (NRRD).")
    ] = False,
    device: DeviceOption = "auto",
    model: ModelOption = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=4, help="Slices scoring under it count as poor.")
    ] = 2.0,
    batch_size: BatchSizeOption = None,
    several_views: ViewsOption = False,
    progress: Annotated[
        ProgressStyle, typer.Option(help="A bar for people, or one JSON object a line.")
    ] = ProgressStyle.bar,
    ct_series: Annotated[
        str | None, typer.Option(help="Series Instance UID, where --ct holds several CT series.")
    ] = None,
    pet_series: Annotated[
        str | None, typer.Option(help="Series Instance UID, where --pet holds several PET series.")
    ] = None,
    ct_centre: Annotated[float | None, typer.Option(help="Centre of the CT window (HU).")] = None,
    ct_width: Annotated[float | None, typer.Option(help="Width of the CT window (HU).")] = None,
    suv_high: Annotated[float | None, typer.Option(help="SUV shown white.")] = None,
    opacity: Annotated[float | None, typer.Option(help="Share of the PET's colours, 0..1.")] = None,
    ignore_frame_of_reference: Annotated[
        bool,
        typer.Option(
            "--ignore-frame-of-reference",
            help="PET and CT are known to be registered although their headers differ.",
        ),
    ] = False,
    accept_gaps: Annotated[
        bool,
        typer.Option("--accept-gaps", help="Assess what is there although slices are missing."),
    ] = False,
) -> None:
    """Assess a PET/CT study slice by slice.

    The output folder gets scores.csv, summary.json, quality_curve.png and report.html, and with
    --features one NRRD volume for each feature map. Without --pet the CT is assessed alone, which
    the model was not trained for.

    Exit codes: 0 done, 1 the input cannot be assessed, 2 wrong usage, 130 cancelled (the slices
    that were finished are in the results).
    """
    # PyTorch takes seconds to import; --help must not wait for it.
    from MSIQALib.assessment.result import Status
    from MSIQALib.cli.cancelling import cancel_on_signals
    from MSIQALib.cli.progress import JsonView, ProgressView, TerminalView
    from MSIQALib.workflow import Request, assess_files

    view: ProgressView = JsonView() if progress is ProgressStyle.json else TerminalView()
    asked = {
        "ct_centre": ct_centre,
        "ct_width": ct_width,
        "suv_high": suv_high,
        "opacity": opacity,
    }
    request = Request(
        ct=ct,
        pet=pet,
        output=output,
        ct_series=ct_series,
        pet_series=pet_series,
        weights=model,
        device=device,
        batch_size=batch_size,
        threshold=threshold,
        fusion=_fusion({name: value for name, value in asked.items() if value is not None}),
        several_views=several_views,
        features=features,
        ignore_frame_of_reference=ignore_frame_of_reference,
        accept_gaps=accept_gaps,
    )
    with cancel_on_signals() as cancelled:
        try:
            outcome = assess_files(request, on_event=view.on_event, cancelled=cancelled)
        except MSIQAError as error:
            view.on_error(str(error))
            raise typer.Exit(BAD_INPUT) from error
    view.on_end(outcome)
    if outcome.result.status is Status.CANCELLED:
        raise typer.Exit(CANCELLED)
    if outcome.result.status is Status.FAILED:
        raise typer.Exit(BAD_INPUT)


def _fusion(asked: dict[str, float]) -> FusionOptions:
    try:
        return FusionOptions(**asked)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
