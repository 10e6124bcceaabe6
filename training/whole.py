"""Trains the whole network on scores, as the paper does, on one device or several."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from MSIQALib.errors import InputError
from training.batches import Draw, StepNumbers, load_batches
from training.config import TrainingConfig, WholeConfig
from training.datasets.distorted import normalise
from training.evaluation import SCALES, score_images
from training.global_batch import (
    act_as_one_batch,
    freeze_statistics,
    process_count,
    seed_step,
    whole_batch,
)
from training.losses import QualityLoss
from training.metrics import Agreement
from training.plan import Plan
from training.run_folder import RunFolder, Timer
from training.scored_pictures import ScoredPictures

__all__ = [
    "BEST",
    "EVALUATION",
    "NAME",
    "Plan",
    "ScoredPictures",
    "freeze_statistics",
    "make_accelerator",
    "score_images",
    "train_whole",
]

LOG_EVERY = 5
NAME = "whole"
EVALUATION = "evaluation"
BEST = "best"

Finish = Callable[[Tensor, Tensor], Tensor]
"""Does on the device what is left to do to pictures (n, 3, H, W), given their numbers (n,)."""

Evaluate = Callable[[nn.Module], Agreement]


def make_accelerator(config: TrainingConfig) -> Accelerator:
    """Join the other processes that `accelerate launch` has started, if any.

    Raises:
        InputError: The device cannot do the mixed precision.
    """
    precision = config.whole.mixed_precision
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()
    idle = config.network.score == "released"  # its weight branch takes no part in the score
    parallel = DistributedDataParallelKwargs(find_unused_parameters=idle)
    try:
        accelerator = Accelerator(mixed_precision=precision, kwargs_handlers=[parallel])
        # accelerate leaves fp16 out on a CPU, without a word.
        fits = precision != "fp16" or accelerator.scaler is not None
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            "whole.mixed_precision",
            f"{precision} is not for this device",
            'Use "bf16" or "no"',
        )
    return accelerator


class _ScoreOnly(nn.Module):
    """Gives a network's score alone, the output that data-parallel training follows back."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).score


