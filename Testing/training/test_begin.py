"""What is refused before a run begins or goes on: other data, other files, what cannot be done."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_set import write_set
from torch import Tensor, nn

from MSIQALib.errors import InputError
from training import crossvalidate
from training.begin import begin_run
from training.branch_features import run_branch
from training.config import (
    DataConfig,
    FusionConfig,
    LevelsPhase,
    NarrowConfig,
    NarrowPhase,
    NetworkConfig,
    TrainingConfig,
    WholeConfig,
)
from training.data_names import name_data
from training.datasets.labelled import leave_out, read_labelled
from training.run_folder import RunFolder
from training.tables.fold_training import train_on_fold
from training.widening import parts_that_fit

STORED = TrainingConfig(
    name="run", data=DataConfig(labelled="set"), fusion=FusionConfig(pictures=4, labelled_views=2)
)
WHOLE = TrainingConfig(
    name="run",
    data=DataConfig(labelled="set"),
    whole=WholeConfig(steps=1, batch=2, fresh=0.0, views=False),
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with one set, which $MSIQA_DATA points to."""
    monkeypatch.setenv("MSIQA_DATA", str(tmp_path / "data"))
    write_set(tmp_path / "data" / "set")
    return tmp_path / "data"


def drop_rows(listing: Path, words: str) -> None:
    lines = listing.read_text().splitlines(keepends=True)
    listing.write_text("".join(line for line in lines if words not in line))


