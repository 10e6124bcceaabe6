"""Builds a set like PET-CT-IQA-DS from a folder of Lung-PET-CT-Dx (or other PET/CT) DICOM.

    python -m training.datasets.build --source DICOM_FOLDER --output DIR --seed 1 [--patients 20]

Picks patients and five anatomical levels of each, fuses them as MSIQA does, distorts each in 27
ways, and splits by patient. The same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from MSIQALib.errors import MSIQAError
from training.datasets.builder import BuildOptions, build

logger = logging.getLogger(__name__)


def main() -> None:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of DICOM files")
    parser.add_argument("--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--seed", type=int, required=True, help="of everything random")
    parser.add_argument("--patients", type=int, default=20, help="how many (default: 20)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options = BuildOptions(
            arguments.source, arguments.output, arguments.seed, arguments.patients
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        built = build(options)
    except MSIQAError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        logger.info("Interrupted; the same command goes on from here")
        raise SystemExit(130) from None
    test = sum(row.split == "test" for row in built.rows)
    logger.info(
        "%d images to train on and %d to test on: %s",
        len(built.rows) - test,
        test,
        options.output,
    )


if __name__ == "__main__":
    main()
