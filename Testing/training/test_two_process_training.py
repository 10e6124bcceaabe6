"""Two processes train as one does, and go on after a kill as if nothing had happened."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import two_processes
from torch import Tensor

from MSIQALib.model.network import MSIQA
from training.global_batch import freeze_statistics

SCRIPT = Path(two_processes.__file__)
LIMIT_S = 240


class Pair:
    """Two training processes, as `torchrun` would start them; each leads a group of its own."""

    def __init__(self, folder: Path, workers: int = 0) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        together = {
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "ACCELERATE_USE_CPU": "true",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, str(SCRIPT), str(folder), "--workers", str(workers)]
        self.processes = [
            subprocess.Popen(
                command,
                env=os.environ | together | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                start_new_session=True,
            )
            for rank in range(2)
        ]

    def wait(self) -> None:
        try:
            assert [process.wait(LIMIT_S) for process in self.processes] == [0, 0]
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill both with their data loader workers; nothing of them can react."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def losses(folder: Path) -> list[tuple[int, float]]:
    with (folder / "whole.csv").open(newline="") as lines:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(lines)]


def weights(folder: Path) -> dict[str, Tensor]:
    return torch.load(folder / "whole.ckpt", weights_only=True)["network"]


def distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return float(sum((a[k].double() - b[k].double()).square().sum() for k in a).sqrt())


@pytest.fixture(scope="module")
def pair_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    Pair(folder).wait()
    return folder


@pytest.fixture(scope="module")
def lone_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_processes.whole, "LOG_EVERY", 1)
        two_processes.train(folder)
    return folder


def test_two_processes_learn_what_one_learns(pair_run: Path, lone_run: Path) -> None:
    pair, lone = losses(pair_run), losses(lone_run)
    assert [step for step, _ in pair] == list(range(1, two_processes.STEPS + 1))
    assert [loss for _, loss in pair] == pytest.approx([loss for _, loss in lone], rel=1e-4)

    torch.manual_seed(0)
    start = MSIQA(two_processes.settings().model()).state_dict()
    after = weights(lone_run)
    assert list(after) == list(start) == list(weights(pair_run))
    assert distance(weights(pair_run), after) < 0.01 * distance(start, after)


@pytest.mark.slow
def test_killed_processes_go_on_to_the_same_loss_curve(tmp_path: Path, pair_run: Path) -> None:
    first = Pair(tmp_path, workers=1)
    log, end = tmp_path / "whole.csv", time.monotonic() + LIMIT_S
    while not (log.is_file() and len(losses(tmp_path)) >= 2):
        assert time.monotonic() < end
        assert [process.poll() for process in first.processes] == [None, None]
        time.sleep(0.05)
    first.kill()
    done = torch.load(tmp_path / "whole.ckpt", weights_only=True)["step"]
    assert 1 <= done < two_processes.STEPS

    Pair(tmp_path, workers=1).wait()
    again, straight = losses(tmp_path), losses(pair_run)
    assert [step for step, _ in again] == [step for step, _ in straight]
    assert [loss for _, loss in again] == pytest.approx([v for _, v in straight], rel=1e-5)
    assert distance(weights(tmp_path), weights(pair_run)) < 1e-3


def test_frozen_statistics_stay_frozen_whatever_measures_them() -> None:
    norm = torch.nn.SyncBatchNorm(3).train()
    freeze_statistics(norm)
    assert not norm.training