def test_another_data_set_under_the_same_name_is_refused(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(WHOLE, tmp_path / "runs")
    write_set(tmp_path / "other" / "set", better=0.5)
    monkeypatch.setenv("MSIQA_DATA", str(tmp_path / "other"))
    with pytest.raises(InputError, match=r"other labelled pictures.*another name.*--runs"):
        begin_run(WHOLE, tmp_path / "runs")
    begin_run(WHOLE, tmp_path / "more-runs")


def test_the_same_data_go_on_from_another_place_too(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(WHOLE, tmp_path / "runs")
    begin_run(WHOLE, tmp_path / "runs")
    root.rename(tmp_path / "moved")
    monkeypatch.setenv("MSIQA_DATA", str(tmp_path / "moved"))
    begin_run(WHOLE, tmp_path / "runs")


def test_a_run_that_does_not_know_its_data_goes_on_and_then_does(
    tmp_path: Path, root: Path
) -> None:
    begin_run(WHOLE, tmp_path / "runs")
    known = tmp_path / "runs" / "run" / "sources.json"
    before = known.read_text()
    known.unlink()
    begin_run(WHOLE, tmp_path / "runs")
    assert known.read_text() == before


@dataclass
class Scored:
    score: Tensor


class TinyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rest = nn.Linear(3, 1)

    def forward(self, image: Tensor) -> Scored:
        return Scored(self.rest(image.mean((2, 3))).squeeze(1))


def test_a_fold_of_another_data_set_is_refused(tmp_path: Path, root: Path) -> None:
    def run(folder: Path) -> dict[str, float]:
        fold = leave_out(read_labelled(folder), "B")
        return train_on_fold(TinyNetwork(), WHOLE, fold, tmp_path / "runs")

    torch.manual_seed(0)
    first = run(root / "set")
    assert run(root / "set") == first, "the second went on from the first"
    with pytest.raises(InputError, match="other labelled pictures"):
        run(write_set(tmp_path / "other", better=0.5))


def cross_validate(path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the command up to the work itself; gives what it would have done."""
    done: list[str] = []
    monkeypatch.setattr(sys, "argv", ["x", "--config", str(path), "--runs", str(runs)])
    monkeypatch.setattr(crossvalidate, "run_branches", lambda *_: done.append("branches"))
    monkeypatch.setattr(
        crossvalidate, "crossvalidate_stored", lambda *_: done.append("folds") or {}
    )
    crossvalidate.main()
    return done


CONFIG = "name: run\ndata: {labelled: set}\nfusion: {pictures: 4, labelled_views: 2}\n"


def test_cross_validation_takes_the_runs_own_configuration_alone(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_run(STORED, tmp_path / "runs")
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    assert cross_validate(path, tmp_path / "runs", monkeypatch) == ["branches", "folds"]
    path.write_text(CONFIG + "seed: 2\n")
    with pytest.raises(InputError, match="seed: 1 then, 2 now"):
        cross_validate(path, tmp_path / "runs", monkeypatch)
    path.write_text(CONFIG.replace("pictures: 4", "pictures: 4, grid: 0.5"))
    with pytest.raises(InputError, match=r"fusion\.grid"):
        cross_validate(path, tmp_path / "runs", monkeypatch)


def test_cross_validation_accepts_a_run_that_left_a_share_out(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(STORED, data=replace(STORED.data, held_out_share=0.5))
    begun = begin_run(config, tmp_path / "runs")
    assert len(begun.config.data.held_out) == 1
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.replace("set}", "set, held_out_share: 0.5}"))
    assert cross_validate(path, tmp_path / "runs", monkeypatch) == ["branches", "folds"]


def test_every_fold_needs_all_distortions(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_rows(root / "set" / "labels.csv", "B5.png")
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    with pytest.raises(InputError, match="patients B have no picture of each of the 27"):
        cross_validate(path, tmp_path / "runs", monkeypatch)


def test_as_many_narrow_networks_as_a_resnet_has_room_for(tmp_path: Path, root: Path) -> None:
    # The second stage of a ResNet-50 has 128 channels in its 3x3 convolutions: 3 x 40 fit.
    assert parts_that_fit(48, [96, 160, 256, 256]) == 3
    assert parts_that_fit(48, [256, 128, 256, 256]) == 4
    # Beside 24 of the 64 in the first stage, each of three parts can have 13 of its own.
    assert parts_that_fit(48, [96, 160, 256, 256], 52) == 3
    assert parts_that_fit(48, [96, 160, 256, 256], 56) == 2
    assert parts_that_fit(65, [4, 4, 4, 4]) == parts_that_fit(8, [257, 4, 4, 4]) == 0
    phase = NarrowPhase(steps=1)
    narrow = NarrowConfig(48, (24, 40, 64, 64), trunk=(phase,), parts=(phase,))
    config = replace(STORED, narrow=narrow)
    begin_run(config, tmp_path / "runs")
    write_set(root / "four", "ABCD")
    config = replace(config, name="four", data=DataConfig(labelled="four"))
    with pytest.raises(InputError, match=r"for 3 patients, but .* of 4\. .*fewer.*narrower"):
        begin_run(config, tmp_path / "runs")
    assert not (tmp_path / "runs" / "four").exists(), "the corrected run can have its name"
    begin_run(replace(config, narrow=replace(narrow, widths=(24, 32, 64, 64))), tmp_path / "runs")


def test_another_start_file_is_refused_while_it_is_needed(tmp_path: Path, root: Path) -> None:
    start = tmp_path / "weights.safetensors"
    start.write_bytes(b"first")
    phase = NarrowPhase(steps=1)
    narrow = NarrowConfig(48, (24, 40, 64, 64), parts=(phase,))
    config = replace(STORED, start=str(start), narrow=narrow)
    folder = begin_run(config, tmp_path / "runs").folder
    begin_run(config, tmp_path / "runs")
    start.write_bytes(b"second")
    stored = ["A", "B", "resnet-features", "swin-features"]
    for name in stored:
        with pytest.raises(InputError, match=r"begun with another file.*SHA-256 a7937b64"):
            begin_run(config, tmp_path / "runs")
        folder.save(name, {})
    begin_run(config, tmp_path / "runs")
    assert folder.sources()["start"].startswith("a7937b64"), "the weights come from the first"


def test_a_branch_whose_features_are_stored_reads_no_start_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save("swin-features", {})
    run_branch(replace(STORED, start=str(tmp_path / "gone.safetensors")), "swin", folder)


def test_a_run_that_does_not_know_its_start_file_goes_on(tmp_path: Path, root: Path) -> None:
    start = tmp_path / "weights.safetensors"
    start.write_bytes(b"first")
    config = replace(STORED, start=str(start))
    known = tmp_path / "runs" / "run" / "sources.json"
    begin_run(config, tmp_path / "runs")
    known.unlink()
    folder = RunFolder(tmp_path / "runs" / "run")
    for name in ("resnet-features", "swin-features"):
        folder.save(name, {})
    begin_run(config, tmp_path / "runs")
    assert "start" not in folder.sources(), "this may be a later release's file"


@pytest.mark.parametrize(
    ("words", "config", "message"),
    [
        ("A0.png", replace(WHOLE, whole=replace(WHOLE.whole, views=True)), "patient A, slice 1"),
        ("A0.png", STORED, "patient A, slice 1"),
        ("5.png", STORED, "gaussian_sigma 5, jpeg_quality 40"),
        ("5.png", replace(WHOLE, whole=replace(WHOLE.whole, fresh=0.5)), "Complete the list"),
    ],
)
def test_an_incomplete_set_is_refused_before_the_start(
    tmp_path: Path, root: Path, words: str, config: TrainingConfig, message: str
) -> None:
    drop_rows(root / "set" / "labels.csv", words)
    begin_run(replace(WHOLE, name="plain"), tmp_path / "runs")
    with pytest.raises(InputError, match=message):
        begin_run(replace(config, name="more"), tmp_path / "runs")


def test_another_patients_picture_fills_the_gap_of_a_combination(
    tmp_path: Path, root: Path
) -> None:
    drop_rows(root / "set" / "labels.csv", "A5.png")
    begin_run(replace(WHOLE, whole=replace(WHOLE.whole, fresh=0.5)), tmp_path / "runs")


def test_a_distortion_that_is_none_of_the_27_has_no_stored_features(
    tmp_path: Path, root: Path
) -> None:
    listing = root / "set" / "labels.csv"
    listing.write_text(listing.read_text().replace("B1.png,B,1,0,0,70", "B1.png,B,1,0,0,71"))
    begin_run(WHOLE, tmp_path / "runs")
    with pytest.raises(InputError, match=r"B1\.png: it is distorted in none of the 27"):
        begin_run(replace(STORED, name="stored"), tmp_path / "runs")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_picture_that_cannot_be_decoded_is_named_before_the_start(
    tmp_path: Path, root: Path, content: bytes
) -> None:
    (root / "set" / "images" / "B26.png").write_bytes(content)
    with pytest.raises(InputError, match=r"B26\.png: it cannot be decoded"):
        begin_run(WHOLE, tmp_path / "runs")


def test_weights_name_published_data_as_such_and_others_by_their_folder(tmp_path: Path) -> None:
    fresh = WholeConfig(fresh=0.5)
    usual = TrainingConfig(whole=fresh)
    assert name_data(usual) == ("PET-CT-IQA-DS (labels); Soft-tissue-Sarcoma PET/CT (content)")
    own = DataConfig(labelled=str(tmp_path / "my-set"), volumes="our/volumes", phantoms=2)
    assert name_data(replace(usual, data=own)) == ("my-set (labels); volumes, phantoms (content)")
    ldct = DataConfig(kind="ldctiqac2023", labelled="ldctiqac2023")
    assert name_data(TrainingConfig(data=ldct, whole=WholeConfig(fresh=0.0))) == (
        "LDCTIQAC2023 (labels)"
    )


@pytest.mark.parametrize(
    ("share", "start"), [(0.5, ""), (1.0, ""), (1.5, "weights"), (-0.5, "weights")]
)
def test_a_share_of_no_start_or_more_than_all_of_it_is_refused(
    tmp_path: Path, root: Path, share: float, start: str
) -> None:
    config = replace(STORED, start=start, narrow=NarrowConfig(start_share=share))
    with pytest.raises(InputError, match="start_share"):
        begin_run(config, tmp_path / "runs")


@pytest.mark.parametrize("size", [0, -224, 300])
def test_an_input_without_whole_cells_is_refused(tmp_path: Path, root: Path, size: int) -> None:
    with pytest.raises(
        InputError, match=rf"input_size: .* of {size} pixels\. Give a multiple of 32"
    ):
        begin_run(replace(STORED, input_size=size), tmp_path / "runs")


def test_swin_needs_whole_cells_of_what_it_reads(tmp_path: Path, root: Path) -> None:
    config = replace(STORED, network=NetworkConfig(swin_stride=2), input_size=96)
    with pytest.raises(InputError, match=r"of 96 pixels\. Give a multiple of 64"):
        begin_run(config, tmp_path / "runs")


def test_a_swin_that_resizes_whole_pictures_is_not_taught_from_parts(
    tmp_path: Path, root: Path
) -> None:
    config = replace(STORED, network=NetworkConfig(swin_size=224), input_size=512)
    begin_run(config, tmp_path / "runs")
    for refused in (
        replace(config, swin=(LevelsPhase(depth=4, steps=1),)),
        replace(config, swin_groups=(NarrowPhase(steps=1),)),
    ):
        with pytest.raises(InputError, match=r"network\.swin_size: .* parts of pictures"):
            begin_run(refused, tmp_path / "other")


@pytest.mark.parametrize("network", [NetworkConfig(swin_stride=0), NetworkConfig(stages=5)])
def test_a_network_that_cannot_be_is_refused(
    tmp_path: Path, root: Path, network: NetworkConfig
) -> None:
    with pytest.raises(InputError, match=r"network: (swin_stride|stages) must be"):
        begin_run(replace(STORED, network=network), tmp_path / "runs")


def test_a_reader_needs_a_branch_that_reads(tmp_path: Path, root: Path) -> None:
    reading = replace(STORED.fusion, reader_first=True)
    for refused in (
        replace(STORED, fusion=reading, network=NetworkConfig(score="released")),
        replace(STORED, fusion=replace(reading, reader_weight=-1.0)),
    ):
        with pytest.raises(InputError, match=r"reader_first: .* no weight branch that reads"):
            begin_run(refused, tmp_path / "runs")


def test_channels_of_a_parts_own_need_weights_to_start_from(tmp_path: Path, root: Path) -> None:
    start = tmp_path / "weights"
    start.write_bytes(b"weights")
    phase = NarrowPhase(steps=1)
    fresh = NarrowConfig(own_first=2, trunk=(phase,), parts=(phase,))
    going_on = replace(fresh, trunk=())
    for refused in (
        replace(STORED, narrow=fresh),
        replace(STORED, narrow=fresh, start=str(start)),
    ):
        with pytest.raises(InputError, match=r"own_first: .* not to a trunk"):
            begin_run(refused, tmp_path / "runs")
    begin_run(replace(STORED, narrow=going_on, start=str(start)), tmp_path / "runs")


def test_taught_parts_are_neither_taught_again_nor_mixed(tmp_path: Path, root: Path) -> None:
    for name in ("weights", "parts"):
        (tmp_path / name).write_bytes(b"weights")
    kept = NarrowConfig(taught=str(tmp_path / "parts"))
    config = replace(STORED, start=str(tmp_path / "weights"))
    for refused in (
        replace(kept, taught=str(tmp_path / "missing")),
        replace(kept, parts=(NarrowPhase(),)),
        replace(kept, start_share=0.5),
    ):
        with pytest.raises(InputError, match=r"narrow\.taught: parts cannot be taken"):
            begin_run(replace(config, narrow=refused), tmp_path / "runs")
    begin_run(replace(config, narrow=kept), tmp_path / "runs")
    assert kept.wanted
    (tmp_path / "parts").write_bytes(b"others")
    with pytest.raises(InputError, match=r"parts: .* begun with another file at this path"):
        begin_run(replace(config, narrow=kept), tmp_path / "runs")


@pytest.mark.parametrize("place", ["narrow", "swin_groups"])
def test_effects_are_told_apart_on_ladders_alone(tmp_path: Path, root: Path, place: str) -> None:
    start = tmp_path / "weights"
    start.write_bytes(b"weights")

    def config(phase: NarrowPhase) -> TrainingConfig:
        more: dict[str, Any] = (
            {"narrow": NarrowConfig(parts=(phase,))}
            if place == "narrow"
            else {"swin_groups": (phase,)}
        )
        return replace(STORED, start=str(start), **more)

    with pytest.raises(InputError, match=f"{place}.effects_apart: .* a phase has none"):
        begin_run(config(NarrowPhase(effects_apart=True)), tmp_path / "runs")
    begin_run(config(NarrowPhase(effects_apart=True, ladders=0.1)), tmp_path / "runs")


def test_parts_that_stay_as_they_began_are_not_taught(tmp_path: Path, root: Path) -> None:
    start = tmp_path / "weights"
    start.write_bytes(b"weights")
    kept = NarrowConfig(start_share=1.0)
    config = replace(STORED, start=str(start), narrow=replace(kept, parts=(NarrowPhase(),)))
    with pytest.raises(InputError, match="stay as they began learn nothing"):
        begin_run(config, tmp_path / "runs")
    begin_run(replace(config, narrow=kept), tmp_path / "runs")


@pytest.mark.parametrize("times", [{"PET count": 2.0}, {"CT dose": -1.0}])
@pytest.mark.parametrize("option", ["ladder_times", "fusion_ladder_times"])
def test_ladders_of_no_degradation_or_drawn_less_than_never_are_refused(
    tmp_path: Path, root: Path, option: str, times: dict[str, float]
) -> None:
    fusion = replace(STORED.fusion, **{option: times})
    told = rf"fusion\.{option}.*{next(iter(times))}.*PET resolution"
    with pytest.raises(InputError, match=told):
        begin_run(replace(STORED, fusion=fusion), tmp_path / "runs")
    fine = replace(fusion, **{option: {"CT dose": 0.0, "data set's JPEG": 2.0}})
    begin_run(replace(STORED, fusion=fine), tmp_path / "runs")


@pytest.mark.parametrize("more", [{"PET count": 2}, {"CT dose": -1}, {"data set's JPEG": 1}])
def test_more_ladders_of_what_is_done_to_no_study_are_refused(
    tmp_path: Path, root: Path, more: dict[str, int]
) -> None:
    fusion = replace(STORED.fusion, more_ladders=more)
    with pytest.raises(InputError, match=f"more_ladders.*{next(iter(more))}: .*PET resolution"):
        begin_run(replace(STORED, fusion=fusion), tmp_path / "runs")


def test_a_fusion_that_learns_from_no_ladder_is_refused(tmp_path: Path, root: Path) -> None:
    fusion = replace(STORED.fusion, fusion_ladders=0)
    with pytest.raises(InputError, match=r"fusion_ladders.*0 ladders a step.*fusion\.ladders"):
        begin_run(replace(STORED, fusion=fusion), tmp_path / "runs")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"study_picture_ladders": -3}, r"study_picture_ladders.*no -3 ladders"),
        ({"averaged_ladders": -1}, r"averaged_ladders.*-1 ladders a step"),
        ({"averaged_pictures": -2}, r"averaged_pictures.*-2 pictures a step"),
        ({"anchors": 1.0, "ladders": 1}, r"anchors.*1 is no share"),
        ({"anchors": -0.1, "ladders": 1}, r"anchors.*-0.1 is no share"),
        ({"anchors": 0.1, "varied_ladders": 5}, r"anchors.*no ladders of clean studies"),
        ({"toll": -0.1, "ladders": 1}, r"toll.*cannot cost -0.1"),
        ({"toll": float("nan"), "ladders": 1}, r"toll.*cannot cost nan"),
        ({"toll": 0.1, "varied_ladders": 5}, r"toll.*no ladders of clean studies"),
    ],
)
def test_ladders_that_cannot_serve_so_are_refused(
    tmp_path: Path, root: Path, options: dict[str, float], message: str
) -> None:
    fusion = replace(STORED.fusion, **options)
    with pytest.raises(InputError, match=message):
        begin_run(replace(STORED, fusion=fusion), tmp_path / "runs")


def test_a_toll_needs_the_branch_that_pays_it(tmp_path: Path, root: Path) -> None:
    fusion = replace(STORED.fusion, toll=0.1, ladders=1)
    released = replace(STORED, fusion=fusion, network=NetworkConfig(score="released"))
    with pytest.raises(InputError, match=r"toll.*no use for the weight branch"):
        begin_run(released, tmp_path / "runs")
    begin_run(replace(STORED, fusion=fusion), tmp_path / "runs")


@pytest.mark.parametrize("times", [{"breathing": 2.0}, {"CT dose": 0.0}, {"PET count": 3.0}])
def test_slices_of_a_part_cannot_be_made_worse_in_unknown_ways_or_never(
    tmp_path: Path, root: Path, times: dict[str, float]
) -> None:
    phase = NarrowPhase(ladders=0.2, ladder_times={"PET resolution": 3.0})
    narrow = replace(STORED.narrow, trunk=(phase,), parts=(replace(phase, ladder_times=times),))
    told = rf"narrow\.ladder_times.*{next(iter(times))}.*above 0.*PET resolution"
    with pytest.raises(InputError, match=told):
        begin_run(replace(STORED, narrow=narrow), tmp_path / "runs")
    swin = (replace(phase, ladder_times=times),)
    with pytest.raises(InputError, match=told.replace("narrow", "swin_groups")):
        begin_run(replace(STORED, swin_groups=swin), tmp_path / "runs")
    begin_run(replace(STORED, narrow=replace(narrow, parts=(phase,))), tmp_path / "runs")
