"""Teaches a backbone from groups of pictures, phase after phase, on one process or several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import cv2
import torch
import torch.distributed as dist
from torch import nn

from training.config import NarrowPhase, TrainingConfig
from training.content import ladder_slices
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import Sampling, normalise
from training.datasets.groups import DistortedGroups, join
from training.distortions import Picture
from training.learner import Learner
from training.rounding import rounded
from training.run_folder import RunFolder, Timer
from training.schedule import warm_cosine

LOG_EVERY = 25
MAX_GRADIENT = 5.0
WEIGHT_DECAY = 0.02
PARTS_SEED = 10


def own_seed(name: str) -> int:
    """What is added to a run's seed, so that each learner draws groups of its own."""
    return PARTS_SEED + sum(name.encode())


def group_source(
    config: TrainingConfig,
    slices: tuple[CleanSlice, ...],
    seed: int,
    pristine: Sequence[Picture] = (),
) -> Callable[[NarrowPhase, int], DistortedGroups]:
    """Say what groups a learner is taught from.

    Args:
        config: The run's; names the studies of which no ladders are drawn.
        slices: Clean content.
        seed: Of the learner.
        pristine: Pristine fused pictures, content too.

    Returns:
        Gives the groups of a phase, by its number too.
    """
    climbed = ladder_slices(config, slices)

    def groups(phase: NarrowPhase, number: int) -> DistortedGroups:
        variety = Variety(zoom=phase.zoom)
        return DistortedGroups(
            slices,
            pristine,
            share=config.narrow.pristine,
            sampling=Sampling(
                phase.source_size, phase.grid, variety, phase.uncoded, config.input_size
            ),
            size=phase.group_size,
            seed=1000 * seed + number,
            ladders=phase.ladders,
            climbed=climbed,
            ladder_times=phase.ladder_times,
        )

    return groups


def teach(
    learner: Learner,
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
        learner.set_input_size(drawn.sampling.input_size)
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
    learner: Learner,
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
        loss = learner.loss(normalise(group.pictures), group, bf16=bf16, apart=phase.effects_apart)
        loss.backward()
    if processes > 1:
        _average([p.grad for p in parameters if p.grad is not None], processes)
    nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT)
    optimiser.step()
    return loss.item()


def _weights(learner: Learner, phase: NarrowPhase) -> AbstractContextManager[None]:
    """Weights that a phase computes with: the exact ones, or all of them as they are shipped."""
    return rounded(learner.stages) if phase.rounded else nullcontext()


def _average(gradients: list[torch.Tensor], processes: int) -> None:
    """Average over the processes in one message instead of one for each tensor."""
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= processes
    for gradient, own in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(own.view_as(gradient))


@contextmanager
def in_processes(threads: int) -> Iterator[bool]:
    """Join the other processes where there are any, and set what each computes with.

    Args:
        threads: Of this process.

    Yields:
        Whether this process is the one that writes.
    """
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    yield _processes()[1] == 0
    if dist.is_initialized():
        dist.destroy_process_group()


def _processes() -> tuple[int, int]:
    """How many processes there are, and the number of this one."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size(), dist.get_rank()
    return 1, 0
