"""Scores fitted on stored features: they fit, they fold, and nothing leaks between patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from MSIQALib.model.config import ModelConfig
from MSIQALib.model.regressor import ScoreRegressor
from training import score_fit
from training.branch_features import Stored
from training.combination_reader import ReaderFirst, fit_reader
from training.config import FusionConfig, TrainingConfig
from training.datasets.distorted import normalise
from training.datasets.labelled import LabelledImage
from training.distortions import COMBINATIONS, UNLISTED
from training.features import pooled_stages
from training.fit import (
    LadderVectors,
    ScoredVectors,
    _fold_in,
    branch_scores,
    fit_regressor,
)
from training.fused_vectors import FusedVectors, fused
from training.loss_toll import OTHER
from training.losses import QualityLoss, ladder_error
from training.metrics import agreement
from training.run_folder import RunFolder
from training.score_fit import ScoreFit, fresh_network, table
from training.stored_features import StoredFeatures, StoredLadders

LENGTH = 768
MEANS = torch.linspace(3.9, 0.1, len(COMBINATIONS))


class StubFusion(nn.Module):
    """Passes the first stage on as F_W and the last map as F_S, through a learnable scale."""

    def __init__(self) -> None:
        super().__init__()
        convolution = nn.Conv2d(LENGTH, LENGTH, 1)
        nn.init.dirac_(convolution.weight)
        nn.init.zeros_(convolution.bias)
        self.reduce = nn.ModuleList([convolution])
        self.scale = nn.Parameter(torch.full((1, LENGTH, 1, 1), 0.1))

    def forward(self, stages: list[tuple[Tensor]], last: Tensor) -> tuple[Tensor, Tensor]:
        return self.reduce[0](stages[0][0]) * self.scale, last * self.scale


class StubNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = ModelConfig(pretrained=False)
        self.fusion = StubFusion()
        self.regressor = ScoreRegressor(self.config, fw_channels=LENGTH, fs_channels=LENGTH)


def vectors(n: int, seed: int = 0) -> ScoredVectors:
    generator = torch.Generator().manual_seed(seed)
    score = torch.rand(n, generator=generator) * 4
    noise = torch.randn(2, n, LENGTH, generator=generator)
    carriers = (torch.arange(LENGTH) % 4 == 0).float()
    fw, fs = (3 * (v + carriers * score[:, None]) + 7 for v in noise)
    return ScoredVectors(fw, fs, score, torch.ones(n), torch.full((n,), UNLISTED))


def test_fit_scores_vectors_it_has_not_seen() -> None:
    network, data, other = StubNetwork(), vectors(300), vectors(100, seed=5)
    config = FusionConfig(regressor_steps=150)
    fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS)
    with torch.inference_mode():
        result = agreement(branch_scores(network, other.fw, other.fs), other.score)
    assert result.plcc > 0.9
    assert result.rmse < 0.6


def ladder_vectors(n: int, seed: int, sign: float) -> LadderVectors:
    """Slices whose rungs differ in channels that the scores don't use, one way or the other."""
    generator = torch.Generator().manual_seed(seed)
    carriers = (torch.arange(LENGTH) % 4 == 1).float()
    rungs = sign * carriers * torch.arange(4.0)[:, None]
    fw, fs = (3 * (v + rungs) + 7 for v in torch.randn(2, n, 1, LENGTH, generator=generator))
    return LadderVectors(fw, fs, torch.ones(n), torch.full((n,), OTHER))


