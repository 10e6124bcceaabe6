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
from MSIQALib.model.config import AttentionActivation, ModelConfig, Pooling, ScoreRule

Optimiser = Literal["adam", "adamw"]
Schedule = Literal["constant", "one-cycle"]
DataKind = Literal["pet-ct-iqa-ds", "published", "ldctiqac2023"]
Precision = Literal["no", "bf16", "fp16"]
Target = Literal["likert", "unit"]


@dataclass(frozen=True)
class DataConfig:
    """Where images come from, relative to the data root.

    Attributes:
        kind: How the labelled images are stored: "pet-ct-iqa-ds" (with `labels.csv`, as the builder
            and the recovery write it), "published" (with the authors' `label.txt`) or
            "ldctiqac2023" (as distributed; its parts are the patients "train" and "test").
        labelled: Folder of the labelled images.
        volumes: Folder of clean PET/CT pairs; empty for none.
        chest_ct: Folder of CT volumes without a PET, more content; passed over with a warning where
            it is missing; empty for none.
        chest_ct_share: Share of the content that they make up, by repetition.
        cache: Folder for their arrays, relative to the run's folder's parent; empty for none.
        phantoms: How many of this project's phantoms to add, drawn as often as the volumes.
        held_out: Patients of the labelled images that are not trained on, only measured.
        held_out_share: Where `held_out` names nobody, the data set's own test patients or, if it
            marks none, this share of the patients, drawn by the run's seed; at least one patient
            and never all.
    """

    kind: DataKind = "pet-ct-iqa-ds"
    labelled: str = "pet-ct-iqa-ds"
    volumes: str = "sts-nifti"
    chest_ct: str = ""
    chest_ct_share: float = 0.35
    cache: str = "cache/volumes"
    phantoms: int = 0
    held_out: tuple[str, ...] = ()
    held_out_share: float = 0.0


