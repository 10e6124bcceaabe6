"""`msiqa info`: device, weights and versions."""

from __future__ import annotations

import json
from typing import Any

import typer

from MSIQALib.cli.arguments import DeviceOption, JsonOption, ModelOption


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(info)


def info(
    model: ModelOption = None, as_json: JsonOption = False, device: DeviceOption = "auto"
) -> None:
    """Show the device, the weights and the versions that a run would use."""
    from MSIQALib.assessment.device import choose_device
    from MSIQALib.assessment.record import software_versions, weights_record
    from MSIQALib.model.shipped import find_weights
    from MSIQALib.model.weights_info import read_info

    chosen = choose_device(device)
    path = find_weights(model)
    values = {
        "device": chosen.reason,
        "weights": {"path": str(path), **weights_record(read_info(path))},
        "versions": software_versions(),
    }
    if as_json:
        typer.echo(json.dumps(values, indent=1))
    else:
        _show(values)


def _show(values: dict[str, Any], indent: int = 0) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            typer.echo(f"{' ' * indent}{key}:")
            _show(value, indent + 2)
        else:
            typer.echo(f"{' ' * indent}{key}: {value}")
