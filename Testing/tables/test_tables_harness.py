"""Table 1's harness: the same folds for all, and a row for what cannot run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from labelled_set import write_set
from torch import Tensor, nn

from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.model.shipped import SHIPPED
from MSIQALib.model.weights_info import read_info
from training.datasets.labelled import Fold, read_labelled
from training.tables import methods
from training.tables.handcrafted import read_support_vectors
from training.tables.measuring import measure
from training.tables.methods import CannotRun, Setting
from training.tables.networks import TrainedNetwork
from training.tables.records import read_records
from training.tables.registry import Competitor, read_registry
from training.tables.splits import LEAVE_ONE_OUT, PUBLISHED, read_split
from training.tables.table1 import Plan, chosen, main, run_row, score


class Brightness(nn.Module):
    """Stands for a library's network: reads 0..1 and gives (N, 1)."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        nn.init.constant_(self.line.weight, slope)

    def forward(self, image: Tensor) -> Tensor:
        return self.line(image.mean((1, 2, 3))[:, None])


class Seen:
    """Notes which pictures it may learn from."""

    def __init__(self) -> None:
        self.folds: list[Fold] = []

    def predict(self, fold: Fold) -> dict[str, float]:
        self.folds.append(fold)
        return {i.path.name: i.score for i in fold.held_out}


def a_plan(tmp_path: Path, **changes: Any) -> Plan:
    split = read_split(write_set(tmp_path / "set"))
    return replace(Plan(split, tmp_path / "runs", "python -m x", draws=20, commit="now"), **changes)


def a_row(**changes: Any) -> Competitor:
    return replace(Competitor("row", "Row", "none", options={"reason": "no library"}), **changes)


def test_each_patient_is_left_out_once(tmp_path: Path) -> None:
    split = read_split(write_set(tmp_path))
    assert split.name == LEAVE_ONE_OUT
    assert [fold.patient for fold in split.folds] == ["A", "B", "C"]
    held_out = [image for fold in split.folds for image in fold.held_out]
    assert sorted(i.path.name for i in held_out) == sorted(i.path.name for i in split.images)
    for fold in split.folds:
        assert {i.patient for i in fold.held_out} == {fold.patient}
        assert fold.patient not in {i.patient for i in fold.training}


def test_the_lists_own_split_is_taken_where_it_has_one(tmp_path: Path) -> None:
    split = read_split(write_set(tmp_path, "ABCD", split="rrer"))
    assert split.name == PUBLISHED
    (fold,) = split.folds
    assert {i.patient for i in fold.held_out} == {"C"} == {i.patient for i in split.images}
    assert {i.patient for i in fold.training} == {"A", "B", "D"}


def test_a_patient_on_both_sides_is_refused(tmp_path: Path) -> None:
    folder = write_set(tmp_path, split="rre")
    listing = folder / "labels.csv"
    listing.write_text(listing.read_text().replace("test\n", "train\n", 1))
    with pytest.raises(InputError, match="1 patients on both sides"):
        read_split(folder)
    listing.write_text(listing.read_text().replace("test\n", "validation\n", 1))
    with pytest.raises(InputError, match="validation"):
        read_split(folder)


def test_a_method_never_sees_the_patient_that_it_is_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Seen()
    monkeypatch.setitem(methods.METHODS, "seen", lambda _: method)  # type: ignore[arg-type]
    record = run_row(a_row(method="seen"), a_plan(tmp_path))
    assert [fold.patient for fold in method.folds] == ["A", "B", "C"]
    assert record.results["pooled"]["srocc"] == 1
    assert record.results["folds"]["B"]["n"] == 6
    assert record.results["intervals"]["patient"]["srocc"]["units"] == 3


def test_kept_scores_are_taken_only_for_the_same_data_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Seen()
    monkeypatch.setitem(methods.METHODS, "seen", lambda _: method)  # type: ignore[arg-type]
    plan, row = a_plan(tmp_path), a_row(method="seen")
    first = score(row, plan)
    assert score(row, replace(plan, commit="later")) == first
    assert first.commit == "now"
    assert len(method.folds) == 3
    score(row, replace(plan, seed=2))
    assert len(method.folds) == 6
    score(row, replace(plan, again=True))
    assert len(method.folds) == 9


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (a_row(), "no library"),
        (a_row(download="a gigabyte"), "needs a download: a gigabyte"),
        (
            a_row(
                method="network",
                options={"factory": {"module": "no_such_library.nets", "name": "Net"}},
            ),
            "no_such_library",
        ),
    ],
)
def test_a_row_that_cannot_run_keeps_its_place_with_the_reason(
    tmp_path: Path, row: Competitor, reason: str
) -> None:
    record = run_row(row, a_plan(tmp_path))
    assert not record.measured
    assert reason in record.reason
    assert record.row == "row"
    assert record.results == {}


def test_weights_that_cannot_be_fetched_are_a_reason(tmp_path: Path) -> None:
    options = {
        "row": "x",
        "imagenet": True,
        "factory": {"module": "builtins", "name": "open", "arguments": {"file": "no/such"}},
    }
    network = TrainedNetwork(Setting(tmp_path, True, 1, options))
    with pytest.raises(CannotRun, match="could not be made"):
        network.build(2.0)


def test_a_network_learns_its_fold_in_likert_units(tmp_path: Path) -> None:
    whole = {"steps": 30, "learning_rate": 0.6, "optimiser": "adam", "schedule": "one-cycle"}
    options = {
        "factory": {"module": __name__, "name": "Brightness", "arguments": {"slope": 0.1}},
        "imagenet": False,
        "whole": {**whole, "batch": 8},
    }
    record = run_row(a_row(method="network", options=options), a_plan(tmp_path))
    pooled = record.results["pooled"]
    assert pooled["srocc"] > 0.95
    assert pooled["rmse"] < 0.5


