"""What the command line's exit code says; usage errors are 2, from the argument parser."""

OK = 0
BAD_INPUT = 1
CANCELLED = 130
"""128 + SIGINT, as a shell reports it."""
