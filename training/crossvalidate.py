"""Leaves out one patient after the other and measures on that patient.

    python -m training.crossvalidate --config training/configs/scratch_cpu.yaml

With stored features (`fusion.pictures` in the configuration) the folds share what has seen neither
a picture nor a score of any labelled patient: backbones, or of narrow networks the trunk. Of the
narrow networks' parts each fold uses the one that left its patient out, with a fusion of its own.
Each fold fits its own regressor, and the mean scores of the 27 combinations come from its training
patients alone.
Otherwise, or where the whole network is trained, each fold trains it in a folder of its own.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from MSIQALib.model.checkpoint import load_model
from training.begin import begin_run
from training.branch_features import load_features
from training.command import run_command, run_parser
from training.config import TrainingConfig, read_config
from training.datasets.completeness import require_combinations
from training.datasets.labelled import data_root, leave_out, patients
from training.datasets.sources import read_images
from training.evaluation import score_images
from training.global_batch import process_number
from training.run_folder import RunFolder
from training.score_fit import fit_without, table
from training.train import run_branches, train

logger = logging.getLogger(__name__)

REPORT = "crossvalidation"


def crossvalidate_stored(config: TrainingConfig, folder: RunFolder) -> dict[str, dict[str, float]]:
    """Fit a regressor for each fold on stored features, and measure it on the one left out."""
    images = read_images(config.data, data_root())
    stored = load_features(config, folder)
    folds = [leave_out(images, patient) for patient in patients(images)]
    return table(
        {f.patient: fit_without(config, stored, folder, f).predict(f.patient) for f in folds}
    )


def crossvalidate_whole(
    config: TrainingConfig, config_path: Path, runs: Path
) -> dict[str, dict[str, float]]:
    """Train the whole network for each fold, and measure it on the patient left out."""
    images = read_images(config.data, data_root())
    results: dict[str, tuple[Tensor, Tensor]] = {}
    for patient in patients(images):
        own = replace(
            config,
            name=f"{config.name}-without-{patient}",
            data=replace(config.data, held_out=(patient,)),
        )
        model = load_model(train(own, config_path, runs))
        held_out = leave_out(images, patient).held_out
        given = torch.tensor([i.score for i in held_out])
        info = model.info
        scores = score_images(model.network, held_out, info.scale, size=info.preprocessing.size)
        results[patient] = scores, given
    return table(results)


def main() -> None:
    """Cross-validate from the command line."""
    arguments = run_parser(__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_config(arguments.config)
    path = arguments.runs / config.name
    if config.fusion.pictures and not config.whole.wanted:
        # Features of another configuration or of other data must not meet these labels.
        begun = begin_run(config, arguments.runs)
        for patient in patients(begun.images):
            require_combinations(leave_out(begun.images, patient).training)
        run_branches(arguments.config, arguments.runs)
        rows = crossvalidate_stored(begun.config, begun.folder)
    else:
        rows = crossvalidate_whole(config, arguments.config, arguments.runs)
    RunFolder(path, writes=process_number() == 0).save_metrics(REPORT, rows)
    for name, row in rows.items():
        logger.info("%s: %s", name, {k: round(v, 4) for k, v in row.items()})


if __name__ == "__main__":
    run_command(main)
