"""Teaches narrow ResNets the distortions: first the trunk, then a part for each patient.

    torchrun --standalone --nproc_per_node 2 -m training.narrow_training \\
        --config training/configs/scratch_cpu.yaml --part trunk
    python -m training.narrow_training --config training/configs/scratch_cpu.yaml --part A

`training.train` runs these by itself. A part is named for the patient that it has never seen.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from MSIQALib.errors import InputError
from MSIQALib.model.checkpoint import load_model
from training.command import run_command, run_parser
from training.config import TrainingConfig, read_config
from training.content import read_slices
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import DistortedSlices, Sampling
from training.datasets.labelled import LabelledImage, data_root, mean_scores, patients
from training.datasets.sources import read_images
from training.distortions import COMBINATIONS
from training.features import refresh_statistics
from training.group_teaching import group_source, in_processes, own_seed, teach
from training.initial_filters import fill_stem
from training.kept_parts import read_parts
from training.narrow import NarrowLearner, NarrowResNet
from training.run_folder import RunFolder
from training.widening import SHARED, State, cut_out

logger = logging.getLogger(__name__)

TRUNK = "trunk"
MEASURE_SEED = 100


def train_part(config: TrainingConfig, folder: RunFolder, part: str) -> None:
    """Teach the trunk, or one patient's part from it.

    Args:
        config: The run's.
        folder: Of the run; holds the trunk's checkpoint when a part is taught.
        part: "trunk", or the patient whose pictures the part must not see.

    Raises:
        FileNotFoundError: A part is wanted before the trunk is there.
        ModelFileError: The weights file to start from cannot be used.
        InputError: It is not made of narrow networks as wide as these.
    """
    narrow = config.narrow
    torch.manual_seed(config.seed)
    pristine: list[Any] = []
    if part == TRUNK:
        learner = NarrowLearner(narrow.stem, narrow.widths)
    else:
        images = read_images(config.data, data_root())
        others = [i for i in images if i.patient != part]
        learner = NarrowLearner(narrow.stem, narrow.widths, _means(others), narrow.own_first)
        # A part that has begun goes on from its own checkpoint.
        if not folder.checkpoint(part).is_file():
            _load_start(learner, config, folder, patients(images).index(part))
        learner.freeze_first()
        pristine = [i.read() for i in others if i.pristine]
    slices = read_slices(config, folder)
    seed = config.seed + (0 if part == TRUNK else own_seed(part))
    phases = narrow.trunk if part == TRUNK else narrow.parts
    logger.info("%s: %d steps on %d clean slices", part, sum(p.steps for p in phases), len(slices))
    teach(
        learner,
        phases,
        group_source(config, slices, seed, pristine),
        folder,
        part,
        checkpoint_minutes=config.checkpoint_minutes,
        measure=lambda phase: measure(
            learner, config, slices, phase.kept_statistics, uncoded=phase.uncoded
        ),
    )
    if part == TRUNK:
        fusion = config.fusion
        measure(learner, config, slices, fusion.statistics, uncoded=fusion.uncoded)
        folder.save(part, (folder.load(part) or {}) | {"learner": learner.state_dict()})


def _means(images: Sequence[LabelledImage]) -> torch.Tensor | None:
    """Mean score of each combination; None where some combination was not scored."""
    means = mean_scores(images)
    if any(combination not in means for combination in COMBINATIONS):
        return None
    return torch.tensor([means[combination] for combination in COMBINATIONS])


def _load_start(
    learner: NarrowLearner, config: TrainingConfig, folder: RunFolder, number: int
) -> None:
    """Let a part begin as the one in the file that the configuration names, else as the trunk."""
    if config.start:
        wide = load_model(Path(config.start)).network.resnet.state_dict()
        own = _cut(wide, learner.stages.state_dict(), number, config)
        learner.stages.load_state_dict(own)
        return
    trunk = folder.load(TRUNK)
    if trunk is None:
        raise FileNotFoundError(f"{folder.path} lacks the trunk")
    learner.load_state_dict(trunk["learner"])


def _cut(wide: State, like: State, number: int, config: TrainingConfig) -> dict[str, torch.Tensor]:
    """Take a part out of the ResNet-50 in the file that the configuration names.

    Channels of the stem that are not used there become point detectors.

    Raises:
        InputError: It is not made of narrow networks as wide as these.
    """
    try:
        state = cut_out(wide, like, number)
    except ValueError as error:
        raise InputError(
            config.start,
            str(error),
            "Give narrow.stem, narrow.widths and narrow.own_first as it was made with",
        ) from error
    fill_stem(state)
    return state


def measure(
    learner: NarrowLearner,
    config: TrainingConfig,
    slices: tuple[CleanSlice, ...],
    count: int,
    *,
    uncoded: float = 0.0,
) -> None:
    """Measure the normalisations on whole slices, but those of what is frozen.

    The moving averages of a run on quarter slices, or on groups that share their content, are far
    from what single whole slices need.

    Args:
        learner: Its running statistics change, nothing else.
        config: The run's seed and the magnification of the content.
        slices: Clean content.
        count: How many pictures.
        uncoded: Share of those of quality 100 that are not JPEG-coded.
    """
    variety = Variety(zoom=config.fusion.zoom)
    whole = Sampling(grid=1.0, variety=variety, uncoded=uncoded, size=config.input_size)
    pictures = DistortedSlices(slices, whole, seed=config.seed + MEASURE_SEED, length=10**6)
    keep = tuple(f"stages.{name}" for name in SHARED) if learner.first_is_frozen else ()
    refresh_statistics(learner, lambda i: pictures[i][0], count, keep=keep)


def part_states(config: TrainingConfig, folder: RunFolder, parts: Sequence[str]) -> list[Any]:
    """Read the NarrowResNets of the parts, with the shared weights of the trunk.

    The mean of what a part began as and what it has learnt since often does better on content that
    neither saw than both (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).

    Args:
        config: The run's; `narrow.start_share` weighs what the parts began as.
        folder: Of the run.
        parts: Their names.

    Raises:
        FileNotFoundError: A part is missing.
        InputError: The file to start from, or that of taught parts, is not made of narrow networks
            as wide as these.
    """
    narrow, share = config.narrow, config.narrow.start_share
    if narrow.taught:
        like = NarrowResNet(narrow.stem, narrow.widths, narrow.own_first)
        return read_parts(Path(narrow.taught), parts, like.state_dict())
    wide = load_model(Path(config.start)).network.resnet.state_dict() if share else {}
    states = []
    for number, part in enumerate(parts):
        learner = NarrowLearner(narrow.stem, narrow.widths, own_first=narrow.own_first)
        state = learner.stages.state_dict()
        if narrow.kept:
            states.append(_cut(wide, state, number, config))
            continue
        stored = folder.load(part)
        if stored is None:
            raise FileNotFoundError(f"{folder.path} lacks part {part}")
        learner.load_state_dict(stored["learner"])
        state = learner.stages.state_dict()
        if share:
            began = _cut(wide, state, number, config)
            state = {
                key: value.lerp(began[key], share) if value.is_floating_point() else value
                for key, value in state.items()
            }
        states.append(state)
    return states


def main() -> None:
    """Teach one part from the command line."""
    parser = run_parser(__doc__)
    parser.add_argument("--part", required=True, help="trunk, or a patient of the labelled images")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    with in_processes(config.threads) as writes:
        folder = RunFolder(arguments.runs / config.name, writes=writes)
        train_part(config, folder, arguments.part)


if __name__ == "__main__":
    run_command(main)
