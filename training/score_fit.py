"""From stored features to a network that scores: the part that each fold repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from MSIQALib.errors import InputError
from MSIQALib.model.network import MSIQA
from training.branch_features import Stored
from training.config import TrainingConfig
from training.datasets.completeness import require_combinations
from training.datasets.labelled import Fold, LabelledImage, mean_scores, patients
from training.distortions import COMBINATIONS, UNLISTED
from training.fit import (
    LadderVectors,
    ScoredVectors,
    branch_scores,
    centre_score,
    fit_regressor,
)
from training.fused_vectors import fused
from training.fusion_teaching import teach_fusion
from training.losses import QualityLoss
from training.metrics import Agreement, agreement
from training.run_folder import RunFolder
from training.stored_features import StoredFeatures, StoredLadders, together

FUSION = "fusion"


def quality_loss(config: TrainingConfig) -> QualityLoss:
    """The loss that a configuration names."""
    loss = config.loss
    return QualityLoss(loss.mse_weight, loss.ranking_weight, loss.alpha)


def fresh_network(config: TrainingConfig) -> MSIQA:
    """The network that a configuration names, with random or ImageNet weights.

    Where it learns Likert units its score branch starts near the middle of the scale.

    Raises:
        InputError: The ImageNet weights are not there and cannot be fetched.
    """
    torch.manual_seed(config.seed)
    try:
        network = MSIQA(config.model())
    except (OSError, RuntimeError) as error:
        if not config.pretrained:
            raise
        raise InputError(
            "ImageNet weights",
            f"timm cannot fetch them ({type(error).__name__})",
            "Run once with access to huggingface.co, copy the Hugging Face cache "
            "(~/.cache/huggingface) of a computer that has it, or set pretrained: false",
        ) from error
    network.set_input_size(config.input_size)
    if config.whole.target == "likert":
        centre_score(network)
    return network


def assemble(
    config: TrainingConfig,
    taught: StoredFeatures,
    backbones: Mapping[str, Mapping[str, Tensor]],
    folder: RunFolder,
    name: str = FUSION,
    ladders: StoredLadders | None = None,
    scores: Tensor | None = None,
) -> MSIQA:
    """Put the pre-trained backbones into a network and teach its fusion the levels, once.

    Args:
        config: The run's.
        taught: Features of the pictures that it learns from; no score takes part.
        backbones: States of "resnet" and "swin".
        folder: Keeps the taught fusion.
        name: Under which it does.
        ladders: Whose order it learns.
        scores: (27,) mean score of each combination, which it learns where the configuration says
            so.

    Returns:
        The network, in eval mode, its regressor still random.
    """
    network = fresh_network(config).eval()
    for branch, state in backbones.items():
        network.get_submodule(branch).load_state_dict(state)
    stored = folder.load(name)
    if stored is None:
        errors = teach_fusion(
            network,
            taught,
            config.fusion,
            seed=config.seed,
            ladders=ladders.for_fusion() if ladders is not None else None,
            scores=scores if config.fusion.fusion_scores else None,
        )
        folder.save(name, {"fusion": network.fusion.state_dict(), "errors": errors})
    else:
        network.fusion.load_state_dict(stored["fusion"])
    return network


def fit_all(
    config: TrainingConfig, stored: Stored, folder: RunFolder, images: Sequence[LabelledImage]
) -> MSIQA:
    """Fit fusion and regressor to all labelled images, on all that the backbones give."""
    taught = together(stored.fresh, stored.labelled) if config.narrow.wanted else stored.fresh
    ladders, scores = stored.ladders, listed_means(images)
    network = assemble(config, taught, stored.backbones, folder, ladders=ladders, scores=scores)
    ScoreFit(config, network, stored).fit(images)
    return network


def fit_without(config: TrainingConfig, stored: Stored, folder: RunFolder, fold: Fold) -> ScoreFit:
    """Fit what has never seen a picture of one patient, nor a score.

    Backbones that no labelled picture has taught serve every fold, and so does their fusion. Of
    narrow networks, the one that left this patient out takes part; its fusion learns the strengths
    from the training patients' pictures too.

    Args:
        config: The run's.
        stored: Features of all pictures.
        folder: Keeps the taught fusion.
        fold: Whom to leave out.
    """
    name = FUSION
    taught = stored.fresh
    if config.narrow.wanted:
        everyone = patients((*fold.training, *fold.held_out))
        stored = stored.with_part(everyone.index(fold.patient), config.narrow)
        taught = together(stored.fresh, stored.labelled.of(patients(fold.training)))
        name = f"{FUSION}-without-{fold.patient}"
    ladders, scores = stored.ladders, listed_means(fold.training)
    network = assemble(config, taught, stored.backbones, folder, name, ladders, scores)
    fit = ScoreFit(config, network, stored)
    fit.fit(fold.training)
    return fit


class ScoreFit:
    """Fits regressors for one set of patients after another on the same vectors.

    Args:
        config: The run's.
        network: From `assemble`; its regressor is fitted in place.
        stored: Features of the labelled views, of freshly distorted pictures and of ladders.
    """

    def __init__(
        self,
        config: TrainingConfig,
        network: MSIQA,
        stored: Stored,
    ) -> None:
        self._config = config
        self._network = network
        labelled, fresh = stored.labelled, stored.fresh
        self._labelled, self._fresh = labelled, fresh
        self._labelled_vectors = fused(network, labelled)
        self._fresh_vectors = fused(network, fresh)
        self._ladders: LadderVectors | None = None
        if stored.ladders is not None:
            fw, fs = fused(network, stored.ladders.features)
            shape = (len(stored.ladders), stored.ladders.rungs, -1)
            times = stored.ladders.weights(config.fusion.ladder_times)
            losses = stored.ladders.losses()
            self._ladders = LadderVectors(fw.view(shape), fs.view(shape), times, losses)
            self._of_studies = stored.ladders.of_studies()

    def fit(self, images: Iterable[LabelledImage]) -> None:
        """Fit the regressor to the patients of these images, and to nothing of any other.

        Args:
            images: All labelled images of the training patients; their means score the fresh
                pictures.

        Raises:
            InputError: They lack one of the 27 combinations.
        """
        images = tuple(images)
        names = {image.patient for image in images}
        config = self._config.fusion
        rows = torch.tensor([i for i, o in enumerate(self._labelled.owner) if o in names])
        grid = torch.nonzero(self._fresh.combination != UNLISTED).flatten()
        means = listed_means(images)
        combination = torch.cat((self._labelled.combination[rows], self._fresh.combination[grid]))
        score = means[combination]
        if not config.reader_first:
            score[: len(rows)] = self._labelled.score[rows]
        share = config.pseudo_weight if len(grid) else 0.0
        weight = torch.cat(
            (
                torch.full((len(rows),), (1 - share) / len(rows)),
                torch.full((len(grid),), share / max(len(grid), 1)),
            )
        )
        data = ScoredVectors(
            fw=torch.cat((self._labelled_vectors[0][rows], self._fresh_vectors[0][grid])),
            fs=torch.cat((self._labelled_vectors[1][rows], self._fresh_vectors[1][grid])),
            score=score.float(),
            weight=weight,
            combination=combination,
        )
        if config.anchors and self._ladders is not None:
            best = float(means[0])
            data = anchored(data, self._ladders, self._of_studies, best, config.anchors)
        loss, seed = quality_loss(self._config), self._config.seed
        ladders = self._ladders
        fit_regressor(self._network, data, config, loss, seed=seed, means=means, ladders=ladders)

    @property
    def network(self) -> MSIQA:
        """What was fitted, in evaluation mode."""
        return self._network.eval()

    @torch.inference_mode()
    def predict(self, patient: str) -> tuple[Tensor, Tensor]:
        """Score the images of a patient as they are in the data set.

        Returns:
            Predicted and given scores.
        """
        step = self._config.fusion.labelled_views
        rows = [i for i, o in enumerate(self._labelled.owner) if o == patient and i % step == 0]
        own = self._labelled.take(torch.tensor(rows))
        network = self.network
        return branch_scores(network, *fused(network, own)).clone(), own.score


def listed_means(images: Iterable[LabelledImage]) -> Tensor:
    """Mean score of each of the 27 combinations over some images: (27,), Likert units.

    Raises:
        InputError: They lack one.
    """
    images = tuple(images)
    require_combinations(images)
    means = mean_scores(images)
    return torch.tensor([means[combination] for combination in COMBINATIONS])


def anchored(
    data: ScoredVectors, ladders: LadderVectors, chosen: Tensor, score: float, share: float
) -> ScoredVectors:
    """Add the undegraded rungs of some ladders to what the regressor is fitted to.

    Args:
        data: What it is fitted to otherwise; its weights sum to 1.
        ladders: All ladders.
        chosen: Numbers of those that serve.
        score: Of each of their first rungs, in Likert units.
        share: Probability that one of these is drawn.
    """
    count = len(chosen)
    return ScoredVectors(
        fw=torch.cat((data.fw, ladders.fw[chosen, 0])),
        fs=torch.cat((data.fs, ladders.fs[chosen, 0])),
        score=torch.cat((data.score, torch.full((count,), score))),
        weight=torch.cat((data.weight * (1 - share), torch.full((count,), share / count))),
        combination=torch.cat((data.combination, torch.full((count,), UNLISTED))),
    )


def table(results: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, dict[str, float]]:
    """Agreement for each patient and, under "pooled", over all images together.

    Args:
        results: Predicted and given scores by patient.
    """
    rows: dict[str, Agreement] = {k: agreement(p, g) for k, (p, g) in results.items()}
    predicted, given = (torch.cat(column) for column in zip(*results.values(), strict=True))
    rows["pooled"] = agreement(predicted, given)
    return {name: row.to_dict() for name, row in rows.items()}