def test_ladder_error_asks_for_a_fall_at_every_step() -> None:
    assert ladder_error(torch.tensor([[3.0, 2.0, 1.0]]), 0.5).item() == 0
    assert ladder_error(torch.tensor([[3.0, 3.0]]), 0.5).item() == pytest.approx(0.5)
    assert ladder_error(torch.tensor([[1.0, 2.0]]), 0.5).item() == pytest.approx(1.5)
    # Steps 0-1 and 1-2 miss 0.5 each, 0-2 misses 1.0.
    assert ladder_error(torch.zeros(1, 3), 0.5).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_scores_fall_down_ladders_of_slices_that_were_not_fitted(sign: float) -> None:
    """Whichever way the rungs lie, the fit finds it, and still fits the scores."""
    network, other, unseen = StubNetwork(), vectors(100, seed=5), ladder_vectors(40, 9, sign)
    ladders = ladder_vectors(40, 3, sign)
    config = FusionConfig(regressor_steps=150)
    fit_regressor(
        network, vectors(300), config, QualityLoss(), seed=1, means=MEANS, ladders=ladders
    )
    with torch.inference_mode():
        scores = branch_scores(network, unseen.fw.flatten(0, 1), unseen.fs.flatten(0, 1))
        fits = agreement(branch_scores(network, other.fw, other.fs), other.score)
    assert (scores.view(-1, 4).diff() < 0).float().mean() > 0.95
    assert fits.plcc > 0.85


def test_ladders_are_drawn_as_often_as_their_times_say() -> None:
    """Of two ladders that contradict each other only the one that is drawn is learnt."""
    both = [ladder_vectors(40, 3, sign) for sign in (1.0, -1.0)]
    unseen = ladder_vectors(40, 9, 1.0)
    for drawn, sign in enumerate((1, -1)):
        times = torch.zeros(80)
        times[40 * drawn : 40 * drawn + 40] = 2.0
        fw, fs = (torch.cat([getattr(one, name) for one in both]) for name in ("fw", "fs"))
        network = StubNetwork()
        ladders = LadderVectors(fw, fs, times, torch.full((80,), OTHER))
        config = FusionConfig(regressor_steps=150)
        fit_regressor(
            network, vectors(300), config, QualityLoss(), seed=1, means=MEANS, ladders=ladders
        )
        with torch.inference_mode():
            scores = branch_scores(network, unseen.fw.flatten(0, 1), unseen.fs.flatten(0, 1))
        assert (sign * scores.view(-1, 4).diff() < 0).float().mean() > 0.95


def test_scores_stay_on_the_scale_where_that_is_asked_for() -> None:
    """Half of the pictures have the best score; without the penalty many pass it."""
    data = vectors(200)
    data = replace(data, score=(2 * data.score).clamp(max=4.0))
    above = []
    for weight in (0.0, 20.0):
        network = StubNetwork()
        config = FusionConfig(regressor_steps=150, range_weight=weight)
        fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS)
        with torch.inference_mode():
            scores = branch_scores(network, data.fw, data.fs)
        assert agreement(scores, data.score).plcc > 0.9
        above.append((scores - 4).relu().square().mean().item())
    assert above[1] < above[0] / 2


def test_fitted_regressor_takes_raw_maps() -> None:
    """The standardisation is in the weights: the network's own forward gives the same scores."""
    network, data = StubNetwork(), vectors(64)
    fit_regressor(
        network, data, FusionConfig(regressor_steps=20), QualityLoss(), seed=1, means=MEANS
    )
    with torch.inference_mode():
        maps = (v[:, :, None, None].expand(-1, -1, 7, 7) for v in (data.fw, data.fs))
        score, S, W = network.regressor(*maps)
    assert torch.allclose(score, branch_scores(network, data.fw, data.fs), atol=1e-3)
    assert torch.allclose(score, S * W)


def readable(n: int, seed: int, *, beside: float = 0.0) -> ScoredVectors:
    """A pattern of each combination in f_w, and what goes with the score beside them in f_s.

    Args:
        n: Pictures, of any of the combinations.
        seed: Of combinations and noise.
        beside: How much the score pulls at f_s.
    """
    generator = torch.Generator().manual_seed(seed)
    combination = torch.randint(len(COMBINATIONS), (n,), generator=generator)
    score = MEANS[combination]
    fw, fs = torch.randn(2, n, LENGTH, generator=generator)
    patterns = torch.randn(27, LENGTH, generator=torch.Generator().manual_seed(1))
    fw = 3 * (fw + patterns[combination]) + 7
    fs = fs + beside * (score - 2)[:, None]
    return ScoredVectors(fw, fs, score, torch.ones(n), combination)