def train_whole(
    network: nn.Module,
    draw: Draw,
    config: TrainingConfig,
    loss: QualityLoss,
    folder: RunFolder,
    *,
    images: int | None = None,
    finish: Finish | None = None,
    evaluate: Evaluate | None = None,
    accelerator: Accelerator | None = None,
    stop: Callable[[int], bool] = lambda _: False,
) -> bool:
    """Train end to end, from the last checkpoint where there is one.

    Neither an interruption nor the number of workers changes what is learnt; the number of
    processes changes it by rounding alone.

    Args:
        network: Takes (N, 3, H, W) and gives something with a `score` (N,), in the units that
            `config.whole.target` names. It is moved to the device.
        draw: Gives a picture and its score in Likert units by number, the same for the same
            number.
        config: The run's.
        loss: On scores.
        folder: For checkpoints and logs; the network that agreed best is in its checkpoint "best".
        images: Labelled images to train on, which make an epoch; by default `draw.images`, if it
            has that, or none.
        finish: Completes the pictures on the device; by default `draw.finish`, if it has that.
        evaluate: Measures the network on images that it is not trained on.
        accelerator: Devices and processes; by default what `accelerate` finds.
        stop: Asked after each step, with the number of steps done; True stops the run where it
            can go on later.

    Returns:
        Whether all steps are done.

    Raises:
        ValueError: The processes cannot share out the batch evenly.
    """
    whole = config.whole
    plan = Plan(whole, getattr(draw, "images", 0) if images is None else images)
    finish = finish or getattr(draw, "finish", None)
    accelerator = accelerator or make_accelerator(config)
    device = accelerator.device
    act_as_one_batch(network, device)
    network.to(device)
    kind = torch.optim.Adam if whole.optimiser == "adam" else torch.optim.AdamW
    bare = kind(_groups(network, whole), lr=whole.learning_rate)
    state = folder.load(NAME)
    if state:
        network.load_state_dict(state["network"])
        bare.load_state_dict(state["optimiser"])
    first = state["step"] if state else 0
    for log in (NAME, EVALUATION):
        folder.rewind(log, first)
    folder.open_board(first)
    model, optimiser = accelerator.prepare(_ScoreOnly(network), bare)
    if state and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(state["scaler"])
    watch = _Watch(plan, evaluate, folder)
    timer = Timer(config.checkpoint_minutes)
    scale = SCALES[whole.target]
    stopping = False
    numbers_of_steps = StepNumbers(first, plan.steps, whole.batch)
    batches = load_batches(draw, numbers_of_steps, workers=whole.workers, device=device)
    _set_training(model, whole)
    for done, (numbers, pictures, scores) in enumerate(batches, first + 1):
        seed_step(config.seed, done)
        for group in bare.param_groups:
            group["lr"] = plan.learning_rate(done - 1) * group["factor"]
        shown = pictures.to(device, non_blocking=True)
        shown = finish(shown, numbers) if finish else shown
        wanted = (scores.to(device, non_blocking=True) - scale.offset) / scale.factor
        given = whole_batch(model(normalise(shown)).float())
        value = loss(given, whole_batch(wanted))
        optimiser.zero_grad()
        # Data-parallel training averages the processes' gradients; here they add up.
        accelerator.backward(value * process_count())
        optimiser.step()
        if done % LOG_EVERY == 0 or done == plan.steps:
            row = {"step": done, "seconds": round(timer.elapsed), "loss": round(value.item(), 6)}
            folder.log(NAME, row | {"epoch": plan.epoch(done)})
        if watch(network, done):
            _set_training(model, whole)
        stopping = stop(done)
        if stopping or timer.due() or done == plan.steps:
            folder.save(NAME, _checkpoint(done, network, bare, accelerator))
        if stopping:
            break
    folder.close_board()
    accelerator.free_memory()
    network.eval()
    return not stopping


class _Watch:
    """Measures a network when the plan says so, and keeps the one that agreed best."""

    def __init__(self, plan: Plan, evaluate: Evaluate | None, folder: RunFolder) -> None:
        self._plan, self._evaluate, self._folder = plan, evaluate, folder
        self._best: float | None = (folder.load(BEST) or {}).get("srocc")

    def __call__(self, network: nn.Module, done: int) -> bool:
        """Measure after `done` steps, if it is time. Leaves the network in evaluation mode."""
        if self._evaluate is None or not self._plan.evaluates(done):
            return False
        measured = self._evaluate(network.eval())
        row = {"step": done, "epoch": self._plan.epoch(done)} | measured.to_dict()
        self._folder.log(EVALUATION, row)
        # A network that says the same of all images has no rank correlation.
        srocc = -1.0 if math.isnan(measured.srocc) else measured.srocc
        if self._best is None or srocc > self._best:
            self._best = srocc
            state = {"step": done, "srocc": srocc, "network": network.state_dict()}
            self._folder.save(BEST, state)
        return True


def _checkpoint(
    done: int, network: nn.Module, optimiser: torch.optim.Optimizer, accelerator: Accelerator
) -> dict[str, Any]:
    scaler = accelerator.scaler
    return {
        "step": done,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "scaler": scaler.state_dict() if scaler is not None else {},
    }


def _set_training(model: nn.Module, whole: WholeConfig) -> None:
    model.train()
    if whole.frozen_statistics:
        freeze_statistics(model)


def _groups(network: nn.Module, whole: WholeConfig) -> list[dict]:
    backbone = {id(p) for n, p in network.named_parameters() if n.startswith(("resnet.", "swin."))}
    parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for parameter in network.parameters():
        parts[id(parameter) in backbone].append(parameter)
    factors = (1.0, whole.backbone_factor)
    return [{"params": p, "factor": f} for p, f in zip(parts, factors, strict=True) if p]
