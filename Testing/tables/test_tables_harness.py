"""Table 1's harness: the same folds for all, and a row for what cannot run."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from labelled_set import write_set
from torch import Tensor, nn

from MSIQALib.errors import InputError, MSIQAError
from MSIQALib.model.shipped import SHIPPED
from MSIQALib.model.weights_info import read_info
from training.config import read_config
from training.datasets.labelled import Fold, read_labelled
from training.evaluation import SCALES
from training.tables import methods
from training.tables.handcrafted import read_support_vectors
from training.tables.measuring import measure
from training.tables.methods import CannotRun, Setting
from training.tables.networks import PAPER, TrainedNetwork
from training.tables.own import FoldsOfRun
from training.tables.quoted import figures_of_weights
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


@pytest.mark.parametrize("first", ["file", "split"])
def test_a_list_that_excel_saved_has_the_same_split(tmp_path: Path, first: str) -> None:
    """Excel puts a byte-order mark before the first column's name."""
    folder = write_set(tmp_path, "ABCD", split="rrer")
    listing = folder / "labels.csv"
    with listing.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = sorted(rows[0], key=lambda name: name != first)
    with listing.open("w", newline="", encoding="utf-8-sig") as lines:
        writer = csv.DictWriter(lines, columns)
        writer.writeheader()
        writer.writerows(rows)
    split = read_split(folder)
    assert split.name == PUBLISHED
    assert {i.patient for i in split.images} == {"C"}


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
        "whole": {**whole, "batch": 8, "target": "likert", "workers": 0},
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


OWN_ROW = next(row for row in read_registry().petct if row.name == "ms-iqa")


def test_this_projects_row_does_not_quote_figures_of_other_pictures(tmp_path: Path) -> None:
    record = run_row(OWN_ROW, a_plan(tmp_path))
    assert not record.measured
    config = OWN_ROW.options["config"]
    assert f"run python -m training.train --config {config}" in record.reason
    assert "hold for PET-CT-IQA-DS as published alone" in record.reason
    assert "A (135 pictures), B (135 pictures), C (135 pictures)" in record.reason


def test_this_projects_row_falls_back_on_the_weights_own_figures(
    data_root: Path, tmp_path: Path
) -> None:
    split = read_split(data_root / "pet-ct-iqa-ds")
    record = run_row(OWN_ROW, replace(a_plan(tmp_path), split=split))
    told = read_info(SHIPPED).provenance["cross_validation"]["pooled"]
    assert record.measured
    assert record.quoted
    assert record.results["pooled"]["srocc"] == pytest.approx(told["srocc"], abs=1e-4)
    assert "not measured again" in record.note
    other = replace(split, data=replace(split.data, digest="0123456789ab"))
    run = read_info(SHIPPED).provenance["config"]
    with pytest.raises(CannotRun, match="as published alone"):
        figures_of_weights(other, run)
    with pytest.raises(CannotRun, match="as published alone"):
        figures_of_weights(replace(split, name=PUBLISHED), run)


def test_the_weights_figures_do_not_stand_for_another_run(data_root: Path, tmp_path: Path) -> None:
    plan = replace(a_plan(tmp_path), split=read_split(data_root / "pet-ct-iqa-ds"))
    options = {"config": "training/configs/resolution_cpu.yaml"}
    record = run_row(replace(OWN_ROW, options=options), plan)
    assert not record.measured
    assert f"figures are of {read_info(SHIPPED).provenance['config']}, not of" in record.reason


