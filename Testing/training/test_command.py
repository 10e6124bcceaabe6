"""What is refused on purpose ends a command in words; mistakes of the program do not."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from MSIQALib.errors import InputError
from training.command import run_command


def test_only_what_is_refused_on_purpose_ends_in_words() -> None:
    def refuse() -> None:
        raise InputError("x.png", "it is blue", "Give a grey one")

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(SystemExit, match=r"x\.png: it is blue\. Give a grey one\."):
        run_command(refuse)
    with pytest.raises(KeyError):
        run_command(fail)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("crossvalidate", ["--config", "MISSING"]),
        ("train", ["--config", "MISSING"]),
        ("narrow_training", ["--part", "A", "--config", "MISSING"]),
        ("branch_features", ["--branch", "swin", "--config", "MISSING"]),
        ("ship", ["MISSING"]),
        ("figures.fig2", ["MISSING", "--output", "x.png"]),
        ("benchmarks.assessment_share", ["--ct", "MISSING", "--pet", "MISSING"]),
    ],
)
def test_a_missing_file_ends_each_command_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, arguments: list[str]
) -> None:
    missing = str(tmp_path / "none")
    given = [missing if word == "MISSING" else word for word in arguments]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSIQA_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [module, *given])
    with pytest.raises(SystemExit, match="none: "):
        runpy.run_module(f"training.{module}", run_name="__main__")
