"""`msiqa viewer`: the assessment in a browser."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from MSIQALib.cli.arguments import DeviceOption, ModelOption
from MSIQALib.errors import MSIQAError
from MSIQALib.model.shipped import find_weights

if TYPE_CHECKING:
    from MSIQALib.viewer.serving import Address
    from MSIQALib.viewer.study_paths import StudyPaths

_NEEDED = ("aiohttp", "trame", "trame_slicer", "slicer")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(viewer)


def viewer(
    ct: Annotated[
        Path | None, typer.Option(help="CT: DICOM folder or file, NIfTI, NRRD or MHA (HU).")
    ] = None,
    pet: Annotated[
        Path | None,
        typer.Option(help="PET: the same kinds; files other than DICOM must hold SUV."),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="A folder of PET/CT studies to choose from.")
    ] = None,
    phantom: Annotated[
        bool, typer.Option("--phantom", help="Open a phantom; so does naming nothing.")
    ] = False,
    phantom_folder: Annotated[
        Path | None, typer.Option(help="Where the phantom lies or is made.")
    ] = None,
    assess: Annotated[
        bool, typer.Option("--assess", help="Assess the first study as soon as it is shown.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; 0 for any free one; by default 8080 or the next."
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open no browser.")
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on this machine, too.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name that browsers may use, as of a reverse proxy."),
    ] = None,
    upload_limit_gb: Annotated[
        float, typer.Option(min=0.001, help="What one browser may send in all, in GB.")
    ] = 4.0,
    idle_hours: Annotated[
        float, typer.Option(min=0.01, help="A browser's study is let go after so long unused.")
    ] = 2.0,
    most_browsers: Annotated[
        int, typer.Option(min=1, help="Browsers served at once, each with a study in memory.")
    ] = 8,
    device: DeviceOption = "auto",
    model: ModelOption = None,
) -> None:
    """Show and assess PET/CT studies in a browser.

    Serves 127.0.0.1 alone unless --host says otherwise. Ends on Ctrl-C, and leaves nothing behind.
    """
    if sum((ct is not None or pet is not None, study is not None, phantom)) > 1:
        raise typer.BadParameter("Give --ct and --pet, or --study, or --phantom")
    if pet is not None and ct is None:
        raise typer.BadParameter("A PET needs its CT: give --ct, too")
    _check_installed()
    weights = None if model is None else find_weights(model).resolve()
    from MSIQALib.viewer.limits import GIB, UploadLimits
    from MSIQALib.viewer.serving import ServingOptions, serve
    from MSIQALib.viewer.sessions import SessionOptions

    sent = int(upload_limit_gb * GIB)
    options = ServingOptions(
        host=host,
        port=port,
        token=token,
        also=tuple(allow_host or ()),
        sessions=SessionOptions(
            studies=_studies(ct, pet, study, phantom_folder),
            assess_first=assess,
            device=device,
            weights=weights,
            limits=UploadLimits(sent=sent, stored=3 * sent),
            idle_seconds=idle_hours * 3600.0,
            most=most_browsers,
        ),
    )
    serve(options, on_ready=lambda address: _announce(address, browser=not no_browser))


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MSIQAError(
            f"The viewer needs packages that are not installed ({', '.join(missing)}). "
            "Install them with: pip install 'msiqa[viewer]'"
        )


def _studies(
    ct: Path | None, pet: Path | None, study: Path | None, phantom_folder: Path | None
) -> tuple[StudyPaths, ...]:
    from MSIQALib.viewer.choice import named_study, phantom_study

    if ct is not None:
        return named_study(ct, pet)
    if study is not None:
        from MSIQALib.viewer.find_study import find_studies

        return find_studies(study.resolve())
    return phantom_study(phantom_folder, say=typer.echo)


def _announce(address: Address, *, browser: bool) -> None:
    typer.echo(f"The viewer is at {address.url}")
    if not address.local:
        typer.echo(
            "Other machines can reach it, and nothing is encrypted: use it in a network that you "
            "trust, or through SSH (ssh -L 8080:127.0.0.1:PORT)."
        )
    typer.echo("Press Ctrl-C to end it.")
    if browser and _has_display():
        # Some openers wait for their browser's end; the viewer must not wait with them.
        threading.Thread(target=webbrowser.open, args=(address.url,), daemon=True).start()


def _has_display() -> bool:
    """Whether a browser can open a window; one in the terminal would show nothing."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