@dataclass(frozen=True)
class NetworkConfig:
    """Which network is trained: the choices of `MSIQALib.model.config.ModelConfig`, by its names.

    The defaults are the paper's whole network; the rows of its ablation switch parts off.
    """

    score: ScoreRule = "paper"
    agca_activation: AttentionActivation = "softmax"
    fs_pooling: Pooling = "average"
    resnet: bool = True
    swin: bool = True
    fusion: bool = True
    regressor: bool = True
    stages: int = 4
    swin_stride: int = 1
    swin_size: int = 0


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
        speck_weight: Weight of the specks in the loss, against the other distortions.
    """

    depth: int = 4
    steps: int = 1000
    source_size: int = 256
    grid: float = 0.5
    batch: int = 16
    learning_rate: float = 2e-3
    earlier_factor: float = 1.0
    zoom: tuple[float, float] = (0.6, 2.4)
    speck_weight: float = 1.0


@dataclass(frozen=True)
class NarrowPhase:
    """One phase of teaching narrow ResNets, or Swin-T, the distortions from groups of pictures.

    Attributes:
        steps: Optimiser steps.
        source_size: Pictures of so many pixels before resizing; 512 are whole slices.
        groups: Contents a step, over all processes together.
        group_size: Pictures of each content, each distorted in its own way.
        grid: Share of pictures with one of the data set's 27 combinations.
        learning_rate: Peak, after the warm-up.
        last_rate: Share of the peak that is left after the last step, by half a cosine.
        warm_up: Share of the steps in which the rate rises.
        zoom: Range of the content's magnification.
        ladders: Share of the contents that are made worse step by step instead, to be ordered.
        ladder_times: How often these are drawn against 1 of all others, by the name of what makes
            a single slice worse (`training.degradations`).
        effects_apart: Let grain of the PET, its smoothness and grain of the CT be told apart, each
            by a place of its own that the others do not move, beside the one place that all losses
            move.
        readers_only: Teach the heads and leave the network as it is.
        uncoded: Share of the pictures of quality 100 that are not JPEG-coded, as those fused from
            volumes are not.
        mixed_precision: "bf16" for the network's arithmetic, which processors with AMX do several
            times faster; weights, heads, optimiser and loss stay in 32 bits.
        kept_statistics: Whole slices on which the batch normalisations are measured as the phase
            begins, to stay so: the rest gets used to what it is shipped with. Else they are those
            of each step's pictures, which share their content in groups. 0 leaves this out.
        rounded: Let the network compute with weights rounded to the 8 bits in which they are
            shipped, so that the exact ones learn to be rounded.
    """

    steps: int = 1000
    source_size: int = 256
    groups: int = 16
    group_size: int = 4
    grid: float = 0.7
    learning_rate: float = 3e-3
    last_rate: float = 0.0
    warm_up: float = 0.05
    zoom: tuple[float, float] = (0.6, 2.4)
    ladders: float = 0.0
    ladder_times: dict[str, float] = dataclasses.field(default_factory=dict)
    effects_apart: bool = False
    readers_only: bool = False
    uncoded: float = 0.0
    mixed_precision: Literal["no", "bf16"] = "no"
    kept_statistics: int = 0
    rounded: bool = False


@dataclass(frozen=True)
class NarrowConfig:
    """A ResNet-50 that is made of narrow ones (`training.narrow`).

    They share stem and first stage, learnt from clean volumes alone. From the second stage on there
    is one for each labelled patient, which also learns from the pristine pictures of the *other*
    patients, so that each patient can be measured by what has never seen a picture of them.

    Attributes:
        stem: Channels of the first convolution. Those that the file to start from does not use
            become point detectors.
        widths: Of the four stages' 3x3 convolutions.
        own_first: Channels of the 3x3 convolutions that each part has for itself in the first
            stage, beside those that all share. Fresh where the file to start from has none.
        trunk: Phases of the first network, from random weights.
        trunk_processes: Processes that share its steps, and those of `swin_groups`.
        parts: Phases of each part, from the trunk or, where `TrainingConfig.start` names a file,
            from the part that is in it.
        pristine: Share of pristine pictures in the content of the parts.
        start_share: Share of the weights that a part began with, in `TrainingConfig.start`, when
            the parts are laid side by side; the rest are those that it has learnt. With 1 the parts
            stay as they are in that file, and only fusion and regressor learn.
        taught: A file of parts that an earlier run has taught (`training.kept_parts`), which stay
            as they are; empty for none.
    """

    stem: int = 48
    widths: tuple[int, int, int, int] = (24, 40, 64, 64)
    own_first: int = 0
    trunk: tuple[NarrowPhase, ...] = ()
    trunk_processes: int = 2
    parts: tuple[NarrowPhase, ...] = ()
    pristine: float = 0.4
    start_share: float = 0.0
    taught: str = ""

    @property
    def wanted(self) -> bool:
        """Whether ResNet-50 is made of narrow networks at all."""
        return bool(self.kept or self.learnt or self.taught)

    @property
    def learnt(self) -> bool:
        """Whether any of them is taught here."""
        return bool(self.trunk or self.parts)

    @property
    def kept(self) -> bool:
        """Whether the parts stay as they are in the file to start from."""
        return self.start_share == 1


@dataclass(frozen=True)
class FusionConfig:
    """Teaching the fusion the levels, and fitting the regressor, on stored backbone features.

    Attributes:
        statistics: Whole slices on which the batch normalisations are measured anew; 0 leaves
            this out.
        pictures: Freshly distorted whole slices to store features of; 0 leaves this out.
        grid: Share of them that has one of the data set's 27 combinations.
        uncoded: Share of those of quality 100 that are not JPEG-coded.
        fusion_epochs: Passes of the fusion over them.
        fusion_rate: Its peak learning rate.
        regressor_steps: Optimiser steps of the score regressor.
        regressor_rate: Its peak learning rate.
        pseudo_weight: Weight of the freshly distorted pictures, scored by their combination's
            mean, against the labelled images'.
        labelled_views: Mirrored and shifted views of each labelled image.
        zoom: Range of the content's magnification.
        stage_noise: Deviation of the noise on the standardised stages while the fusion learns; it
            keeps pictures from being learnt by heart.
        dropout: Of the regressor while it is fitted.
        ladders: Slices of each clean study, for each realistic degradation, that are made worse
            step by step; 0 leaves this out.
        more_ladders: Further slices of each clean study, by the name of a realistic degradation.
        ladder_held_out: The last so many studies are left out, to measure on.
        varied_ladders: More ladders, of single slices that are of no clean study (CT without a
            PET, phantoms).
        picture_ladders: More ladders, of pictures with more and more of one of the data set's
            distortions.
        study_picture_ladders: Slices of each clean study to which the same is done, for each of
            these distortions. A study's picture is seldom as large as the data set's, and what is
            done to it looks coarser once it is enlarged. The regressor alone learns from them.
            The first of these slices are those of `ladders`.
        fusion_ladders: Ladders whose order the fusion learns in each step.
        fusion_ladder_times: How often the fusion draws a ladder against 1 of all others, by the
            name of what was done to a clean study (`training.degradations`) or to a picture
            (`training.picture_degradations`). Varied ladders count 1.
        averaged_ladders: Further ladders a step, drawn in the same way, whose stages are averaged
            over their 7 x 7 cells first; they cost a 49th and teach what is read off averages.
        averaged_pictures: Further pictures a step, drawn from all, whose stages are averaged in
            the same way; they teach strengths and, with `fusion_scores`, scores.
        own_places: Whether the fusion learns the order of each kind of ladder through a reader of
            its own. One reader for all has to find what a lost resolution, which smooths, and lost
            counts, which grain, have in common.
        fusion_scores: Whether it learns the combinations' mean scores too, and that scores fall
            down a ladder, through a reader that scores as the regressor does.
        attention_start: Ties each vertex of the fusion's attention to itself so strongly before it
            learns; with 0 hardly anything gets through it at first.
        ladder_times: `fusion_ladder_times` for the regressor.
        ladder_weight: Weight of the error in the order of the rungs.
        ladder_margin: By how much the score should fall a step, in Likert units.
        anchors: Share of the regressor's scored pictures that are the undegraded rungs of the clean
            studies' ladders, scored as the data set's pristine pictures are on average. Those were
            JPEG-coded, while these never were.
        reader_first: Whether half of the regressor's weight branch begins with a linear function
            of f_w that names the 27 combinations (`training.combination_reader`). Its pictures are
            then scored by their combination's mean.
        reader_weight: Weight of the squared distance from the score that this function expects, on
            vectors around those that are fitted.
        range_weight: Weight of the squared error of scores above the best or below the worst of
            the scale; what is clipped there cannot be told apart.
        toll: What a step of lost counts or of breathing takes off the weight branch's output,
            before its sigmoid, once the regressor is fitted; PET resolution and the CT's grain
            cost twice this (`training.loss_toll.COSTS`). 0 leaves it out.
    """

    statistics: int = 320
    pictures: int = 0
    grid: float = 0.8
    uncoded: float = 0.0
    fusion_epochs: int = 4
    fusion_rate: float = 1e-3
    regressor_steps: int = 1500
    regressor_rate: float = 1e-3
    pseudo_weight: float = 0.5
    labelled_views: int = 1
    zoom: tuple[float, float] = (0.6, 2.4)
    stage_noise: float = 0.2
    dropout: float = 0.3
    ladders: int = 0
    more_ladders: dict[str, int] = dataclasses.field(default_factory=dict)
    ladder_held_out: int = 0
    varied_ladders: int = 0
    picture_ladders: int = 0
    study_picture_ladders: int = 0
    fusion_ladders: int = 1
    fusion_ladder_times: dict[str, float] = dataclasses.field(default_factory=dict)
    averaged_ladders: int = 0
    averaged_pictures: int = 0
    own_places: bool = False
    fusion_scores: bool = False
    attention_start: float = 0.0
    ladder_times: dict[str, float] = dataclasses.field(default_factory=dict)
    ladder_weight: float = 0.5
    ladder_margin: float = 0.1
    anchors: float = 0.0
    reader_first: bool = False
    reader_weight: float = 3.0
    range_weight: float = 0.0
    toll: float = 0.0


@dataclass(frozen=True)
class WholeConfig:
    """Training the whole network on scores, on one device or several.

    An epoch is as many pictures as there are labelled images to train on. Each of these comes at
    most once in it, in an order of its own.

    Attributes:
        steps: Optimiser steps; with neither steps nor epochs the whole network is not trained.
        epochs: Epochs, where no number of steps is given.
        evaluate_epochs: Epochs between two measurements on the patients that are left out; 0
            measures at the end alone.
        batch: Images a step, over all processes together.
        optimiser: "adam" (the paper's) or "adamw".
        schedule: "constant" (the paper's) or "one-cycle".
        learning_rate: Constant rate, or the peak.
        backbone_factor: Multiplies the backbones' rate.
        frozen_statistics: Keep the batch normalisations' means and variances.
        target: What the network learns to say: the score in Likert units, from a score branch
            that starts near the middle of the scale, or a quarter of the score, 0..1 ("unit").
            The loss is taken in the same units.
        views: Also show the labelled slices distorted anew, turned and shifted.
        fresh: Share of freshly distorted pictures, scored by their combination's mean.
        zoom: Range of the magnification of their content.
        mixed_precision: "bf16" or "fp16" (GPUs only) for the network's arithmetic; weights,
            optimiser and loss stay in 32 bits.
        workers: Processes that prepare pictures ahead, for each training process; 0 prepares
            them between the steps.
        distort_on_device: Let the training device add the noise, code the JPEG and resize; the
            workers then make the clean pictures only.
    """

    steps: int = 0
    epochs: int = 0
    evaluate_epochs: int = 1
    batch: int = 16
    optimiser: Optimiser = "adamw"
    schedule: Schedule = "one-cycle"
    learning_rate: float = 1e-4
    backbone_factor: float = 1.0
    frozen_statistics: bool = False
    target: Target = "likert"
    views: bool = True
    fresh: float = 0.5
    zoom: tuple[float, float] = (0.6, 2.4)
    mixed_precision: Precision = "no"
    workers: int = 0
    distort_on_device: bool = False

    @property
    def wanted(self) -> bool:
        """Whether the whole network is trained at all."""
        return bool(self.steps or self.epochs)


@dataclass(frozen=True)
class TrainingConfig:
    """A run.

    Attributes:
        name: Of the run's folder.
        seed: Of everything random.
        threads: Of each of the two processes that teach the backbones side by side; the rest is
            one process with twice as many.
        pretrained: Start from timm's ImageNet weights.
        start: A weights file of this project, made with narrow networks of the same widths, whose
            backbones training goes on from; empty for none.
        input_size: Height and width of the network's input, a multiple of 32 times
            network.swin_stride; the paper's is 224.
        dropout: Of the regressor when the whole network is trained.
        checkpoint_minutes: Time between checkpoints.
        data: Where images come from.
        network: Which network.
        loss: The loss on scores.
        narrow: ResNet-50 from narrow ones, taught before the phases of `resnet`.
        resnet: Phases of teaching ResNet-50 the levels.
        swin_groups: Phases in which Swin-T learns from groups of pictures, as narrow networks do,
            before the phases of `swin` (`training.swin_training`).
        swin: Phases of teaching Swin-T the levels.
        fusion: Training on stored features.
        whole: Training end to end.
    """

    name: str = "msiqa"
    seed: int = 1
    threads: int = 1
    pretrained: bool = False
    start: str = ""
    input_size: int = 224
    dropout: float = 0.5
    checkpoint_minutes: float = 3.0
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    narrow: NarrowConfig = dataclasses.field(default_factory=NarrowConfig)
    resnet: tuple[LevelsPhase, ...] = ()
    swin_groups: tuple[NarrowPhase, ...] = ()
    swin: tuple[LevelsPhase, ...] = ()
    fusion: FusionConfig = dataclasses.field(default_factory=FusionConfig)
    whole: WholeConfig = dataclasses.field(default_factory=WholeConfig)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return dataclasses.asdict(self)

    def model(self) -> ModelConfig:
        """The network to build, with its dropout and where its weights start."""
        return ModelConfig(
            **dataclasses.asdict(self.network), pretrained=self.pretrained, dropout=self.dropout
        )


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
    if origin is dict:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ValueError(f"{where} must hold values by name")
        return {key: _build(arguments[1], v, f"{name}.{key}") for key, v in value.items()}
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where} must be one of {', '.join(arguments)}, not {value!r}")
        return value
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    """Check a number, a text or a switch."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (
        isinstance(kind, types.UnionType)
        or not isinstance(value, kind)
        or (kind is int and isinstance(value, bool))
    ):
        raise ValueError(f"{where} must be of type {kind.__name__}, not {value!r}")
    return value
