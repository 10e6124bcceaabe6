"""The command line: `msiqa`."""

from __future__ import annotations

import logging
import sys

import typer

from MSIQALib.cli import assess, convert, evaluate, info, phantom, score, viewer
from MSIQALib.cli.exit_codes import BAD_INPUT, CANCELLED
from MSIQALib.errors import MSIQAError
from MSIQALib.version import __version__

app = typer.Typer(
    name="msiqa",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Score the image quality of PET/CT without a reference image (MS-IQA). "
    "Research software, not a medical device.",
)
for command in (assess, score, evaluate, convert, info, phantom, viewer):
    command.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more about what is done."),
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Options that every command takes."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(levelname)s: %(message)s" if not verbose else "%(name)s: %(message)s",
    )


def main() -> None:
    """Run a command; errors that a user can mend become one line and exit code 1."""
    try:
        app()
    except MSIQAError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        typer.echo("Cancelled.", err=True)
        sys.exit(CANCELLED)


if __name__ == "__main__":
    main()