def test_with_a_reader_the_score_is_that_of_what_is_read() -> None:
    """F_s goes with the score in the pictures that are fitted, and against it in others."""
    other = readable(200, seed=9, beside=-0.1)
    plcc = []
    for reader_first in (False, True):
        network = StubNetwork()
        config = FusionConfig(regressor_steps=300, dropout=0.0, reader_first=reader_first)
        data = readable(400, seed=3, beside=0.1)
        fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS)
        with torch.inference_mode():
            scores = branch_scores(network, other.fw, other.fs)
        plcc.append(agreement(scores, other.score).plcc)
    assert plcc[1] > 0.97
    assert plcc[1] > plcc[0] + 0.03


def test_a_reader_ends_as_weights_of_the_first_layer() -> None:
    """The network is the paper's afterwards; half of its first layer has few directions."""
    network, data = StubNetwork(), readable(300, seed=3)
    config = FusionConfig(regressor_steps=20, reader_first=True)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS)
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == shapes
    weight = network.regressor.weight_branch[0].weight.detach().double()
    for units, directions in ((weight[:192], len(COMBINATIONS)), (weight[192:], 192)):
        singular = torch.linalg.svdvals(units)
        assert (singular > 1e-5 * singular[0]).sum() == directions
    assert network.regressor.weight_branch[2].p == 0.5
    with torch.inference_mode():
        maps = (v[:, :, None, None].expand(-1, -1, 7, 7) for v in (data.fw, data.fs))
        score, _, _ = network.regressor(*maps)
        assert torch.allclose(score, branch_scores(network, data.fw, data.fs), atol=1e-3)


def test_what_is_read_is_folded_as_it_was_learnt() -> None:
    torch.manual_seed(0)
    data = readable(300, seed=3)
    fw = (data.fw - data.fw.mean(0)) / data.fw.std(0)
    reader = fit_reader(fw, data.combination, MEANS)
    assert agreement(reader.expected(fw), data.score).plcc > 0.99
    assert reader.layer(fw).std(0).tolist() == pytest.approx([1.0] * 27, rel=1e-3)
    first = ReaderFirst(reader, 12, 5, 0.5).eval()
    torch.testing.assert_close(first.folded()(fw), first(fw), atol=1e-4, rtol=1e-4)
    first.train()
    dropped = first(fw) == 0
    assert not dropped[:, :5].any()
    assert 0.3 < dropped[:, 5:].float().mean() < 0.7


def test_with_a_reader_scores_fall_down_ladders_that_no_combination_tells() -> None:
    network, unseen = StubNetwork(), ladder_vectors(40, 9, 1.0)
    config = FusionConfig(regressor_steps=300, dropout=0.3, reader_first=True)
    data, ladders = readable(300, seed=3), ladder_vectors(40, 3, 1.0)
    fit_regressor(network, data, config, QualityLoss(), seed=1, means=MEANS, ladders=ladders)
    with torch.inference_mode():
        scores = branch_scores(network, unseen.fw.flatten(0, 1), unseen.fs.flatten(0, 1))
        fitted = branch_scores(network, data.fw, data.fs)
    assert (scores.view(-1, 4).diff() < 0).float().mean() > 0.9
    assert agreement(fitted, data.score).plcc > 0.95


def test_with_a_reader_pictures_are_scored_by_their_combination(labelled, monkeypatch) -> None:
    features, images = labelled
    moved = replace(features, score=features.score + 0.1)
    given: list[ScoredVectors] = []
    monkeypatch.setattr(score_fit, "fit_regressor", lambda _, data, *a, **k: given.append(data))
    for reader_first in (False, True):
        config = replace(CONFIG, fusion=replace(CONFIG.fusion, reader_first=reader_first))
        fresh = stored("F" * 27, np.zeros(27), 2)
        fit = ScoreFit(config, StubNetwork(), Stored(moved, fresh, None, {}))
        fit.fit(i for i in images if i.patient == "A")
    own, means = (data.score[:27] for data in given)
    assert own.tolist() == pytest.approx([i.score + 0.1 for i in images if i.patient == "A"])
    assert means.tolist() == pytest.approx([i.score for i in images if i.patient == "A"])


