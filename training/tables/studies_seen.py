"""Whether training saw the studies whose courses are measured: a reader would think not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.config import read_config
from training.data_names import VOLUMES

STUDIES = VOLUMES["sts-nifti"]
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
NOT_SAID = "Whether training saw these studies is not in the weights' file."
AS_CONTENT = (
    "Training did see these studies: single slices of all of them are content of its freshly "
    "distorted pictures."
)


def by_parts(held_out: int) -> str:
    """What training in parts saw of the studies.

    Args:
        held_out: The last so many studies, by name, of which it drew no ladders.
    """
    return (
        "Training did see these studies: single slices of all of them are content of the pictures "
        "that taught backbones, fusion and regressor, with the data set's distortions, and the "
        "parts of ResNet-50 saw such slices made worse in physical terms, too. Only the ladders of "
        "whole studies, by which fusion and regressor learn to order what gets worse, leave out "
        f"the last {held_out} by name."
    )


def seen_in_training(provenance: Mapping[str, Any]) -> str:
    """What weights have seen of the studies, in a sentence or two.

    Args:
        provenance: Of the weights' file.
    """
    if STUDIES not in str(provenance.get("data")):
        return NOT_SAID
    path = CONFIGS / f"{provenance.get('config')}.yaml"
    if not path.is_file():
        return AS_CONTENT
    config = read_config(path)
    fusion = config.fusion
    drawn = fusion.ladders or fusion.more_ladders or fusion.study_picture_ladders
    ladders = config.narrow.wanted and drawn
    return by_parts(fusion.ladder_held_out) if ladders else AS_CONTENT
