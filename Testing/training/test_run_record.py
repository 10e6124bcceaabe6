"""What a run's folder records, and that it holds one run only."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from MSIQALib.errors import InputError
from training import provenance
from training.config import DataConfig, LevelsPhase, TrainingConfig, WholeConfig
from training.run_folder import RunFolder

CONFIG = TrainingConfig(whole=WholeConfig(steps=5), resnet=(LevelsPhase(zoom=(1.0, 2.0)),))


def test_the_configuration_is_recorded_with_its_defaults(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_config(CONFIG)
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert stored["whole"]["steps"] == 5
    assert stored["loss"]["alpha"] == 2.0
    assert stored["resnet"][0]["zoom"] == [1.0, 2.0]


def test_the_same_configuration_goes_on(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_config(CONFIG)
    RunFolder(tmp_path).save_config(replace(CONFIG, threads=8, checkpoint_minutes=1.0))
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["threads"] == 8


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(CONFIG, seed=2), "seed: 1 then, 2 now"),
        (replace(CONFIG, whole=WholeConfig(steps=6)), r"whole\.steps: 5 then, 6 now"),
        (replace(CONFIG, data=DataConfig(held_out=("A",))), r"data\.held_out"),
        (replace(CONFIG, resnet=()), "resnet"),
    ],
)
def test_another_configuration_is_refused(
    tmp_path: Path, other: TrainingConfig, message: str
) -> None:
    RunFolder(tmp_path).save_config(CONFIG)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(InputError, match=rf"another configuration \({message}.*another name"):
        RunFolder(tmp_path).save_config(other)
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_run_knows_what_it_was_begun_with(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.sources() == {}
    assert folder.begun_with("labelled", "1")
    assert folder.begun_with("start", "2")
    again = RunFolder(tmp_path)
    assert again.begun_with("labelled", "1")
    assert not again.begun_with("labelled", "2")
    assert again.sources() == {"labelled": "1", "start": "2"}


def test_each_start_adds_where_it_ran(tmp_path: Path) -> None:
    for processes in (1, 2):
        RunFolder(tmp_path).record_start({"processes": processes})
    starts = json.loads((tmp_path / "environment.json").read_text())
    assert [start["processes"] for start in starts] == [1, 2]
    assert starts[0]["versions"]["torch"].split(".")[0].isdigit()
    assert {"commit", "dirty", "started"} <= set(starts[0])


def test_commit_and_changes_are_those_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*command: str) -> str:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *names, *command],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    monkeypatch.setattr("training.git.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown"
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    assert provenance.commit() == git("rev-parse", "HEAD")
    assert not provenance.is_dirty()
    (tmp_path / "a").write_text("2")
    assert provenance.is_dirty()


def test_a_log_forgets_what_is_about_to_be_repeated(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (5, 10, 15):
        folder.log("whole", {"step": step, "loss": step / 10})
    log = tmp_path / "whole.csv"
    log.write_text(log.read_text() + "20,")
    log.write_text(log.read_text() + "\n2")
    folder.rewind("whole", 10)
    folder.log("whole", {"step": 15, "loss": 9.0})
    assert log.read_text().split() == ["step,loss", "5,0.5", "10,1.0", "15,9.0"]


def test_a_log_of_phases_forgets_by_phase_and_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for phase, step in ((0, 25), (0, 50), (0, 25), (0, 50), (1, 25), (1, 50)):
        folder.log("A", {"phase": phase, "step": step, "loss": 1})
    log = tmp_path / "A.csv"
    # Half a line that the next start has continued, and half a line at the end.
    log.write_text(log.read_text() + "1,71,75,3\n1,1")
    folder.rewind("A", 25, 1)
    assert log.read_text().split() == ["phase,step,loss", "0,25,1", "0,50,1", "1,25,1"]
    folder.rewind("A", 25, 0)
    assert log.read_text().split() == ["phase,step,loss", "0,25,1"]
    folder.rewind("A", 0, 0)
    assert log.read_text().split() == ["phase,step,loss"]


def test_a_log_keeps_the_last_attempt_at_a_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for loss, step in enumerate((5, 10, 10, 15)):
        folder.log("whole", {"step": step, "loss": loss})
    folder.rewind("whole", 15)
    assert (tmp_path / "whole.csv").read_text().split() == ["step,loss", "5,0", "10,2", "15,3"]


def test_tensorboard_shows_each_step_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The ninth and tenth file of this process: as text, 10 comes before 9.
    count = event_file_writer.AtomicCounter(9)
    monkeypatch.setattr(event_file_writer, "_global_uid", count)
    for resumed_at, steps in ((0, (1, 2, 3)), (1, (2, 3))):
        folder = RunFolder(tmp_path)
        folder.open_board(resumed_at)
        for step in steps:
            folder.log("whole", {"step": step, "loss": step + resumed_at / 2})
        folder.close_board()
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    events = board.Scalars("whole/loss")
    assert [(event.step, event.value) for event in events] == [(1, 1.0), (2, 2.5), (3, 3.5)]


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, writes=False)
    folder.save_config(CONFIG)
    folder.record_start({})
    folder.log("whole", {"step": 1})
    folder.open_board(0)
    folder.save("whole", {"step": 1})
    folder.save_metrics("metrics", {})
    assert folder.begun_with("labelled", "1")
    assert list(tmp_path.iterdir()) == []