def test_dropout_of_the_network_comes_back() -> None:
    network = StubNetwork()
    config = FusionConfig(regressor_steps=2, dropout=0.1)
    fit_regressor(network, vectors(64), config, QualityLoss(), seed=1, means=MEANS)
    assert {m.p for m in network.modules() if isinstance(m, nn.Dropout)} == {0.5}


def stored(owners: str, scores: np.ndarray, seed: int) -> StoredFeatures:
    generator = torch.Generator().manual_seed(seed)
    n = len(owners)
    maps = torch.randn(n, LENGTH, 7, 7, generator=generator)
    maps += torch.from_numpy(scores).float()[:, None, None, None]
    return StoredFeatures(
        stages=(maps.half(),),
        last=maps.half(),
        levels=torch.rand(n, 3, generator=generator),
        combination=torch.arange(n) % len(COMBINATIONS),
        score=torch.from_numpy(scores).float(),
        owner=tuple(owners),
    )


@pytest.fixture(scope="module")
def labelled() -> tuple[StoredFeatures, tuple[LabelledImage, ...]]:
    owners = "A" * 27 + "B" * 27
    scores = np.random.default_rng(0).uniform(0, 4, 54)
    images = tuple(
        LabelledImage(Path("x"), o, "1", COMBINATIONS[i % 27], float(s))
        for i, (o, s) in enumerate(zip(owners, scores, strict=True))
    )
    return stored(owners, scores, 1), images


CONFIG = TrainingConfig(fusion=FusionConfig(regressor_steps=10, labelled_views=1))


def predictions(features: StoredFeatures, images: list[LabelledImage], held_out: str) -> Tensor:
    fresh = stored("F" * 40, np.zeros(40), 2)
    fit = ScoreFit(CONFIG, StubNetwork(), Stored(features, fresh, None, {}))
    fit.fit(i for i in images if i.patient != held_out)
    return fit.predict(held_out)[0]


def test_scores_of_the_patient_left_out_change_nothing(labelled) -> None:
    features, images = labelled
    ours = torch.tensor([o == "B" for o in features.owner])
    wrong = replace(features, score=torch.where(ours, 4 - features.score, features.score))
    lied = [replace(i, score=4 - i.score) if i.patient == "B" else i for i in images]
    assert torch.equal(predictions(features, images, "B"), predictions(wrong, lied, "B"))


def test_scores_of_the_training_patients_do_matter(labelled) -> None:
    features, images = labelled
    ours = torch.tensor([o == "A" for o in features.owner])
    wrong = replace(features, score=torch.where(ours, 4 - features.score, features.score))
    assert not torch.equal(predictions(features, images, "B"), predictions(wrong, images, "B"))


def test_pictures_of_no_combination_take_no_part(labelled, monkeypatch) -> None:
    """The others are scored by the mean of theirs, over the training patients alone."""
    features, images = labelled
    fresh = stored("FFFF", np.zeros(4), 3)
    fresh = replace(fresh, combination=torch.tensor([0, UNLISTED, 5, 0]))
    given: list[ScoredVectors] = []
    monkeypatch.setattr(score_fit, "fit_regressor", lambda _, data, *a, **k: given.append(data))
    fit = ScoreFit(CONFIG, StubNetwork(), Stored(features, fresh, None, {}))
    fit.fit(i for i in images if i.patient == "A")
    means = [images[c].score for c in (0, 5, 0)]
    assert given[0].score[27:].tolist() == pytest.approx(means)
    assert given[0].weight[27:].sum().item() == pytest.approx(CONFIG.fusion.pseudo_weight)


