"""`msiqa viewer`: what it is opened on, and what it refuses."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import MSIQALib.viewer.serving
from MSIQALib.cli.main import app
from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.viewer.choice import phantom_study
from MSIQALib.viewer.serving import Address, ServingOptions


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServingOptions]:
    """What would be served; the viewer's packages count as installed."""
    options: list[ServingOptions] = []

    def serve(wanted: ServingOptions, *, on_ready: Any) -> None:
        options.append(wanted)
        on_ready(Address("http://127.0.0.1:1/", local=wanted.host == "127.0.0.1"))

    monkeypatch.setattr(MSIQALib.viewer.serving, "serve", serve)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    return options


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["viewer", "--no-browser", *arguments])


def _images(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "CT.nii.gz", folder / "PET.nii.gz"
    for path in paths:
        path.write_bytes(b"")
    return paths


def test_a_named_pair_is_opened(served: list[ServingOptions], tmp_path: Path) -> None:
    ct, pet = _images(tmp_path)

    outcome = _run("--ct", str(ct), "--pet", str(pet))

    assert outcome.exit_code == 0
    assert "http://127.0.0.1:1/" in outcome.output
    assert "Ctrl-C" in outcome.output
    (study,) = served[0].sessions.studies
    assert (study.ct, study.pet) == (ct, pet)
    assert served[0].sessions.open_first
    assert served[0].host == "127.0.0.1"


def test_assessing_at_once_is_a_wish(served: list[ServingOptions], tmp_path: Path) -> None:
    ct, _ = _images(tmp_path)

    assert _run("--ct", str(ct)).exit_code == _run("--ct", str(ct), "--assess").exit_code == 0

    assert [one.sessions.assess_first for one in served] == [False, True]


def test_a_folder_of_studies_is_listed(served: list[ServingOptions], tmp_path: Path) -> None:
    for name in ("b", "a"):
        _images(tmp_path / name)

    assert _run("--study", str(tmp_path)).exit_code == 0

    assert [study.name for study in served[0].sessions.studies] == ["a", "b"]


def test_settings_reach_the_sessions(served: list[ServingOptions], tmp_path: Path) -> None:
    ct, _ = _images(tmp_path)

    outcome = _run(
        *("--ct", str(ct), "--host", "0.0.0.0", "--port", "81", "--token"),
        *("--upload-limit-gb", "1", "--idle-hours", "0.5", "--most-browsers", "3"),
        *("--device", "cpu", "--allow-host", "pacs.example"),
    )

    assert "nothing is encrypted" in outcome.output
    (options,) = served
    assert (options.host, options.port, options.token) == ("0.0.0.0", 81, True)
    assert options.also == ("pacs.example",)
    assert options.sessions.limits.sent == 1 << 30
    assert options.sessions.idle_seconds == 1800
    assert (options.sessions.most, options.sessions.device) == (3, "cpu")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ct", "a", "--study", "b"), "--study"),
        (("--phantom", "--study", "b"), "--phantom"),
        (("--pet", "a"), "needs its CT"),
        (("--port", "70000"), "65535"),
    ],
)
def test_wrong_usage_is_said(
    served: list[ServingOptions], arguments: tuple[str, ...], words: str
) -> None:
    outcome = _run(*arguments)

    assert outcome.exit_code == 2
    assert words in outcome.output
    assert not served


def test_missing_inputs_are_said(served: list[ServingOptions], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for arguments in (("--ct", gone), ("--study", gone)):
        outcome = _run(*arguments)
        assert isinstance(outcome.exception, InputError)
        assert "there is no such" in str(outcome.exception)
    outcome = _run("--study", str(tmp_path))
    assert "the folder is empty" in str(outcome.exception)
    outcome = _run("--phantom", "--model", gone)
    assert "--model" in str(outcome.exception)
    assert not served


def test_missing_packages_are_one_line_that_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "trame_slicer" else real(name)
    )

    outcome = _run("--phantom")

    assert isinstance(outcome.exception, MSIQAError)
    message = str(outcome.exception)
    assert "trame_slicer" in message
    assert "pip install 'msiqa[viewer]'" in message
    assert "\n" not in message


def test_the_phantom_is_made_once(tmp_path: Path) -> None:
    said: list[str] = []
    (study,) = phantom_study(tmp_path / "p", say=said.append, slices=2)
    assert study.pet is not None
    before = {path: path.stat().st_mtime_ns for path in study.ct.iterdir()}
    assert len(before) == 2

    again = phantom_study(tmp_path / "p", say=said.append, slices=2)

    assert again == (study,)
    assert {path: path.stat().st_mtime_ns for path in study.ct.iterdir()} == before
    assert len(said) == 1


def test_a_place_of_somebody_elses_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / f"msiqa-{os.getuid()}"

    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="--phantom-folder"):
        phantom_study(None, say=lambda _: None, slices=2)
    place.unlink()
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(InputError, match="others can write to it"):
        phantom_study(None, say=lambda _: None, slices=2)
    assert list((tmp_path / "elsewhere").iterdir()) == []
