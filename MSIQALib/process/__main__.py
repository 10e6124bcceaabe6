"""`python -m MSIQALib.process` is `msiqa` for a parent that holds its standard input."""

from MSIQALib.process.child import listen_to_parent

listen_to_parent()

from MSIQALib.cli.main import main  # noqa: E402 - a cancel during the imports must be heard

main()