def test_first_rungs_of_studies_are_scored_as_pristine_pictures_are(labelled, monkeypatch) -> None:
    features, images = labelled
    ladders = stored("S" * 8, np.arange(8) / 4, 4)
    # Of a varied ladder and of a picture's, two rungs each, nothing is taken.
    kinds = ("CT dose", "", "data set's JPEG", "PET counts")
    given: list[ScoredVectors] = []
    monkeypatch.setattr(score_fit, "fit_regressor", lambda _, data, *a, **k: given.append(data))
    for anchors in (0.0, 0.1):
        config = replace(CONFIG, fusion=replace(CONFIG.fusion, anchors=anchors))
        fresh = stored("F" * 27, np.zeros(27), 2)
        all_stored = Stored(features, fresh, StoredLadders(ladders, 2, kinds), {})
        fit = ScoreFit(config, StubNetwork(), all_stored)
        fit.fit(i for i in images if i.patient == "A")
    without, anchored = given
    assert len(anchored.score) == len(without.score) + 2
    assert anchored.score[-2:].tolist() == pytest.approx([images[0].score] * 2)
    torch.testing.assert_close(anchored.weight[-2:], torch.full((2,), 0.05))
    torch.testing.assert_close(anchored.weight[:-2], 0.9 * without.weight)
    firsts = fused(StubNetwork(), ladders)
    for vectors, own in zip((anchored.fw, anchored.fs), firsts, strict=True):
        torch.testing.assert_close(vectors[-2:], own[[0, 6]])


def test_pictures_of_studies_order_scores_and_leave_the_fusion_alone(
    labelled, monkeypatch, tmp_path
) -> None:
    features, images = labelled
    pictures = stored("S" * 4, np.arange(4) / 4, 4)
    ladders = StoredLadders(pictures, 2, ("CT dose", "data set's JPEG"))
    monkeypatch.setattr(score_fit, "fresh_network", lambda _: StubNetwork())
    fusion, regressor = [], []

    def teach(*_, ladders: StoredLadders, **__) -> list[float]:
        fusion.append(ladders.degradations)
        return []

    monkeypatch.setattr(score_fit, "teach_fusion", teach)
    monkeypatch.setattr(
        score_fit, "fit_regressor", lambda *_, ladders, **__: regressor.append(len(ladders.fw))
    )
    all_stored = Stored(features, stored("F" * 27, np.zeros(27), 2), ladders, {})
    score_fit.fit_all(CONFIG, all_stored, RunFolder(tmp_path), images)
    assert fusion == [("CT dose",)]
    assert regressor == [2]


def test_table_has_each_patient_and_all_together() -> None:
    a = torch.tensor([1.0, 2.0, 3.0])
    rows = table({"A": (a, a), "B": (-a, a)})
    assert rows["A"]["srocc"] == pytest.approx(1)
    assert rows["B"]["plcc"] == pytest.approx(-1)
    assert rows["B"]["rmse"] == pytest.approx(np.sqrt((4 + 16 + 36) / 3))
    assert rows["pooled"]["n"] == 6


@pytest.mark.slow
def test_stored_features_give_the_score_of_the_whole_network() -> None:
    network = fresh_network(TrainingConfig()).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8, generator=generator)
    resnet, swin = (
        pooled_stages(branch, images.__getitem__, 2) for branch in (network.resnet, network.swin)
    )
    stages = [torch.cat(pair, 1).float() for pair in zip(resnet, swin, strict=True)]
    with torch.inference_mode():
        fw, fs = FusedVectors(network)(stages, swin[-1].float())
        whole = network(normalise(images)).score
        assert torch.allclose(branch_scores(network, fw, fs), whole, atol=2e-3)


def test_standardisation_is_folded_into_linear_layers() -> None:
    torch.manual_seed(0)
    mean, deviation = torch.randn(8), torch.rand(8) + 0.5
    x, linear = 3 * torch.randn(4, 8) + 1, torch.nn.Linear(8, 3)
    expected = linear((x - mean) / deviation).detach()
    _fold_in(linear, mean, deviation)
    torch.testing.assert_close(linear(x), expected, rtol=1e-4, atol=1e-4)
