"""Trains MS-IQA as a configuration says, from the last checkpoint where there is one.

    python -m training.train --config training/configs/scratch_cpu.yaml

On several GPUs or machines, where the whole network is trained:

    accelerate launch --multi_gpu -m training.train --config training/configs/paper.yaml

The run's folder, `runs/<name>`, holds the configuration with the patients left out, what it ran on
(`environment.json`), a log for each part (CSV and TensorBoard), the checkpoints, `metrics.json` and
the weights: `msiqa.safetensors` as the last step left them and, where patients were left out,
`msiqa-best.safetensors` as they agreed best with these.
"""

from __future__ import annotations

import copy
import logging
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch

from MSIQALib.errors import MSIQAError
from MSIQALib.model.checkpoint import save_model
from MSIQALib.model.inference import made_faster
from MSIQALib.model.network import MSIQA
from MSIQALib.model.preprocessing import Preprocessing
from MSIQALib.model.weights_info import WeightsInfo
from training.begin import begin_run
from training.branch_features import load_features
from training.command import run_command, run_parser
from training.config import TrainingConfig, read_config
from training.content import read_slices
from training.data_names import name_data
from training.datasets.labelled import LabelledImage, data_root, patients
from training.datasets.sources import read_images
from training.evaluation import SCALES, Evaluation, score_images
from training.global_batch import process_count
from training.narrow_training import TRUNK
from training.pretrain import BRANCHES
from training.run_folder import RunFolder
from training.run_sources import START, all_is_stored
from training.score_fit import fit_all, fresh_network, quality_loss, table
from training.scored_pictures import InputPictures, ScoredPictures
from training.whole import BEST, make_accelerator, train_whole

logger = logging.getLogger(__name__)

USUAL_ENVIRONMENT = {
    # Each process sets its own number of threads; torchrun would warn of a missing one at length.
    "OMP_NUM_THREADS": "1",
    # Large tensors come and go at every step. glibc would return their pages to the system each
    # time and fetch them anew, which is a sixth of a step.
    "MALLOC_MMAP_THRESHOLD_": str(2**33),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}
WEIGHTS = "msiqa.safetensors"
BEST_WEIGHTS = "msiqa-best.safetensors"


def run_branches(config_path: Path, runs: Path) -> None:
    """Teach the narrow networks, then both backbones side by side, and store features, once.

    Processes with one core each are faster than one with all of them, since nothing has to wait
    for the slower core.

    Raises:
        MSIQAError: A process failed.
    """
    config = read_config(config_path)
    folder, images = RunFolder(runs / config.name), read_images(config.data, data_root())
    if all_is_stored(folder, config, images):
        return
    options = ["--config", str(config_path), "--runs", str(runs)]
    if config.data.cache:
        logger.info("reading the clean volumes into the cache")
        read_slices(config, folder)
    count = str(config.narrow.trunk_processes)
    together = ["torch.distributed.run", "--standalone", "--nproc_per_node", count, "-m"]
    narrow = ["training.narrow_training", *options, "--part"]
    if config.narrow.trunk:
        _run([*together, *narrow, TRUNK])
    if config.narrow.learnt:
        _run(*([*narrow, part] for part in patients(images)))
    if config.swin_groups:
        _run([*together, "training.swin_training", *options])
    _run(*(["training.branch_features", *options, "--branch", name] for name in BRANCHES))


def _run(*modules: list[str]) -> None:
    """Run Python modules with their arguments side by side, and wait for them.

    Raises:
        MSIQAError: One failed; it has said why.
    """
    own = USUAL_ENVIRONMENT | os.environ
    processes = [subprocess.Popen([sys.executable, "-m", *m], env=own) for m in modules]
    codes = [process.wait() for process in processes]
    failed = [" ".join(m[-2:]) for m, code in zip(modules, codes, strict=True) if code != 0]
    if failed:
        raise MSIQAError(f"Training failed ({', '.join(failed)}); its messages are above")