def a_run_of(images: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The row's method with stored features of these pictures, two views of each."""
    labelled = SimpleNamespace(
        owner=tuple(i.patient for i in images for _ in range(2)),
        score=torch.tensor([i.score for i in images for _ in range(2)]),
    )
    config = SimpleNamespace(
        fusion=SimpleNamespace(labelled_views=2),
        data=SimpleNamespace(labelled="run-set"),
        input_size=224,
    )
    method = FoldsOfRun.__new__(FoldsOfRun)
    method._config, method._folder = config, SimpleNamespace(path=tmp_path)
    method._stored, method._views = SimpleNamespace(labelled=labelled), ""
    fits = SimpleNamespace(predict=lambda p: ([i.score for i in images if i.patient == p], None))
    monkeypatch.setattr("training.tables.own.fit_without", lambda *_: fits)
    return method


def test_a_run_s_features_stand_for_its_own_pictures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = read_split(write_set(tmp_path / "set"))
    method = a_run_of(split.images, monkeypatch, tmp_path)
    assert set(method.predict(split.folds[1])) == {f"B{n}.png" for n in range(6)}
    fewer = read_split(tmp_path / "set", at_most=3)
    with pytest.raises(CannotRun, match=r"features of the 18 pictures of run-set.*these 9"):
        method.predict(fewer.folds[0])
    others = tuple(replace(i, score=4 - i.score) for i in split.images)
    with pytest.raises(CannotRun, match="are not the same"):
        a_run_of(others, monkeypatch, tmp_path).predict(split.folds[0])


def test_several_views_are_scored_by_the_fold_s_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = read_split(write_set(tmp_path / "set"))
    method = a_run_of(split.images, monkeypatch, tmp_path)
    method._views = "mirrored"

    class Left(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(()))

        def forward(self, images: Tensor) -> Any:
            assert not torch.is_grad_enabled()
            return SimpleNamespace(score=images[..., : images.shape[-1] // 2].mean((1, 2, 3)))

    fits = SimpleNamespace(network=Left())
    monkeypatch.setattr("training.tables.own.fit_without", lambda *_: fits)
    given = method.predict(split.folds[1])
    for image in split.folds[1].held_out:
        whole = image.read().mean() / 127.5 - 1
        assert given[image.path.name] == pytest.approx(whole, abs=0.01)


def test_the_weights_figures_do_not_stand_for_several_views(tmp_path: Path) -> None:
    row = next(row for row in read_registry().petct if row.name == "ms-iqa-shifted")
    record = run_row(row, a_plan(tmp_path))
    assert not record.measured
    assert "has no stored" in record.reason


def test_a_run_s_parts_fit_no_split_of_the_list_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = read_split(write_set(tmp_path / "set", split="rre"))
    method = a_run_of(split.images, monkeypatch, tmp_path)
    with pytest.raises(CannotRun, match="leaves out no single patient"):
        method.predict(split.folds[0])


SCRATCH = {
    "factory": {"module": __name__, "name": "Brightness", "arguments": {"slope": 0.0}},
    "imagenet": False,
}


def a_network_row(**whole: Any) -> Competitor:
    quick = {"steps": 1, "batch": 4, "learning_rate": 1e-9, "workers": 0}
    return a_row(method="network", options={**SCRATCH, "whole": quick | whole})


def test_networks_from_imagenet_follow_the_papers_protocol(tmp_path: Path) -> None:
    for row in read_registry().petct:
        if row.method != "network":
            continue
        setting = Setting(tmp_path, False, 1, {**row.options, **SCRATCH, "row": row.name})
        whole = TrainedNetwork(setting)._config.whole
        if row.options["imagenet"]:
            assert whole == read_config(PAPER).whole
            assert (whole.epochs, whole.steps, whole.target) == (100, 0, "unit")
        else:
            assert whole.target == "likert"
            assert whole.steps


@pytest.mark.parametrize("target", ["likert", "unit"])
def test_a_fresh_network_starts_at_the_mean_score_and_ends_in_likert_units(
    tmp_path: Path, target: Any
) -> None:
    plan = a_plan(tmp_path)
    fold = plan.split.folds[0]
    options = {**a_network_row(target=target).options, "row": "x"}
    method = TrainedNetwork(Setting(tmp_path / "runs", False, 1, options))
    mean = float(np.mean([i.score for i in fold.training]))
    scale = SCALES[target]
    assert scale.offset + scale.factor * method._start(fold) == pytest.approx(mean)
    network = method.build(0.0)
    bias = network.network.line.bias.item()  # all that a flat line adds to the offset
    scores = method.predict(fold).values()
    assert list(scores) == pytest.approx([mean + scale.factor * bias] * 6, abs=1e-3)


def test_scores_of_sixteen_bits_are_not_rounded_with_their_offset(tmp_path: Path) -> None:
    options = {**a_network_row(target="likert").options, "row": "x"}
    network = TrainedNetwork(Setting(tmp_path, False, 1, options)).build(2.503)
    torch.nn.init.zeros_(network.network.line.bias)
    with torch.autocast("cpu", torch.bfloat16):
        score = network(torch.zeros(2, 3, 8, 8)).score
    assert score.dtype == torch.float32
    assert score.tolist() == pytest.approx([2.503, 2.503], abs=1e-5)


def test_again_trains_a_row_s_folds_anew_and_no_others(tmp_path: Path) -> None:
    plan, row = a_plan(tmp_path), a_network_row(target="likert")
    run_row(row, plan)
    folds = sorted(plan.runs.glob("table1-row-without-*"))
    assert [folder.name[-1] for folder in folds] == ["A", "B", "C"]
    other = plan.runs / "table1-rower-without-A"
    other.mkdir()
    for folder in (*folds, other):
        (folder / "mark").touch()
    run_row(row, plan)
    assert all((folder / "mark").is_file() for folder in folds)
    record = run_row(row, replace(plan, again=True))
    assert record.measured
    assert not any((folder / "mark").exists() for folder in folds)
    assert (other / "mark").is_file()


def test_a_fold_of_another_configuration_is_the_row_s_reason(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    assert run_row(a_network_row(target="likert"), plan).measured
    changed = a_network_row(target="likert", batch=3)
    record = run_row(changed, plan)
    assert "begun with another configuration (whole.batch: 4 then, 3 now)" in record.reason
    assert run_row(changed, replace(plan, again=True)).measured


def test_a_trial_leaves_the_full_command_s_folders_alone(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    trial = replace(plan, split=read_split(tmp_path / "set", at_most=3), trial=True)
    row = a_network_row(target="likert")
    assert run_row(row, trial).measured
    assert run_row(a_network_row(target="likert", batch=3), trial).measured
    assert [path.name for path in plan.runs.iterdir()] == ["trial"]
    assert run_row(row, plan).measured


def test_scores_that_are_no_numbers_are_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Setting) -> Any:
        return SimpleNamespace(
            predict=lambda fold: {i.path.name: float("nan") for i in fold.held_out}
        )

    monkeypatch.setitem(methods.METHODS, "seen", broken)  # type: ignore[arg-type]
    record = run_row(a_row(method="seen"), a_plan(tmp_path))
    assert record.reason == "its scores cannot be measured: a score is not a number"


def test_what_the_command_refuses_ends_in_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training.tables.table1", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the list of labelled images is missing" in done.stderr
    assert "Traceback" not in done.stderr


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
