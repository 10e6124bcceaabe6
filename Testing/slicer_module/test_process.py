"""The child process: what it is told, what it says, and that it does not outlive its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from MSIQALib.assessment.result import SliceResult, Status
from MSIQALib.process.events import Advanced, Ended, EventReader, Refused, Started
from MSIQALib.process.settings import MAPS, Settings
from MSIQALib.process.workspace import ENVIRONMENT_VARIABLE, Workspace

START = {"event": "start", "total": 3, "device": "cpu", "reason": "why", "warnings": ["a"]}
SCORED = {"slice": 0, "position_mm": -5.0, "state": "assessed", "score": 1.5, "S": 1.0, "W": 0.5}
UNSCORED = {"slice": 1, "position_mm": 0.0, "state": "outside the PET"}
PROGRESS = {
    "event": "progress",
    "done": 2,
    "total": 3,
    "seconds_left": 0.5,
    "rows": [SCORED, {**UNSCORED, "score": None, "S": None, "W": None}],
}
END = {
    "event": "end",
    "status": "cancelled",
    "files": ["/x/scores.csv"],
    "summary": {"warnings": ["b"], "stopped": "because", "mean": 1.5},
}
ERROR = {"event": "error", "message": "no CT"}


def stream(*events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_events_survive_any_cutting(cut):
    data = stream(START, PROGRESS, END, ERROR)
    reader = EventReader()
    pieces = (data[at : at + cut] for at in range(0, len(data), cut))
    assert [event for piece in pieces for event in reader.feed(piece)] == [
        Started(3, "cpu", "why", ("a",)),
        Advanced(
            2,
            3,
            0.5,
            (
                SliceResult(0, -5.0, "assessed", 1.5, 1.0, 0.5),
                SliceResult(1, 0.0, "outside the PET"),
            ),
        ),
        Ended(Status.CANCELLED, (Path("/x/scores.csv"),), ("b",), "because"),
        Refused("no CT"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"a library says hello\n",
        b'{"event": "start"}\n',
        b"[1]\n",
        b'{"event": "new"}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_event_is_text(line):
    (text,) = EventReader().feed(line)
    assert isinstance(text, str)


def test_arguments_are_those_of_the_command_line():
    """Typer refuses an option that does not exist."""
    from MSIQALib.cli.main import app
    from typer.testing import CliRunner

    settings = Settings("cpu", 2.5, 50.0, 300.0, ("F1",), Path("w.safetensors"))
    arguments = settings.arguments(ct=Path("CT.nrrd"), pet=Path("PET.nrrd"), output=Path("out"))
    assert arguments[:2] == ["-m", "MSIQALib.process"]
    outcome = CliRunner().invoke(app, [*arguments[2:], "--help"])
    assert outcome.exit_code == 0
    for option in (a for a in arguments if a.startswith("--")):
        assert option in outcome.output, option
    assert Settings().arguments(ct=Path("a"), pet=None, output=Path("b")).count("--pet") == 0


def test_default_settings_are_the_engines():
    from MSIQALib.imaging.fusion import FusionOptions

    settings, fusion = Settings(), FusionOptions()
    assert (settings.ct_centre, settings.ct_width) == (fusion.ct_centre, fusion.ct_width)


def test_unknown_maps_are_refused():
    with pytest.raises(ValueError, match="F9"):
        Settings(maps=("F9",))
    assert Settings(maps=MAPS).maps == MAPS


def test_workspace_is_private_and_goes(tmp_path):
    workspace = Workspace.create(tmp_path / "new")
    assert workspace.root.parent == tmp_path / "new"
    if os.name == "posix":
        assert workspace.root.stat().st_mode & 0o077 == 0
    workspace.ct.write_bytes(b"x")
    workspace.pet.write_bytes(b"x")
    (workspace.results / "report.html").write_text("r")
    workspace.remove_images()
    assert not workspace.ct.exists()
    assert not workspace.pet.exists()
    assert (workspace.results / "report.html").exists()
    workspace.remove()
    assert not workspace.root.exists()
    workspace.remove()


LISTEN = """
import signal, sys, time
from MSIQALib.process.child import listen_to_parent
signal.signal(signal.SIGTERM, lambda *_: print("asked to stop", flush=True))
listen_to_parent()
print("ready", flush=True)
time.sleep(60)
"""


def start_child(tmp_path, **variables):
    process = subprocess.Popen(
        [sys.executable, "-c", LISTEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **variables},
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_cancel_reaches_the_child_by_standard_input(tmp_path):
    process = start_child(tmp_path)
    process.stdin.write(b"cancel\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"asked to stop\n"
    process.kill()
    process.wait()


def test_child_ends_with_its_parent_and_clears_up(tmp_path):
    workspace = Workspace.create(tmp_path)
    workspace.ct.write_bytes(b"patient")
    process = start_child(tmp_path, **{ENVIRONMENT_VARIABLE: str(workspace.root)})
    process.stdin.close()  # what the system does when the parent is killed
    assert process.wait(timeout=20) == 129
    assert not workspace.root.exists()


def test_child_removes_nothing_but_a_workspace(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    process = start_child(tmp_path, **{ENVIRONMENT_VARIABLE: str(precious)})
    process.stdin.close()
    process.wait(timeout=20)
    assert precious.is_dir()


def test_child_of_a_killed_launcher_ends(tmp_path):
    """As PythonSlicer does, a launcher stands between; killing it must not leave its child."""
    workspace = Workspace.create(tmp_path)
    launcher = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
        "print(child.pid, flush=True); child.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", launcher, LISTEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, ENVIRONMENT_VARIABLE: str(workspace.root)},
    )
    assert int(process.stdout.readline()) > 0
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    process.stdin.close()
    end = time.monotonic() + 20
    while workspace.root.exists():
        assert time.monotonic() < end, "the child lives on"
        time.sleep(0.05)


def test_the_parents_side_loads_no_pytorch():
    code = (
        "import sys, MSIQALib.process.events, MSIQALib.process.settings, MSIQALib.process.child, "
        "MSIQALib.process.requirements; sys.exit(bool({'torch', 'PySide6'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
