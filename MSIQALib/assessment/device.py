"""Where the network runs, and why."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from MSIQALib.errors import MSIQAError

logger = logging.getLogger(__name__)

AUTO = "auto"
DEVICE_NAMES = (AUTO, "cuda", "mps", "cpu")

CPU_BATCH = 8
"""On a CPU larger batches gain nothing and make cancelling slower."""

GPU_BATCHES = ((40, 128), (20, 64), (8, 32), (4, 16))
"""Free GPU memory in GiB from which a batch size is used; a batch of 16 at 224 pixels takes about
1 GiB; the maps of 512 are five times as large. A batch that does not fit is halved."""

SMALLEST_GPU_BATCH = 4
GIB = 1 << 30


@dataclass(frozen=True)
class Device:
    """A device that was tried and works.

    Attributes:
        name: "cuda", "mps" or "cpu", with an index where one was asked for ("cuda:1").
        reason: One line for the user: which device and why.
        batch_size: How many slices to run at once unless the user says otherwise.
        autocast: True where the network runs in mixed precision.
    """

    name: str
    reason: str
    batch_size: int
    autocast: bool = False


def choose_device(wanted: str = AUTO) -> Device:
    """Pick the device for the network.

    Args:
        wanted: "auto" (CUDA, else MPS, else the CPU), or one of "cuda", "cuda:N", "mps", "cpu".

    Returns:
        A device on which a small computation has just succeeded.

    Raises:
        MSIQAError: The device that was asked for is unknown or does not work; with "auto" the
            next one is taken instead.
    """
    kind = wanted.partition(":")[0]
    if kind not in DEVICE_NAMES:
        raise MSIQAError(f"Unknown device {wanted!r}. Choose one of {', '.join(DEVICE_NAMES)}.")
    if wanted == AUTO:
        problems = []
        for name in ("cuda", "mps"):
            problem = _problem(name)
            if problem is None:
                return _describe(name, "found, chosen automatically")
            problems.append(problem)
        return _describe("cpu", "; ".join(problems))
    problem = _problem(wanted)
    if problem is not None:
        raise MSIQAError(
            f"The device {wanted} cannot be used: {problem}. "
            "Choose --device cpu, or auto to take what is there."
        )
    return _describe(wanted, "as asked for")


def _problem(name: str) -> str | None:
    """Why a device does not work, or None where it does."""
    kind = name.partition(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        return "PyTorch finds no CUDA GPU"
    if kind == "mps" and not torch.backends.mps.is_available():
        return "PyTorch finds no Apple GPU"
    try:
        # A driver that is too old or a GPU that this PyTorch was not built for shows only here.
        torch.ones(8, device=name).sum().item()
    except (RuntimeError, AssertionError) as error:
        logger.debug("Device %s failed", name, exc_info=True)
        return f"{name} fails ({str(error).splitlines()[0]})"
    return None


def _describe(name: str, why: str) -> Device:
    kind = name.partition(":")[0]
    if kind == "cuda":
        free, total = torch.cuda.mem_get_info(name)
        batch = next((size for gib, size in GPU_BATCHES if free >= gib * GIB), SMALLEST_GPU_BATCH)
        label = (
            f"{torch.cuda.get_device_name(name)}, {free / GIB:.0f} of {total / GIB:.0f} GiB free"
        )
        return Device(name, f"Running on {name} ({label}): {why}", batch, autocast=True)
    if kind == "mps":
        return Device(name, f"Running on the Apple GPU (mps): {why}", GPU_BATCHES[-1][1])
    threads = torch.get_num_threads()
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    return Device("cpu", f"Running on the CPU ({count}): {why}", CPU_BATCH)