def train(config: TrainingConfig, config_path: Path, runs: Path) -> Path:
    """Run every part that the configuration names.

    Args:
        config: What to do.
        config_path: Its file, for the processes of the backbones.
        runs: Folder of run folders.

    Returns:
        The weights file.

    Raises:
        InputError: See `begin_run`, or the device cannot do the mixed precision.
        MSIQAError: The process of a part failed.
    """
    start = time.monotonic()
    accelerator = make_accelerator(config)
    begun = begin_run(config, runs, writes=accelerator.is_main_process)
    config, folder, images = begun.config, begun.folder, begun.images
    cv2.setNumThreads(1)
    torch.set_num_threads(max(1, len(BRANCHES) * config.threads // process_count()))
    torch.set_flush_denormal(True)
    origin = folder.record_start(
        {"processes": process_count(), "device": accelerator.device.type, "seed": config.seed}
    )
    chosen, left_out = begun.chosen, begun.left_out
    if config.fusion.pictures:
        run_branches(config_path, runs)
        stored = load_features(config, folder)
        network = fit_all(config, stored, folder, chosen)
    else:
        network = fresh_network(config)
    scale = SCALES[config.whole.target]
    if config.whole.wanted:
        slices = read_slices(config, folder) if config.whole.fresh else ()
        pictures = ScoredPictures(
            chosen, slices, config.whole, seed=config.seed, size=config.input_size
        )
        watched = InputPictures(left_out, config.input_size)
        evaluation = Evaluation(watched, scale) if left_out else None
        train_whole(
            network,
            pictures,
            config,
            quality_loss(config),
            folder,
            evaluate=evaluation,
            accelerator=accelerator,
        )
    if accelerator.is_main_process:
        minutes = round((time.monotonic() - start) / 60, 1)
        conclude(network.eval(), config, folder, images, origin | {"minutes": minutes})
    accelerator.wait_for_everyone()
    return folder.path / WEIGHTS


def conclude(
    network: MSIQA,
    config: TrainingConfig,
    folder: RunFolder,
    images: tuple[LabelledImage, ...],
    origin: dict[str, Any],
) -> None:
    """Measure and write the last weights and, where the run was watched, the best ones.

    Args:
        network: As the run leaves it, in evaluation mode.
        config: The run's.
        folder: Where to.
        images: All labelled images.
        origin: Commit, versions and so on, for the weights' provenance.
    """
    metrics = measure(network, images, config)
    if START in folder.sources():
        origin = origin | {"start_sha256": folder.sources()[START]}
    export(folder.path / WEIGHTS, network, config, metrics, origin)
    best = folder.load(BEST)
    if best is not None:
        network.load_state_dict(best["network"])
        # Chosen by the very patients that it is measured on, so it flatters a little.
        agreed = {"step": best["step"], **measure(network, images, config)}
        export(folder.path / BEST_WEIGHTS, network, config, agreed, origin)
        metrics = metrics | {"best": agreed}
    folder.save_metrics("metrics", metrics)


def measure(
    network: MSIQA, images: tuple[LabelledImage, ...], config: TrainingConfig
) -> dict[str, Any]:
    """Agreement on the patients that were left out and, as a check only, on those trained on."""
    metrics: dict[str, Any] = {}
    scale = SCALES[config.whole.target]
    on_cpu = next(network.parameters()).device.type == "cpu"
    quick = made_faster(copy.deepcopy(network), in_groups=on_cpu)
    for name, left_out in (("held_out", True), ("trained_on", False)):
        part = [i for i in images if (i.patient in config.data.held_out) == left_out]
        results = {}
        for patient in sorted({i.patient for i in part}):
            own = [i for i in part if i.patient == patient]
            predicted = score_images(quick, own, scale, size=config.input_size)
            results[patient] = predicted, torch.tensor([i.score for i in own])
        if results:
            metrics[name] = table(results)
    return metrics


def export(
    path: Path,
    network: MSIQA,
    config: TrainingConfig,
    metrics: dict[str, Any],
    origin: dict[str, Any],
) -> None:
    """Write the weights as float32 in this project's format."""
    provenance = {
        "data": name_data(config),
        "held_out": list(config.data.held_out),
        "config": config.name,
        "start": config.start,
        **origin,
        "metrics": metrics,
    }
    info = WeightsInfo(
        config=replace(network.config, pretrained=False),
        preprocessing=Preprocessing(size=config.input_size),
        scale=SCALES[config.whole.target],
        provenance=provenance,
    )
    save_model(path, network, info)


def main() -> None:
    """Train from the command line."""
    arguments = run_parser(__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    weights = train(read_config(arguments.config), arguments.config, arguments.runs)
    logger.info("weights: %s", weights)


if __name__ == "__main__":
    run_command(main)
