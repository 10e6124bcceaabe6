"""The second half of Table 1: a run's weights on the test part of LDCTIQAC2023."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from MSIQALib.errors import InputError
from MSIQALib.model.checkpoint import save_model
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from MSIQALib.model.weights_info import WeightsInfo
from training.tables.ldct import main, read_test_part
from training.tables.records import read_records
from training.tables.results import render

SCORES = [0.5, 1.2, 2.4, 3.6]
SIDE = 64


def write_distributed(folder: Path) -> Path:
    """The test part as distributed, in two folders, and one slice to train on."""
    test, train = folder / "LDCTIQAC2023_test", folder / "LDCTIQAG2023_train"
    listed: dict[str, dict[str, list]] = {}
    rng = np.random.default_rng(3)
    for number, score in enumerate(SCORES):
        group = f"test_{number % 2}"
        listed.setdefault(f"{group}.mha", {"fnames": [], "scores": []})
        listed[f"{group}.mha"]["fnames"].append(f"L{number}")
        listed[f"{group}.mha"]["scores"].append(score)
        write_slice(test / group / f"L{number}.tif", rng)
    (test / "test-ground-truth.json").write_text(json.dumps(listed))
    write_slice(train / "image" / "0000.tif", rng)
    (train / "train.json").write_text(json.dumps({"0000.tif": 2.0}))
    return folder


def write_slice(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.uniform(0, 1, (SIDE, SIDE)).astype(np.float32)).save(path)


def write_run(folder: Path, **provenance: object) -> Path:
    """A run's folder with random weights of the smallest network."""
    folder.mkdir()
    config = ModelConfig(pretrained=False, swin=False, fusion=False, stages=1)
    torch.manual_seed(0)
    info = WeightsInfo(config=config, provenance=provenance)
    save_model(folder / "msiqa.safetensors", MSIQA(config), info)
    (folder / "config.yaml").write_text(
        "name: ldctiqac2023\nseed: 6\ndata: {labelled: ldctiqac2023, held_out: [test]}\n"
    )
    (folder / "environment.json").write_text(json.dumps([{"commit": "0123456789", "dirty": False}]))
    return folder


def test_a_run_fills_the_row_beside_the_paper_s_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", held_out=["test"])
    data, records = write_distributed(tmp_path / "set"), tmp_path / "records"
    arguments = ["--run", str(run), "--data", str(data), "--draws", "5"]
    main([*arguments, "--records", str(records)])
    (record,) = read_records(records)
    assert record.file_name == "table1-ms-iqa-ldct.json"
    assert record.results["pooled"]["n"] == 4
    assert record.results["intervals"]["image"]["srocc"]["units"] == 4
    assert record.data is not None
    assert record.data.images == 4
    assert record.data.digest
    assert record.seed == 6
    assert record.origin is not None
    assert record.origin.commits == ("012345678",)
    text = render([record])
    row = next(line for line in text.splitlines() if "0.9542 / 0.9543" in line)
    assert f"| {record.results['pooled']['srocc']:.3f} [" in row
    assert row.endswith("| [1] |")
    assert "1. `python -m training.tables.ldct --run" in text
    assert "405 pictures" not in text


def test_without_the_set_the_row_says_what_it_needs() -> None:
    row = next(line for line in render([]).splitlines() if "0.9542 / 0.9543" in line)
    assert "needs LDCTIQAC2023 (Zenodo 7833096) and a GPU: `python -m training.train" in row
    assert "`python -m training.tables.ldct --run runs/ldctiqac2023`" in row
    with pytest.raises(InputError, match="no list of LDCTIQAC2023"):
        main(["--run", "no-run", "--data", str(Path(__file__).parent)])


def test_weights_that_may_know_the_scores_are_refused(tmp_path: Path) -> None:
    data = write_distributed(tmp_path / "set")
    for number, told in enumerate(({}, {"held_out": []})):
        run = write_run(tmp_path / f"run{number}", **told)
        with pytest.raises(InputError, match="does not say that the test part"):
            main(["--run", str(run), "--data", str(data)])
    with pytest.raises(InputError, match="the run has no weights yet"):
        main(["--run", str(tmp_path / "none"), "--data", str(data)])


def test_a_set_without_its_test_part_is_refused(tmp_path: Path) -> None:
    data = write_distributed(tmp_path / "set")
    (data / "LDCTIQAC2023_test" / "test-ground-truth.json").unlink()
    with pytest.raises(InputError, match="it has no test part"):
        read_test_part(data)
