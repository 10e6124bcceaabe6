"""Serves as `msiqa viewer` does, with the stand-in for a worker: python serve_stand_in.py."""

from __future__ import annotations

import sys

from fronts import WORKER

from MSIQALib.viewer.serving import ServingOptions, serve
from MSIQALib.viewer.sessions import SessionOptions


def main() -> None:
    options = ServingOptions(port=0, sessions=SessionOptions(command=WORKER))

    def say(address: object) -> None:
        sys.stdout.write(f"{getattr(address, 'url', '')}\n")
        sys.stdout.flush()

    serve(options, on_ready=say)


if __name__ == "__main__":
    main()
