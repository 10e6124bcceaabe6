"""From a method's scores to the figures of a record."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from training.datasets.labelled import Fold, LabelledImage
from training.tables.accuracy import FloatArray, accuracy, mean_of_folds, pearson, srocc
from training.tables.bootstrap import DRAWS, Statistic, bootstrap
from training.tables.logistic import Parameters, fit_logistic
from training.tables.splits import Split

POOLED = "pooled"
MEAN = "mean of folds"


def measure(
    split: Split,
    scores: Mapping[str, float],
    *,
    parameters: Parameters = 4,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a method's scores.

    Args:
        split: The pictures, and the folds that the scores were made on.
        scores: By file name, for every picture of the split.
        parameters: Of the logistic curve, fitted to each fold and to all pictures together.
        draws: Of the bootstrap; 0 leaves the intervals out.
        seed: Of the bootstrap.

    Returns:
        Under "pooled" all pictures together, under "folds" each fold, under "mean of folds" their
        mean, and under "intervals" 95 % intervals of the pooled SROCC and fitted PLCC by what was
        drawn: pictures, slices, patients. The curve is fitted once, not for each draw.
    """
    predicted = np.array([scores[i.path.name] for i in split.images])
    given = np.array([i.score for i in split.images])
    folds = {fold.patient: _fold(fold, scores, parameters) for fold in split.folds}
    results: dict[str, Any] = {
        "logistic parameters": parameters,
        POOLED: accuracy(predicted, given, parameters).to_dict(),
        "folds": {name: fold.to_dict() for name, fold in folds.items()},
        MEAN: mean_of_folds(folds),
    }
    if not draws:
        return results
    fitted = fit_logistic(predicted, given, parameters)(predicted)
    figures: dict[str, tuple[FloatArray, Statistic]] = {
        "srocc": (predicted, srocc),
        "plcc_fitted": (fitted, pearson),
    }
    results["intervals"] = {
        unit: {
            name: bootstrap(
                values, given, statistic, groups=groups, draws=draws, seed=seed
            ).to_dict()
            for name, (values, statistic) in figures.items()
        }
        for unit, groups in _groups(split.images).items()
        if len(set(groups)) > 1
    }
    return results


def _fold(fold: Fold, scores: Mapping[str, float], parameters: Parameters) -> Any:
    predicted = [scores[i.path.name] for i in fold.held_out]
    return accuracy(predicted, [i.score for i in fold.held_out], parameters)


def _groups(images: tuple[LabelledImage, ...]) -> dict[str, list[Hashable]]:
    return {
        "image": list(range(len(images))),
        "slice": [(i.patient, i.slice) for i in images],
        "patient": [i.patient for i in images],
    }
