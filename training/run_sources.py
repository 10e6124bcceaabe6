"""What a run was begun with beside its configuration: labelled pictures and files of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from MSIQALib.errors import InputError
from training.config import TrainingConfig
from training.datasets.identity import digest_of
from training.datasets.labelled import LabelledImage, patients
from training.datasets.manifest import sha256_of
from training.pretrain import BRANCHES
from training.run_folder import RunFolder
from training.swin_training import SWIN_GROUPS

LABELLED, START, TAUGHT = "labelled", "start", "taught"
"""Names in the run folder's record."""


def keep_labelled(folder: RunFolder, images: Sequence[LabelledImage]) -> None:
    """Note the labelled pictures of a run, or see that they are still those it was begun with.

    A run folder from before this was noted goes on with what it is given.

    Args:
        folder: The run's.
        images: All that decide what the run gives, in their order.

    Raises:
        InputError: The run was begun with other pictures, or other scores of them.
    """
    if not folder.begun_with(LABELLED, digest_of(images)):
        raise InputError(
            folder.path,
            "this run was begun with other labelled pictures, or other scores of them",
            "Give the new run another name or another folder (--runs), or put the earlier data "
            "back to go on with it",
        )


def keep_start(folder: RunFolder, config: TrainingConfig, images: Sequence[LabelledImage]) -> None:
    """Note the weights file that a run starts from and that of its taught parts, if any.

    Or see that they are still the same.

    Nothing is asked once all that is taken from it is stored, since it takes part no more. A run
    folder from before this was noted goes on with the file that is there.

    Args:
        folder: The run's.
        config: Names the files, or none.
        images: The labelled pictures; their patients name the parts of the narrow networks.

    Raises:
        InputError: The run was begun with another file at that path.
    """
    if all_is_stored(folder, config, images):
        return
    for name, path in ((START, config.start), (TAUGHT, config.narrow.taught)):
        if path and not folder.begun_with(name, sha256_of(Path(path))):
            raise InputError(
                path,
                f"the run {folder.path} was begun with another file at this path, with the SHA-256 "
                f"{folder.sources()[name]}",
                "Put that file back, or give the new run another name or another folder (--runs)",
            )


def all_is_stored(
    folder: RunFolder, config: TrainingConfig, images: Sequence[LabelledImage]
) -> bool:
    """Say whether a run has its parts and its features, so that backbones have no more to do.

    Args:
        folder: The run's.
        config: The run's.
        images: The labelled pictures; their patients name the parts of the narrow networks.
    """
    names = [f"{branch}-features" for branch in BRANCHES]
    names += patients(images) if config.narrow.learnt else ()
    names += (SWIN_GROUPS,) if config.swin_groups else ()
    return all(folder.checkpoint(name).is_file() for name in names)
