"""What is read off f_w and f_s while the fusion learns, and dropped afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MSIQALib.model.regressor import MAX_LENGTH
from training.config import FusionConfig
from training.datasets.distorted import LEVEL_TARGETS
from training.distortions import COMBINATIONS, UNLISTED
from training.fit import TYPICAL_SCORE
from training.learner import LEVELS_WEIGHT, combination_error
from training.levels import level_error
from training.losses import ladder_error
from training.stored_features import StoredFeatures, StoredLadders

STRENGTHS = LEVEL_TARGETS + len(COMBINATIONS)
ORDER_WEIGHT = 3.0
SCORE_WEIGHT = 1.0


class FusionReaders(nn.Module):
    """Reads strengths and places on ladders off each vector, and a score off both.

    Args:
        ladders: Whose places are read; None for none.
        config: Margin, and whether each kind of ladder has a reader of its own.
        scores: (27,) mean score of each combination; None reads no score.
    """

    def __init__(
        self, ladders: StoredLadders | None, config: FusionConfig, scores: Tensor | None = None
    ) -> None:
        super().__init__()
        self._reader = place_readers(ladders, each=config.own_places)
        self._margin = config.ladder_margin
        self._scores = scores
        places = int(self._reader.max()) + 1 if len(self._reader) else 1
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(MAX_LENGTH), nn.Linear(MAX_LENGTH, STRENGTHS + places))
            for _ in range(2)
        )
        self.score = None if scores is None else ScoreReader()

    def strength_error(
        self, pair: Sequence[Tensor], features: StoredFeatures, chosen: Tensor
    ) -> Tensor:
        """Error in the strengths of some pictures.

        Args:
            pair: f_w and f_s (N, 768) of the pictures.
            features: Whose levels and combinations are wanted.
            chosen: Numbers of the pictures.
        """
        errors = [
            _strength_error(head(vector), features, chosen)
            for head, vector in zip(self.heads, pair, strict=True)
        ]
        return torch.stack(errors).sum()

    def score_error(self, pair: Sequence[Tensor], combination: Tensor) -> Tensor | float:
        """Squared error in the mean scores of the combinations; 0 where none is read.

        Args:
            pair: f_w and f_s (N, 768).
            combination: (N,) number in COMBINATIONS, or UNLISTED, which costs nothing.
        """
        if self.score is None or self._scores is None:
            return 0.0
        known = combination != UNLISTED
        off = self.score(*pair)[known] - self._scores[combination[known]]
        return SCORE_WEIGHT * off.square().sum() / len(combination)

    def order_error(self, vectors: Sequence[Tensor], ladders: Tensor) -> Tensor:
        """Error in the order of some ladders' rungs.

        Args:
            vectors: f_w (L * K, 768) of the rungs, ladder by ladder, and f_s where the order is
                read off it, and off the score, too.
            ladders: (L,) their numbers.
        """
        total = vectors[0].new_zeros(())
        for head, vector in zip(self.heads, vectors, strict=False):
            places = _places(head(vector), self._reader[ladders])
            total = total + ORDER_WEIGHT * ladder_error(places, self._margin)
        if self.score is not None and len(vectors) == len(self.heads):
            scores = self.score(*vectors).view(len(ladders), -1)
            total = total + ORDER_WEIGHT * ladder_error(scores, self._margin)
        return total


class ScoreReader(nn.Module):
    """Scores f_w and f_s as the regressor does (Eq. 7 to 9), with one linear layer each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Sequential(nn.LayerNorm(MAX_LENGTH), nn.Linear(MAX_LENGTH, 1))
        self.score = nn.Sequential(nn.LayerNorm(MAX_LENGTH), nn.Linear(MAX_LENGTH, 1))
        nn.init.constant_(self.score[1].bias, 2 * TYPICAL_SCORE)

    def forward(self, fw: Tensor, fs: Tensor) -> Tensor:
        """Give (N,) scores of (N, 768) vectors, in Likert units."""
        return (F.leaky_relu(self.score(fs)) * self.weight(fw).sigmoid()).squeeze(1)


def place_readers(ladders: StoredLadders | None, *, each: bool) -> Tensor:
    """Number the outputs that read the places on ladders.

    One output for all has to find what lost resolution, which smooths, and lost counts, which
    grain, have in common.

    Args:
        ladders: Of which kinds they are.
        each: Whether each kind has an output of its own.

    Returns:
        (L,) of each ladder.
    """
    if ladders is None:
        return torch.zeros(0, dtype=torch.long)
    kinds = sorted(set(ladders.degradations)) if each else []
    return torch.tensor([kinds.index(d) if each else 0 for d in ladders.degradations])


def _places(given: Tensor, reader: Tensor) -> Tensor:
    """Read (L, K) places off the (L * K, ...) outputs of a head, each ladder's by its reader."""
    places = given[:, STRENGTHS:].unflatten(0, (len(reader), -1))
    return places[torch.arange(len(reader)), :, reader]


def _strength_error(given: Tensor, features: StoredFeatures, chosen: Tensor) -> Tensor:
    """Error of (N, 3 + 27 + ...) levels, combinations and, not looked at, places on ladders."""
    logs = given[:, LEVEL_TARGETS:STRENGTHS].log_softmax(1)
    error = combination_error(logs, features.combination[chosen])
    return error + LEVELS_WEIGHT * level_error(given[:, :LEVEL_TARGETS], features.levels[chosen])
