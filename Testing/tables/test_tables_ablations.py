"""Table 2: each row is the network that its name says, and the command runs it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from labelled_set import write_set
from torch import nn

from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.model.config import ModelConfig
from MSIQALib.model.network import MSIQA
from training import score_fit
from training.config import TrainingConfig, WholeConfig
from training.tables import table2
from training.tables.records import Record, read_records
from training.tables.splits import read_split
from training.tables.table2 import FULL, Ablation, main, read_ablations, run_row

ROWS = {row.name: row for row in read_ablations()}


def network(name: str) -> MSIQA:
    config = ModelConfig.from_dict({"pretrained": False, **ROWS[name].model})
    with torch.device("meta"):
        return MSIQA(config)


def test_the_full_row_is_the_paper_s_network() -> None:
    assert ModelConfig.from_dict(ROWS[FULL].model) == ModelConfig()


def test_rows_differ_in_what_their_names_say() -> None:
    differences = {
        name: {
            key: value
            for key, value in ModelConfig.from_dict(row.model).to_dict().items()
            if value != ModelConfig().to_dict()[key]
        }
        for name, row in ROWS.items()
    }
    assert differences == {
        "modules-1-full": {},
        "modules-2-without-srm": {"regressor": False},
        "modules-3-without-msffm": {"fusion": False},
        "modules-4-without-stm": {"swin": False},
        "modules-5-without-rm": {"resnet": False},
        "stages-1": {"stages": 1},
        "stages-2": {"stages": 2},
        "stages-3": {"stages": 3},
    }


def test_networks_lack_what_is_ablated() -> None:
    assert network("modules-4-without-stm").swin is None
    assert network("modules-5-without-rm").resnet is None
    assert not hasattr(network("modules-2-without-srm").regressor, "weight_branch")
    count = {name: sum(p.numel() for p in network(name).parameters()) for name in ROWS}
    stages = [count[f"stages-{number}"] for number in (1, 2, 3)] + [count[FULL]]
    assert stages == sorted(stages)
    assert count["modules-3-without-msffm"] < count[FULL]


def test_the_paper_s_ablations_are_the_paper_s(data_root: Path) -> None:
    paper = data_root.parent / "paper" / "ms-iqa-paper.txt"
    if not paper.is_file():
        pytest.skip(f"{paper} is not there")
    table = paper.read_text(encoding="utf-8").partition("Table 2:")[2].partition("3.2 ")[0]
    printed = set(re.findall(r"(0\.\d{4})\t(0\.\d{4})$", table, re.MULTILINE))
    ours = {(f"{r.paper.srocc:.4f}", f"{r.paper.plcc:.4f}") for r in ROWS.values()}
    assert ours == printed


@pytest.mark.parametrize("only", [["stages-1"], pytest.param([], marks=pytest.mark.slow)])
def test_the_command_trains_and_records_rows(tmp_path: Path, only: list[str]) -> None:
    folder = write_set(tmp_path / "set", "AB", pictures=3)
    main(
        ["--data", str(folder), "--runs", str(tmp_path / "runs"), "--random", "--steps", "1"]
        + ["--images", "3", "--draws", "5", "--records", str(tmp_path / "records")]
        + (["--only", *only] if only else [])
    )
    records = {record.row: record for record in read_records(tmp_path / "records")}
    assert set(records) == set(only or ROWS)
    for record in records.values():
        assert record.measured
        assert record.results["pooled"]["n"] == 6
        assert set(record.results["folds"]) == {"A", "B"}
        assert "1 steps of 3 for a fold" in record.note
        assert "random weights" in record.note


def test_a_trial_does_not_overwrite_the_records(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(write_set(tmp_path)), "--steps", "1"])


def test_an_unknown_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(MSIQAError, match="no row stages-9"):
        main(["--data", str(write_set(tmp_path)), "--only", "stages-9"])


def test_a_file_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(
        "title: x\npaper: {srocc: 0.1, plcc: 0.2}\nmodel: {stage: 1}\n"
    )
    with pytest.raises(InputError, match=r"wrong\.yaml"):
        read_ablations(tmp_path)


def test_a_row_keeps_its_place_where_imagenet_weights_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> MSIQA:
        raise OSError("no network")

    monkeypatch.setattr(score_fit, "MSIQA", no_network)
    split = read_split(write_set(tmp_path / "set"))
    config = replace(TrainingConfig(), pretrained=True)
    record = run_row(ROWS[FULL], split, config, tmp_path, command="python -m x")
    assert not record.measured
    assert "timm cannot fetch" in record.reason


def test_a_trial_leaves_the_full_command_s_folders_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Path, bool]] = []

    def remember(ablation, split, config, runs, *, again, **_):
        seen.append((runs, again))
        return Record("table2", ablation.name, "x", reason="not run")

    monkeypatch.setattr(table2, "run_row", remember)
    folder, runs = write_set(tmp_path / "set"), tmp_path / "runs"
    usual = ["--data", str(folder), "--runs", str(runs), "--only", FULL]
    usual += ["--records", str(tmp_path / "records")]
    for more in (["--steps", "2"], ["--images", "4"], [], ["--again"]):
        main([*usual, *more])
    trial = runs / "trial"
    assert seen == [(trial, True), (trial, True), (runs, False), (runs, True)]


def test_a_fold_of_another_configuration_is_the_row_s_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Linear(1, 1)

        def forward(self, image: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(score=self.score(image.mean((1, 2, 3))[:, None])[:, 0])

    monkeypatch.setattr(Ablation, "network", lambda *_: Flat())
    split = read_split(write_set(tmp_path / "set"))
    whole = WholeConfig(steps=1, batch=3, fresh=0.0, views=False)
    config = TrainingConfig(whole=whole)
    other = replace(config, whole=replace(whole, batch=2))
    runs = tmp_path / "runs"

    def record(config: TrainingConfig, *, again: bool = False) -> Record:
        return run_row(ROWS[FULL], split, config, runs, command="x", draws=2, again=again)

    assert record(config).measured
    refused = record(other)
    assert "begun with another configuration (whole.batch: 3 then, 2 now)" in refused.reason
    assert not refused.reason.endswith(".")
    assert record(other, again=True).measured
