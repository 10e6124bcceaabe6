"""Configurations from YAML: what is refused, and that those in the project can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from MSIQALib.errors import InputError
from training.config import LevelsPhase, NetworkConfig, TrainingConfig, read_config

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_values_arrive_and_the_rest_keeps_its_defaults(tmp_path: Path) -> None:
    config = read_config(
        write(
            tmp_path,
            "name: x\nwhole: {steps: 3, learning_rate: 1}\nresnet:\n- {depth: 2, zoom: [1, 2.5]}\n",
        )
    )
    assert config.name == "x"
    assert config.whole.steps == 3
    assert config.whole.learning_rate == 1.0
    assert config.resnet == (LevelsPhase(depth=2, zoom=(1.0, 2.5)),)
    assert config.loss == TrainingConfig().loss


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam: x", "unknown option nam"),
        ("whole: {step: 1}", r"unknown option whole\.step"),
        ("resnet: [{deep: 1}]", r"unknown option resnet\[0\]\.deep"),
        ("seed: many", "seed must be of type int"),
        ("seed: true", "seed must be of type int"),
        ("whole: {optimiser: sgd}", r"whole\.optimiser must be one of adam, adamw"),
        ("whole: 3", "whole must hold options by name"),
        ("whole: {zoom: [1]}", r"whole\.zoom must have 2 values"),
        ("data: {held_out: A}", r"data\.held_out must be a list"),
        ("[1, 2]", "must hold options by name"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_errors_name_the_option(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_config(write(tmp_path, text))


def test_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_of_the_project_can_be_read(path: Path) -> None:
    assert read_config(path).name == path.stem


def test_paper_config_is_the_papers_protocol() -> None:
    config = read_config(CONFIGS / "paper.yaml")
    assert (config.whole.optimiser, config.whole.learning_rate) == ("adam", 1e-5)
    assert (config.whole.schedule, config.whole.batch) == ("constant", 16)
    assert (config.loss.mse_weight, config.loss.ranking_weight) == (0.5, 0.5)
    assert config.loss.alpha == 2.0
    assert config.pretrained
    assert config.data.held_out_share == 0.2
    assert (config.whole.fresh, config.whole.views) == (0, False)
    assert config.network == NetworkConfig()
    assert config.model().score == "paper"
