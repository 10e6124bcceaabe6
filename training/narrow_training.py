"""Teaches narrow ResNets the distortions: first the trunk, then a part for each patient.

    torchrun --standalone --nproc_per_node 2 -m training.narrow_training \\
        --config training/configs/scratch_cpu.yaml --part trunk
    python -m training.narrow_training --config training/configs/scratch_cpu.yaml --part A

`training.train` runs these by itself. A part is named for the patient that it has never seen.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed as dist
from torch import nn

from MSIQALib.errors import InputError
from MSIQALib.model.checkpoint import load_model
from training.command import run_command
from training.config import NarrowPhase, TrainingConfig, read_config
from training.content import ladder_slices, read_slices
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import DistortedSlices, Sampling, normalise
from training.datasets.groups import DistortedGroups, join
from training.datasets.labelled import LabelledImage, data_root, mean_scores, patients
from training.datasets.sources import read_images
from training.distortions import COMBINATIONS
from training.features import refresh_statistics
from training.narrow import NarrowLearner
from training.rounding import rounded
from training.run_folder import RunFolder, Timer
from training.schedule import warm_cosine
from training.widening import SHARED, State, cut_out

logger = logging.getLogger(__name__)

TRUNK = "trunk"
LOG_EVERY = 25
MAX_GRADIENT = 5.0
WEIGHT_DECAY = 0.02
PARTS_SEED = 10
MEASURE_SEED = 100


def teach(
    learner: NarrowLearner,
    phases: Sequence[NarrowPhase],
    groups: Callable[[NarrowPhase, int], DistortedGroups],
    folder: RunFolder,
    name: str,
    *,
    checkpoint_minutes: float,
    measure: Callable[[NarrowPhase], None] = lambda phase: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Run all phases, from the last checkpoint where there is one.

    Several processes (of an initialised `torch.distributed`) share each step's groups and average
    their gradients; batch normalisation sees each process's own share.

    Args:
        learner: Its weights change.
        phases: What to do.
        groups: Gives the groups of a phase, by its number too.
        folder: For checkpoints and the log, under `name`; written by the first process.
        name: Of the part.
        checkpoint_minutes: Between checkpoints.
        measure: Measures the normalisations on whole pictures, where a phase begins that keeps
            them.
        stop: Asked after each step; True stops the run where it can go on later.

    Returns:
        Whether all phases are done.
    """
    state: dict[str, Any] = folder.load(name) or {"phase": 0, "step": 0}
    if "learner" in state:
        learner.load_state_dict(state["learner"])
    folder.rewind(name, state["step"], state["phase"])
    timer = Timer(checkpoint_minutes)
    for number, phase in enumerate(phases):
        if number < state["phase"]:
            continue
        learner.teach_readers(phase.readers_only)
        parameters = [p for p in learner.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(parameters, lr=phase.learning_rate, weight_decay=WEIGHT_DECAY)
        start = state["step"] if number == state["phase"] else 0
        if start and "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
        drawn = groups(phase, number)
        if phase.kept_statistics and not start:
            with _weights(learner, phase):
                measure(phase)
        learner.freeze_statistics(phase.kept_statistics > 0)
        learner.train()
        losses: list[float] = []
        for step in range(start, phase.steps):
            for group in optimiser.param_groups:
                share = warm_cosine(step / phase.steps, phase.warm_up, phase.last_rate)
                group["lr"] = phase.learning_rate * share
            losses.append(_step(learner, optimiser, parameters, phase, drawn, step))
            if (step + 1) % LOG_EVERY == 0:
                row = {"phase": number, "step": step + 1, "seconds": round(timer.elapsed)}
                folder.log(name, row | {"loss": round(sum(losses) / len(losses), 5)})
                losses.clear()
            stopping = stop()
            if stopping or timer.due() or step + 1 == phase.steps:
                folder.save(
                    name,
                    {
                        "phase": number,
                        "step": step + 1,
                        "learner": learner.state_dict(),
                        "optimiser": optimiser.state_dict(),
                    },
                )
            if stopping:
                return False
    return True


def _step(
    learner: NarrowLearner,
    optimiser: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
    phase: NarrowPhase,
    drawn: DistortedGroups,
    step: int,
) -> float:
    processes, process = _processes()
    first = step * phase.groups
    mine = range(first + process, first + phase.groups, processes)
    group = join([drawn[index] for index in mine])
    optimiser.zero_grad()
    with _weights(learner, phase):
        bf16 = phase.mixed_precision == "bf16"
        loss = learner.loss(normalise(group.pictures), group, bf16=bf16)
        loss.backward()
    if processes > 1:
        _average([p.grad for p in parameters if p.grad is not None], processes)
    nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT)
    optimiser.step()
    return loss.item()


def _weights(learner: NarrowLearner, phase: NarrowPhase) -> AbstractContextManager[None]:
    """Weights that a phase computes with: the exact ones, or all of them as they are shipped."""
    return rounded(learner.stages) if phase.rounded else nullcontext()


def _average(gradients: list[torch.Tensor], processes: int) -> None:
    """Average over the processes in one message instead of one for each tensor."""
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= processes
    for gradient, own in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(own.view_as(gradient))


def _processes() -> tuple[int, int]:
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size(), dist.get_rank()
    return 1, 0


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
        learner = NarrowLearner(narrow.stem, narrow.widths, _means(others))
        # A part that has begun goes on from its own checkpoint.
        if not folder.checkpoint(part).is_file():
            _load_start(learner, config, folder, patients(images).index(part))
        learner.freeze_first()
        pristine = [i.read() for i in others if i.pristine]
    slices = read_slices(config, folder)
    climbed = ladder_slices(config, slices)
    seed = config.seed + (0 if part == TRUNK else PARTS_SEED + sum(part.encode()))

    def groups(phase: NarrowPhase, number: int) -> DistortedGroups:
        return DistortedGroups(
            slices,
            pristine,
            share=narrow.pristine,
            sampling=Sampling(
                phase.source_size, phase.grid, Variety(zoom=phase.zoom), phase.uncoded
            ),
            size=phase.group_size,
            seed=1000 * seed + number,
            ladders=phase.ladders,
            climbed=climbed,
            ladder_times=phase.ladder_times,
        )

    phases = narrow.trunk if part == TRUNK else narrow.parts
    logger.info("%s: %d steps on %d clean slices", part, sum(p.steps for p in phases), len(slices))
    teach(
        learner,
        phases,
        groups,
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

    Raises:
        InputError: It is not made of narrow networks as wide as these.
    """
    try:
        return cut_out(wide, like, number)
    except ValueError as error:
        raise InputError(
            config.start, str(error), "Give narrow.stem and narrow.widths as it was made with"
        ) from error


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
    whole = Sampling(grid=1.0, variety=Variety(zoom=config.fusion.zoom), uncoded=uncoded)
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
        InputError: The file to start from is not made of narrow networks as wide as these.
    """
    share = config.narrow.start_share
    wide = load_model(Path(config.start)).network.resnet.state_dict() if share else {}
    states = []
    for number, part in enumerate(parts):
        learner = NarrowLearner(config.narrow.stem, config.narrow.widths)
        state = learner.stages.state_dict()
        if config.narrow.kept:
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--part", required=True, help="trunk, or a patient of the labelled images")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    cv2.setNumThreads(1)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    folder = RunFolder(arguments.runs / config.name, writes=_processes()[1] == 0)
    train_part(config, folder, arguments.part)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    run_command(main)