def test_networks_without_imagenet_weights_do_not_ask_for_them() -> None:
    options = {
        "row": "x",
        "imagenet": False,
        "factory": {
            "module": "timm",
            "name": "create_model",
            "arguments": {"model_name": "resnet10t", "num_classes": 1},
        },
    }
    network = TrainedNetwork(Setting(Path("unused"), False, 1, options)).build(2.5)
    with torch.inference_mode():
        scores = network.eval()(torch.zeros(2, 3, 64, 64)).score
    assert scores.shape == (2,)
    assert abs(float(scores[0]) - 2.5) < 1.5


def test_this_projects_row_falls_back_on_the_weights_own_figures(tmp_path: Path) -> None:
    row = next(r for r in read_registry().petct if r.name == "ms-iqa")
    record = run_row(row, a_plan(tmp_path))
    told = read_info(SHIPPED).provenance["cross_validation"]["pooled"]
    assert record.measured
    assert record.results["pooled"]["srocc"] == pytest.approx(told["srocc"], abs=1e-4)
    assert "not measured again" in record.note


def test_the_command_records_every_row_that_it_is_asked_for(tmp_path: Path) -> None:
    folder, records = write_set(tmp_path / "set"), tmp_path / "records"
    arguments = ["--data", str(folder), "--runs", str(tmp_path / "runs"), "--draws", "10"]
    names = ["combination-mean", "diivine", "qcn", "hyperiqa"]
    main([*arguments, "--records", str(records), "--only", *names])
    found = {record.row: record for record in read_records(records)}
    assert set(found) == set(names)
    assert found["combination-mean"].measured
    assert "MATLAB" in found["diivine"].reason
    assert "ResNet-50" in found["hyperiqa"].reason
    assert "--only combination-mean" in found["qcn"].command
    assert found["qcn"].data is not None
    assert found["qcn"].data.images == 18


def test_a_trial_does_not_overwrite_the_records(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(write_set(tmp_path)), "--images", "2"])


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(MSIQAError, match=r"no row nique.*niqe"):
        chosen(["nique"])


def test_the_paper_s_figures_are_the_paper_s(data_root: Path) -> None:
    paper = data_root.parent / "paper" / "ms-iqa-paper.txt"
    if not paper.is_file():
        pytest.skip(f"{paper} is not there")
    table = paper.read_text(encoding="utf-8").partition("Table 1:")[2].partition("Subsequently")[0]
    printed = re.findall(r"(-?0\.\d{4})\t(-?0\.\d{4})$", table, re.MULTILINE)
    registry = read_registry()
    rows = [row for half in (registry.petct, registry.ldct) for row in half if row.paper]
    ours = [(f"{row.paper.srocc:.4f}", f"{row.paper.plcc:.4f}") for row in rows if row.paper]
    assert ours == printed


def test_knowing_the_distortion_gives_the_published_yardstick(data_root: Path) -> None:
    split = read_split(data_root / "pet-ct-iqa-ds")
    method = methods.CombinationMean()
    scores: dict[str, float] = {}
    for fold in split.folds:
        scores |= method.predict(fold)
    found = measure(split, scores, draws=0)
    # reference/dataset_recipe.md, "What a good figure is"
    assert found["pooled"]["srocc"] == pytest.approx(0.929, abs=5e-4)
    assert found["pooled"]["plcc"] == pytest.approx(0.964, abs=5e-4)
    told = {"A": (0.941, 0.972), "B": (0.926, 0.954), "C": (0.949, 0.976)}
    for patient, (srocc, plcc) in told.items():
        assert found["folds"][patient]["srocc"] == pytest.approx(srocc, abs=5e-4)
        assert found["folds"][patient]["plcc"] == pytest.approx(plcc, abs=5e-4)


def test_a_trial_takes_the_same_combinations_of_each_patient(data_root: Path) -> None:
    split = read_split(data_root / "pet-ct-iqa-ds", at_most=5)
    own = {p: [i.distortion for i in split.images if i.patient == p] for p in "ABC"}
    assert own["A"] == own["B"] == own["C"]
    assert len(own["A"]) == 5
    assert own["A"][0].quality == 100
    assert len(read_labelled(data_root / "pet-ct-iqa-ds")) > 15


def test_support_vectors_of_libsvm_are_read() -> None:
    text = "svm_type epsilon_svr\ngamma 0.05\nnr_class 2\nrho -2.5\nSV\n-3 1:0.5 36:-1 \n2.5 2:1\n"
    machine = read_support_vectors(text)
    assert (machine.gamma, machine.rho) == (0.05, -2.5)
    assert machine.coefficients.tolist() == [-3, 2.5]
    assert machine.vectors.shape == (2, 36)
    assert machine.vectors[0, [0, 1, 35]].tolist() == [0.5, 0, -1]
    assert machine.vectors[1, 1] == 1


def test_niqe_and_brisque_tell_noise_from_none(data_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyiqa")
    split = read_split(data_root / "pet-ct-iqa-ds", at_most=2)
    for name in ("niqe", "brisque"):
        method = methods.METHODS[name](Setting(tmp_path, False, 1, {}))
        found = method.predict(split.folds[0])
        assert len(found) == 2
        assert all(np.isfinite(v) for v in found.values())
        assert len(set(found.values())) == 2


def test_scores_are_kept_as_plain_json(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    scores = score(a_row(method="combination-mean", options={}), plan)
    kept = json.loads((tmp_path / "runs" / "table1" / "row.json").read_text())
    assert kept["scores"] == scores.by_file
    assert kept["key"]["data"] == plan.split.data.digest
