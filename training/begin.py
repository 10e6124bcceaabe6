"""What is checked and noted of a run before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from MSIQALib.errors import InputError
from training.config import FusionConfig, TrainingConfig
from training.datasets.completeness import (
    require_combinations,
    require_listed,
    require_pristine,
)
from training.datasets.labelled import LabelledImage, data_root, patients
from training.datasets.slice_ladders import IN_PLANE
from training.datasets.sources import read_images
from training.degradations import DEGRADATIONS
from training.global_batch import process_count
from training.narrow import EXPANSION
from training.picture_degradations import PICTURE_DEGRADATIONS
from training.run_folder import RunFolder
from training.run_sources import keep_labelled, keep_start
from training.split import held_out_patients, marked_patients
from training.widening import parts_that_fit


@dataclass(frozen=True)
class BegunRun:
    """A run that may go on.

    Attributes:
        config: The run's, with the names of the patients that are left out.
        images: All labelled images.
        folder: Knows configuration and data.
    """

    config: TrainingConfig
    images: tuple[LabelledImage, ...]
    folder: RunFolder

    @property
    def chosen(self) -> tuple[LabelledImage, ...]:
        """The images of the patients that are trained on."""
        return tuple(i for i in self.images if i.patient not in self.config.data.held_out)

    @property
    def left_out(self) -> tuple[LabelledImage, ...]:
        """The images of the patients that are left out."""
        return tuple(i for i in self.images if i.patient in self.config.data.held_out)


def begin_run(config: TrainingConfig, runs: Path, *, writes: bool = True) -> BegunRun:
    """Check a configuration and its data, and open the run's folder.

    Args:
        config: What to do.
        runs: Folder of run folders.
        writes: False in processes that leave the writing to another one.

    Raises:
        InputError: The data are missing or damaged, the configuration does not fit them or the
            processes, or the folder holds a run with another configuration, other labelled
            pictures or another file to start from.
    """
    check_options(config)
    images = read_images(config.data, data_root())
    marked = marked_patients(data_root() / config.data.labelled)
    config = with_split(config, images, marked)
    check_data(config, images)
    # What is refused above leaves no folder, which would refuse the corrected configuration.
    folder = RunFolder(runs / config.name, writes=writes)
    folder.save_config(config)
    keep_labelled(folder, images)
    keep_start(folder, config, images)
    return BegunRun(config, images, folder)


def _check_network(config: TrainingConfig) -> None:
    """Refuse a network that cannot be, or that cannot see or learn what the run asks for."""
    try:
        cell = config.model().cell
    except ValueError as error:
        raise InputError(
            "network", str(error), "See training/config.py for what there is"
        ) from error
    if config.input_size <= 0 or config.input_size % cell:
        raise InputError(
            "input_size",
            f"the network cannot see pictures of {config.input_size} pixels",
            f"Give a multiple of {cell}",
        )
    if config.network.swin_size and (config.swin or config.swin_groups):
        raise InputError(
            "network.swin_size",
            "a Swin-T that is taught here may learn from parts of pictures, which it would resize "
            "as if they were whole",
            "Leave swin and swin_groups out, or give network.swin_stride instead",
        )
    fusion = config.fusion
    if fusion.reader_first and (config.network.score != "paper" or fusion.reader_weight < 0):
        raise InputError(
            "fusion.reader_first",
            "there is no weight branch that reads, or no error to weigh",
            "Leave it out, or give network.score: paper and a fusion.reader_weight of 0 or more",
        )


def check_options(config: TrainingConfig) -> None:
    """Refuse options that cannot be carried out.

    Raises:
        InputError: They do not fit each other, the processes or the files that they name.
    """
    _check_network(config)
    count = process_count()
    if count > 1 and config.fusion.pictures:
        raise InputError(
            "fusion.pictures",
            "the stored features are made and fitted in one process",
            "Start it without `accelerate launch`",
        )
    if config.narrow.wanted and (config.data.held_out or config.data.held_out_share):
        raise InputError(
            "data.held_out",
            "the parts of the narrow networks see pictures of every patient but one",
            "Measure with python -m training.crossvalidate",
        )
    if config.narrow.parts and not (config.narrow.trunk or config.start):
        raise InputError(
            "narrow.parts",
            "there is nothing for the parts to begin as",
            "Give narrow.trunk, or a weights file of narrow networks as start",
        )
    share = config.narrow.start_share
    if share and not (config.start and 0 < share <= 1):
        raise InputError(
            "narrow.start_share",
            f"a share of {share:g} of what the parts began as cannot be taken",
            "Give a share from 0 to 1, and a weights file as start",
        )
    taught = config.narrow.taught
    if taught and (config.narrow.learnt or share or not Path(taught).is_file()):
        raise InputError(
            "narrow.taught",
            f"parts cannot be taken from {taught}",
            "Name a file, as seen from here, and leave trunk, parts and start_share out",
        )
    if config.narrow.own_first and (config.narrow.trunk or not config.start):
        raise InputError(
            "narrow.own_first",
            "channels of a part's own are added to what a weights file holds, not to a trunk",
            "Give a weights file as start and leave narrow.trunk out, or leave own_first out",
        )
    if config.narrow.kept and (config.narrow.trunk or config.narrow.parts):
        raise InputError(
            "narrow.start_share",
            "parts that stay as they began learn nothing",
            "Leave narrow.trunk and narrow.parts out, or give a share below 1",
        )
    if config.start and not (config.fusion.pictures and Path(config.start).is_file()):
        raise InputError(
            "start",
            f"training cannot go on from {config.start}",
            "Name a weights file, as seen from here, and store features (fusion.pictures)",
        )
    _check_ladders(config.fusion)
    _check_toll(config)
    of_slices = [degradation.name for degradation in IN_PLANE]
    phases = [("narrow", phase) for phase in (*config.narrow.trunk, *config.narrow.parts)]
    for place, phase in phases + [("swin_groups", phase) for phase in config.swin_groups]:
        _check_times(f"{place}.ladder_times", phase.ladder_times, of_slices, never=False)
        if phase.effects_apart and not phase.ladders:
            raise InputError(
                f"{place}.effects_apart",
                "effects are told apart on ladders, and a phase has none",
                "Give that phase a share of ladders, or leave effects_apart out",
            )
    if config.whole.batch % count:
        raise InputError(
            "whole.batch",
            f"a batch of {config.whole.batch} cannot be shared out to {count} processes evenly",
            "Choose another number of processes",
        )


def _check_times(
    option: str, times: Mapping[str, float], known: Sequence[str], *, never: bool
) -> None:
    """Refuse ladders that cannot be drawn as often as is wanted; `never` allows 0."""
    refused = [
        f"{name}: {often:g}"
        for name, often in times.items()
        if name not in known or not 0 <= often < math.inf or (often == 0 and not never)
    ]
    if refused:
        raise InputError(
            option,
            f"ladders cannot be drawn so: {', '.join(refused)}",
            f"Give numbers {'from' if never else 'above'} 0 for {', '.join(known)}",
        )


def _check_toll(config: TrainingConfig) -> None:
    fusion = config.fusion
    if not 0 <= fusion.toll < math.inf:
        raise InputError(
            "fusion.toll", f"a step cannot cost {fusion.toll:g}", "Give a number from 0"
        )
    if not fusion.toll:
        return
    if not _of_studies(fusion):
        raise InputError(
            "fusion.toll",
            "there are no ladders of clean studies on which a loss could be told",
            "Have some (fusion.ladders), or leave this out",
        )
    if config.network.score != "paper":
        raise InputError(
            "fusion.toll",
            "the released score has no use for the weight branch, which pays it",
            "Leave network.score out, or this",
        )


def _of_studies(fusion: FusionConfig) -> bool:
    """Whether there are ladders of clean studies."""
    return bool(fusion.ladders or any(fusion.more_ladders.values()))


def _check_ladders(fusion: FusionConfig) -> None:
    if fusion.fusion_ladders < 1:
        raise InputError(
            "fusion.fusion_ladders",
            f"the fusion cannot learn from {fusion.fusion_ladders} ladders a step",
            "Give 1 or more; to learn from none, have none (fusion.ladders, more_ladders, "
            "varied_ladders and picture_ladders 0)",
        )
    for option in ("ladders", "varied_ladders", "picture_ladders", "study_picture_ladders"):
        if (count := getattr(fusion, option)) < 0:
            raise InputError(f"fusion.{option}", f"there are no {count} ladders", "Give 0 or more")
    of_studies = [degradation.name for degradation in DEGRADATIONS]
    known = [*of_studies, *(degradation.name for degradation in PICTURE_DEGRADATIONS)]
    wrong = [
        f"{name}: {count}"
        for name, count in fusion.more_ladders.items()
        if name not in of_studies or count < 0
    ]
    if wrong:
        raise InputError(
            "fusion.more_ladders",
            f"there are no such ladders: {', '.join(wrong)}",
            f"Give numbers of slices for {', '.join(of_studies)}",
        )
    for option in ("averaged_ladders", "averaged_pictures"):
        count = getattr(fusion, option)
        if count < 0:
            raise InputError(
                f"fusion.{option}",
                f"the fusion cannot learn from {count} {option.removeprefix('averaged_')} a step",
                "Give 0 or more",
            )
    if not 0 <= fusion.anchors < 1:
        raise InputError(
            "fusion.anchors",
            f"{fusion.anchors:g} is no share of the scored pictures",
            "Give a number from 0, and below 1",
        )
    if fusion.anchors and not _of_studies(fusion):
        raise InputError(
            "fusion.anchors",
            "there are no ladders of clean studies whose first rungs could serve",
            "Have some (fusion.ladders), or leave this out",
        )
    for option in ("ladder_times", "fusion_ladder_times"):
        _check_times(f"fusion.{option}", getattr(fusion, option), known, never=True)


def with_split(
    config: TrainingConfig, images: tuple[LabelledImage, ...], marked: tuple[str, ...] = ()
) -> TrainingConfig:
    """Put the names of the patients that are left out into the configuration.

    Args:
        config: Names them, or gives their share.
        images: All labelled images.
        marked: The data set's own test patients.

    Raises:
        InputError: They are not in the data, or nobody is left.
    """
    try:
        held_out = held_out_patients(config.data, images, config.seed, marked)
    except ValueError as error:
        raise InputError(
            "data.held_out", str(error), "Name some of the data set's patients"
        ) from error
    return replace(config, data=replace(config.data, held_out=held_out))


def check_data(config: TrainingConfig, images: Sequence[LabelledImage]) -> None:
    """Refuse labelled pictures that would end the run hours later.

    Args:
        config: With the names of the patients that are left out.
        images: All labelled images.

    Raises:
        InputError: A picture cannot be decoded, one is missing that others need, or there are too
            many patients for the narrow networks.
    """
    chosen = [i for i in images if i.patient not in config.data.held_out]
    fresh = config.whole.wanted and config.whole.fresh > 0
    if config.narrow.wanted:
        _check_room(config, len(patients(images)))
    if config.fusion.pictures:
        require_listed(images)
    if config.fusion.pictures or fresh:
        require_combinations(chosen)
    if config.fusion.pictures and config.fusion.labelled_views > 1:
        require_pristine(images)
    if config.whole.wanted and config.whole.views:
        require_pristine(chosen)
    for image in images:
        image.read()


def _check_room(config: TrainingConfig, count: int) -> None:
    """Refuse more narrow networks than a ResNet-50 has room for."""
    stem, widths, own = config.narrow.stem, config.narrow.widths, config.narrow.own_first
    most = parts_that_fit(stem, [EXPANSION * width for width in widths], EXPANSION * own)
    if count > most:
        raise InputError(
            "narrow.widths",
            f"parts with a stem of {stem} and widths of {', '.join(map(str, widths))} fit into a "
            f"ResNet-50 for {most} patients, but the labelled images are of {count}",
            "Give labelled images of fewer patients, or make the parts narrower",
        )
