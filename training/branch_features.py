"""Pre-trains one backbone and stores its features: what runs once for each of the two.

python -m training.branch_features --config training/configs/scratch_cpu.yaml --branch swin
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch

from MSIQALib.errors import InputError
from MSIQALib.model.backbones import ResNetStages
from MSIQALib.model.checkpoint import load_model
from MSIQALib.model.fusion import POOLED_SIZE
from MSIQALib.model.inference import fold_batch_norm, quickest
from MSIQALib.model.quantization import dequantise, quantise
from training.command import run_command, run_parser
from training.config import NarrowConfig, TrainingConfig, read_config
from training.content import cache_folder, ladder_slices, read_slices
from training.datasets.clean_slices import CleanSlice
from training.datasets.composition import Variety
from training.datasets.distorted import (
    LEVEL_TARGETS,
    DistortedSlices,
    Sampling,
    level_targets,
)
from training.datasets.labelled import LabelledImage, data_root, patients
from training.datasets.ladders import Ladder, stored_ladders
from training.datasets.picture_ladders import picture_ladders
from training.datasets.slice_ladders import SEVERAL, varied_ladders
from training.datasets.sources import read_images
from training.datasets.views import LabelledViews
from training.datasets.volume_pairs import find_pairs
from training.degradations import DEGRADATIONS
from training.distortions import COMBINATIONS, UNLISTED, combination_number
from training.features import pooled_stages, refresh_statistics
from training.narrow import EXPANSION
from training.narrow_training import part_states
from training.picture_degradations import PICTURE_DEGRADATIONS
from training.pretrain import BRANCHES, Branch, pretrain
from training.run_folder import RunFolder
from training.stored_features import StoredFeatures, StoredLadders
from training.swin_training import swin_state
from training.widening import SHARED, channels_of, side_by_side

logger = logging.getLogger(__name__)

FRESH = "fresh"
"""Owner of the pictures that belong to no labelled patient."""

STATISTICS_SEED, FRESH_SEED, VIEWS_SEED, LADDERS_SEED = 101, 102, 103, 104


def fresh_pictures(config: TrainingConfig, slices: tuple[CleanSlice, ...]) -> DistortedSlices:
    """The freshly distorted whole slices whose features are stored."""
    fusion = config.fusion
    variety = Variety(zoom=fusion.zoom)
    sampling = Sampling(
        grid=fusion.grid, variety=variety, uncoded=fusion.uncoded, size=config.input_size
    )
    return DistortedSlices(slices, sampling, seed=config.seed + FRESH_SEED, length=fusion.pictures)


def labelled_views(config: TrainingConfig, images: tuple[LabelledImage, ...]) -> LabelledViews:
    """The views of the labelled images whose features are stored."""
    views, seed = config.fusion.labelled_views, config.seed + VIEWS_SEED
    return LabelledViews(images, views, seed, config.input_size)


def read_ladders(config: TrainingConfig, folder: RunFolder) -> list[Ladder]:
    """The degraded slices whose features are stored; none where the configuration has none."""
    fusion, size, seed = config.fusion, config.input_size, config.seed + LADDERS_SEED
    volumes = data_root() / config.data.volumes
    of_studies = partial(
        stored_ladders,
        volumes,
        held_out=fusion.ladder_held_out,
        cache=cache_folder(config, folder),
        size=size,
    )
    ladders: list[Ladder] = []
    if fusion.ladders:
        ladders += of_studies(fusion.ladders, seed=seed)
    if fusion.varied_ladders:
        studies = {pair.name for pair in find_pairs(volumes)}
        others = tuple(s for s in read_slices(config, folder) if s.source not in studies)
        if not others:
            raise InputError(
                "fusion.varied_ladders",
                "there is no content but the clean studies",
                "Name data.chest_ct or data.phantoms, or leave this out",
            )
        variety = Variety(zoom=fusion.zoom)
        ladders += varied_ladders(others, fusion.varied_ladders, variety, seed=seed, size=size)
    if fusion.picture_ladders:
        content = ladder_slices(config, read_slices(config, folder))
        variety = Variety(zoom=fusion.zoom)
        ladders += picture_ladders(content, fusion.picture_ladders, variety, seed=seed, size=size)
    for number, degradation in enumerate(DEGRADATIONS, 1):
        if more := fusion.more_ladders.get(degradation.name):
            ladders += of_studies(
                more, seed=seed + number, degradations=(degradation,), varied=True
            )
    if more := fusion.study_picture_ladders:
        ladders += of_studies(more, seed=seed, degradations=PICTURE_DEGRADATIONS)
    return ladders


def store_features(config: TrainingConfig, name: str, branch: Branch, folder: RunFolder) -> None:
    """Measure the normalisations on whole slices, then store 7 x 7 averages of every picture.

    The backbone's weights are first rounded to the 8 bits in which they will be shipped, so that
    what is fitted to the features is fitted to the weights that users get.
    """
    if folder.checkpoint(f"{name}-features").is_file():
        return
    slices = read_slices(config, folder)
    images = read_images(config.data, data_root())
    branch.stages.load_state_dict(dequantise(quantise(branch.stages.state_dict())))
    branch.set_input_size(config.input_size)
    branch.eval()
    fusion = config.fusion
    variety = Variety(zoom=fusion.zoom)
    whole = Sampling(variety=variety, uncoded=fusion.uncoded, size=config.input_size)
    statistics = DistortedSlices(slices, whole, seed=config.seed + STATISTICS_SEED, length=10**6)
    keep = SHARED if name == "resnet" and config.narrow.wanted else ()
    refresh_statistics(branch.stages, lambda i: statistics[i][0], fusion.statistics, keep=keep)
    fresh, views = fresh_pictures(config, slices), labelled_views(config, images)
    logger.info("%s: %d fresh pictures, %d labelled views", name, len(fresh), len(views))
    backbone = branch.stages.state_dict()
    stages = branch.stages
    if isinstance(stages, ResNetStages):
        quick = quickest(fold_batch_norm(copy.deepcopy(stages)))
        quick.to(memory_format=torch.channels_last)
        stages = partial(quick, pooled=POOLED_SIZE)  # whole maps are never put together
    state = {
        "views": pooled_stages(stages, views.__getitem__, len(views)),
        "fresh": pooled_stages(stages, lambda i: fresh[i][0], len(fresh)),
        "backbone": backbone,
    }
    ladders = read_ladders(config, folder)
    rungs = [picture for ladder in ladders for picture in ladder.pictures]
    state["ladders"] = pooled_stages(stages, rungs.__getitem__, len(rungs))
    state["climbed"] = _climbed(ladders)
    folder.save(f"{name}-features", state)


@dataclass(frozen=True)
class Stored:
    """What both branches stored, joined.

    Attributes:
        labelled: Features of the labelled views.
        fresh: Of the freshly distorted pictures.
        ladders: Of the ladders; None where there are none.
        backbones: The states of "resnet" and "swin".
    """

    labelled: StoredFeatures
    fresh: StoredFeatures
    ladders: StoredLadders | None
    backbones: dict[str, dict[str, torch.Tensor]]

    def with_part(self, part: int, config: NarrowConfig) -> Stored:
        """Keep Swin and one of the narrow networks that make up ResNet; the others go to zero.

        Args:
            part: Its number.
            config: How wide the narrow networks are.
        """
        widths = [EXPANSION * width for width in config.widths]
        masks = channels_of(part, widths, EXPANSION * config.own_first)

        def keep(features: StoredFeatures) -> StoredFeatures:
            stages = []
            for stage, mask in zip(features.stages, masks, strict=True):
                kept = stage.clone()
                kept[:, : len(mask)][:, ~mask] = 0
                stages.append(kept)
            return replace(features, stages=tuple(stages))

        ladders = self.ladders
        if ladders is not None:
            ladders = replace(ladders, features=keep(ladders.features))
        return replace(self, labelled=keep(self.labelled), fresh=keep(self.fresh), ladders=ladders)


def load_features(config: TrainingConfig, folder: RunFolder) -> Stored:
    """Join what both branches stored.

    Raises:
        FileNotFoundError: A branch has not stored its features yet.
    """
    stored: dict[str, dict[str, Any]] = {}
    for name in BRANCHES:
        state = folder.load(f"{name}-features", mapped=True)
        if state is None:
            raise FileNotFoundError(f"{folder.path} lacks the features of {name}")
        stored[name] = state
    views = labelled_views(config, read_images(config.data, data_root()))
    owners = [views.image(i) for i in range(len(views))]
    fresh = fresh_pictures(config, ())  # the strengths can be told without the content
    done = [fresh.strengths(i) for i in range(len(fresh))]
    backbones = {name: state["backbone"] for name, state in stored.items()}
    labelled = _joined(
        stored,
        "views",
        torch.tensor([level_targets(i.distortion) for i in owners]),
        [COMBINATIONS.index(i.distortion) for i in owners],
        [i.score for i in owners],
        tuple(i.patient for i in owners),
    )
    drawn = _joined(
        stored,
        "fresh",
        torch.tensor([level_targets(d) for d in done]),
        [combination_number(d) for d in done],
        [float("nan")] * len(done),
        (FRESH,) * len(done),
    )
    return Stored(labelled, drawn, _joined_ladders(config, folder, stored), backbones)


def _joined_ladders(
    config: TrainingConfig, folder: RunFolder, stored: dict[str, dict[str, Any]]
) -> StoredLadders | None:
    climbed = stored["resnet"].get("climbed")
    if climbed is None:  # stored before it was noted; the same ladders are drawn again
        climbed = _climbed(read_ladders(config, folder))
    rungs, degradations = climbed["rungs"], tuple(climbed["degradations"])
    if not degradations:
        return None
    count = rungs * len(degradations)
    unknown = [float("nan")] * count
    features = _joined(
        stored,
        "ladders",
        torch.full((count, LEVEL_TARGETS), float("nan")),
        [UNLISTED] * count,
        unknown,
        tuple(patient for patient in climbed["patients"] for _ in range(rungs)),
    )
    return StoredLadders(features, rungs, degradations)


def _climbed(ladders: Sequence[Ladder]) -> dict[str, Any]:
    """Plain values that say whose the ladders are and what was done, in their order."""
    return {
        "rungs": len(ladders[0].pictures) if ladders else 0,
        "patients": [ladder.patient for ladder in ladders],
        "degradations": [_listed(ladder) for ladder in ladders],
    }


def _listed(ladder: Ladder) -> str:
    varied = ladder.patient == SEVERAL and ladder.degradation in {d.name for d in DEGRADATIONS}
    return "" if varied else ladder.degradation


def _joined(
    stored: dict[str, dict[str, Any]],
    part: str,
    levels: torch.Tensor,
    combination: list[int],
    score: list[float],
    owner: tuple[str, ...],
) -> StoredFeatures:
    resnet, swin = (stored[name][part] for name in BRANCHES)
    return StoredFeatures(
        stages=tuple(torch.cat(pair, 1) for pair in zip(resnet, swin, strict=True)),
        last=swin[-1],
        levels=levels.float(),
        combination=torch.tensor(combination),
        score=torch.tensor(score),
        owner=owner,
    )


def run_branch(config: TrainingConfig, name: str, folder: RunFolder) -> None:
    """Pre-train one backbone as a configuration says, and store its features, once."""
    if folder.checkpoint(f"{name}-features").is_file():
        return  # nothing to do, and `config.start` may be another file by now
    cv2.setNumThreads(1)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(config.seed)
    network = config.network
    branch = Branch(
        name, pretrained=config.pretrained, stride=network.swin_stride, size=network.swin_size
    )
    if config.start:
        start = load_model(Path(config.start)).network
        branch.stages.load_state_dict(start.get_submodule(name).state_dict())
    if name == "resnet" and config.narrow.wanted:
        parts = patients(read_images(config.data, data_root()))
        branch.stages.load_state_dict(side_by_side(part_states(config, folder, parts)))
    if name == "swin" and config.swin_groups:
        branch.stages.load_state_dict(swin_state(folder))
    pretrain(
        branch,
        getattr(config, name),
        read_slices(config, folder),
        folder,
        seed=config.seed,
        checkpoint_minutes=config.checkpoint_minutes,
        size=config.input_size,
    )
    store_features(config, name, branch, folder)


def main() -> None:
    """Run one branch from the command line."""
    parser = run_parser(__doc__)
    parser.add_argument("--branch", choices=BRANCHES, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    run_branch(config, arguments.branch, RunFolder(arguments.runs / config.name))


if __name__ == "__main__":
    run_command(main)
