"""`python -m MSIQALib` is `msiqa`."""

from MSIQALib.cli.main import main

main()
