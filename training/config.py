"""What a training run is, read from a YAML file."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from MSIQALib.errors import InputError

Optimiser = Literal["adam", "adamw"]
Schedule = Literal["constant", "one-cycle"]


@dataclass(frozen=True)
class DataConfig:
    """Where images come from, relative to the data root.

    Attributes:
        labelled: Folder of PET-CT-IQA-DS.
        volumes: Folder of clean PET/CT pairs; empty for none.
        cache: Folder for their arrays, relative to the run's folder's parent; empty for none.
        phantoms: How many of this project's phantoms to add, drawn as often as the volumes.
        held_out: Patients of PET-CT-IQA-DS that are not trained on, only measured.
    """

    labelled: str = "pet-ct-iqa-ds"
    volumes: str = "sts-nifti"
    cache: str = "cache/volumes"
    phantoms: int = 0
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossConfig:
    """The weights of Eq. 12 and the steepness of Eq. 11."""

    mse_weight: float = 0.5
    ranking_weight: float = 0.5
    alpha: float = 2.0


@dataclass(frozen=True)
class LevelsPhase:
    """One phase of teaching a backbone the distortions' levels.

    Attributes:
        depth: Stages that take part, 1 to 4.
        steps: Optimiser steps.
        source_size: Pictures of so many pixels before resizing; 512 are whole slices, 256 a
            quarter of the work.
        grid: Share of pictures with one of the data set's 27 combinations; the others have
            continuous strengths, also beyond the data set's.
        batch: Pictures a step.
        learning_rate: Peak of a one-cycle schedule.
        earlier_factor: Multiplies the rate of stages that an earlier phase has trained.
        zoom: Range of the content's magnification.
    """

    depth: int = 4
    steps: int = 1000
    source_size: int = 256
    grid: float = 0.5
    batch: int = 16
    learning_rate: float = 2e-3
    earlier_factor: float = 1.0
    zoom: tuple[float, float] = (1.0, 2.5)


@dataclass(frozen=True)
class FusionConfig:
    """Teaching the fusion the levels, and fitting the regressor, on stored backbone features.

    Attributes:
        statistics: Whole slices on which the batch normalisations are measured anew; 0 leaves
            this out.
        pictures: Freshly distorted whole slices to store features of; 0 leaves this out.
        grid: Share of them that has one of the data set's 27 combinations.
        fusion_epochs: Passes of the fusion over them.
        fusion_rate: Its peak learning rate.
        regressor_steps: Optimiser steps of the score regressor.
        regressor_rate: Its peak learning rate.
        tuning_steps: Optimiser steps of fusion and regressor together; 0 leaves this out.
        tuning_rate: Their peak learning rate.
        pseudo_weight: Weight of the freshly distorted pictures, scored by their combination's
            mean, against the labelled images'.
        labelled_views: Mirrored and shifted views of each labelled image.
        zoom: Range of the content's magnification.
        dropout: Of the regressor while it is fitted.
    """

    statistics: int = 320
    pictures: int = 0
    grid: float = 0.8
    fusion_epochs: int = 4
    fusion_rate: float = 1e-3
    regressor_steps: int = 1500
    regressor_rate: float = 1e-3
    tuning_steps: int = 0
    tuning_rate: float = 2e-4
    pseudo_weight: float = 0.5
    labelled_views: int = 1
    zoom: tuple[float, float] = (1.5, 3.0)
    dropout: float = 0.3


@dataclass(frozen=True)
class WholeConfig:
    """Training the whole network on scores.

    Attributes:
        steps: Optimiser steps; 0 leaves this out.
        batch: Images a step.
        optimiser: "adam" (the paper's) or "adamw".
        schedule: "constant" (the paper's) or "one-cycle".
        learning_rate: Constant rate, or the peak.
        backbone_factor: Multiplies the backbones' rate.
        frozen_statistics: Keep the batch normalisations' means and variances.
        views: Also show the labelled slices distorted anew, turned and shifted.
        fresh: Share of freshly distorted pictures, scored by their combination's mean.
        zoom: Range of the magnification of their content.
    """

    steps: int = 0
    batch: int = 16
    optimiser: Optimiser = "adamw"
    schedule: Schedule = "one-cycle"
    learning_rate: float = 1e-4
    backbone_factor: float = 1.0
    frozen_statistics: bool = False
    views: bool = True
    fresh: float = 0.5
    zoom: tuple[float, float] = (1.5, 3.0)


@dataclass(frozen=True)
class TrainingConfig:
    """A run.

    Attributes:
        name: Of the run's folder.
        seed: Of everything random.
        threads: Of each of the two processes that teach the backbones side by side; the rest is
            one process with twice as many.
        pretrained: Start from timm's ImageNet weights.
        dropout: Of the regressor when the whole network is trained.
        checkpoint_minutes: Time between checkpoints.
        data: Where images come from.
        loss: The loss on scores.
        resnet: Phases of teaching ResNet-50 the levels.
        swin: Phases of teaching Swin-T the levels.
        fusion: Training on stored features.
        whole: Training end to end.
    """

    name: str = "msiqa"
    seed: int = 1
    threads: int = 1
    pretrained: bool = False
    dropout: float = 0.5
    checkpoint_minutes: float = 3.0
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    resnet: tuple[LevelsPhase, ...] = ()
    swin: tuple[LevelsPhase, ...] = ()
    fusion: FusionConfig = dataclasses.field(default_factory=FusionConfig)
    whole: WholeConfig = dataclasses.field(default_factory=WholeConfig)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return dataclasses.asdict(self)


def read_config(path: Path) -> TrainingConfig:
    """Read a run's YAML file.

    Raises:
        InputError: The file is missing or no mapping, an option in it is unknown, or a value has
            the wrong type; the message names the option.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(path, "it cannot be read as YAML", "Correct the file") from error
    try:
        return typing.cast(TrainingConfig, _build(TrainingConfig, values, ""))
    except ValueError as error:
        raise InputError(path, str(error), "See training/config.py for what there is") from error


def _build(kind: Any, value: Any, name: str) -> Any:
    """Turn plain YAML values into the type `kind`; `name` is for messages."""
    where = name or "the file"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must hold options by name")
        hints = typing.get_type_hints(kind)
        prefix = f"{name}." if name else ""
        unknown = sorted(prefix + str(key) for key in set(value) - set(hints))
        if unknown:
            raise ValueError(f"unknown option {', '.join(unknown)}")
        built = {key: _build(hints[key], given, prefix + key) for key, given in value.items()}
        return typing.cast(type, kind)(**built)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} must be a list")
        if arguments[-1] is Ellipsis:
            return tuple(_build(arguments[0], v, f"{name}[{i}]") for i, v in enumerate(value))
        if len(value) != len(arguments):
            raise ValueError(f"{where} must have {len(arguments)} values")
        return tuple(_build(a, v, name) for a, v in zip(arguments, value, strict=True))
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where} must be one of {', '.join(arguments)}, not {value!r}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (
        isinstance(kind, types.UnionType)
        or not isinstance(value, kind)
        or (kind is int and isinstance(value, bool))
    ):
        raise ValueError(f"{where} must be of type {kind.__name__}, not {value!r}")
    return value
