"""Teaches Swin-T as the narrow ResNets are taught: from groups of pictures, with readers.

    torchrun --standalone --nproc_per_node 2 -m training.swin_training --config CONFIG

`training.train` runs this by itself. No labelled picture takes part, and no score, so that one
Swin-T serves every fold of a cross-validation.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from MSIQALib.model.backbones import SwinStages
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.config import STAGE_COUNT, SWIN_CHANNELS
from training.command import run_command, run_parser
from training.config import TrainingConfig, read_config
from training.content import read_slices
from training.group_teaching import group_source, in_processes, own_seed, teach
from training.learner import Learner
from training.run_folder import RunFolder

logger = logging.getLogger(__name__)

SWIN_GROUPS = "swin-groups"


class SwinLearner(Learner):
    """A Swin-T that learns.

    Args:
        pretrained: Start from ImageNet weights.
        stride: As of `SwinStages`.
    """

    def __init__(self, *, pretrained: bool = False, stride: int = 1) -> None:
        stages = SwinStages(stages=STAGE_COUNT, pretrained=pretrained, stride=stride)
        super().__init__(stages, SWIN_CHANNELS)

    def set_input_size(self, size: int) -> None:
        """As of `Learner`; the windows stay as they are."""
        self.stages.set_input_size(size)


def train_swin(config: TrainingConfig, folder: RunFolder) -> None:
    """Run the phases of `swin_groups`, from the last checkpoint where there is one.

    Args:
        config: The run's; where `start` names a weights file, Swin-T goes on from it.
        folder: Of the run.

    Raises:
        ModelFileError: The weights file to start from cannot be used.
    """
    torch.manual_seed(config.seed)
    pretrained = config.pretrained and not config.start
    learner = SwinLearner(pretrained=pretrained, stride=config.network.swin_stride)
    if config.start:
        start = load_model(Path(config.start)).network
        learner.stages.load_state_dict(start.get_submodule("swin").state_dict())
    slices, phases = read_slices(config, folder), config.swin_groups
    logger.info(
        "%s: %d steps on %d clean slices", SWIN_GROUPS, sum(p.steps for p in phases), len(slices)
    )
    teach(
        learner,
        phases,
        group_source(config, slices, config.seed + own_seed(SWIN_GROUPS)),
        folder,
        SWIN_GROUPS,
        checkpoint_minutes=config.checkpoint_minutes,
    )


def swin_state(folder: RunFolder) -> Mapping[str, Tensor]:
    """Read the Swin-T that `train_swin` has taught.

    Raises:
        FileNotFoundError: It has not begun.
    """
    stored = folder.load(SWIN_GROUPS)
    if stored is None:
        raise FileNotFoundError(f"{folder.path} lacks {SWIN_GROUPS}")
    learner = SwinLearner()
    learner.load_state_dict(stored["learner"])
    return learner.stages.state_dict()


def main() -> None:
    """Teach it from the command line."""
    arguments = run_parser(__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    with in_processes(config.threads) as writes:
        train_swin(config, RunFolder(arguments.runs / config.name, writes=writes))


if __name__ == "__main__":
    run_command(main)
