"""What is kept of pictures once their backbones' work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.datasets.slice_ladders import SEVERAL
from training.degradations import DEGRADATIONS
from training.loss_toll import loss_number
from training.picture_degradations import PICTURE_DEGRADATIONS


@dataclass(frozen=True)
class StoredFeatures:
    """Features and targets of N pictures.

    Attributes:
        stages: For F_1 to F_4 the (N, C_i, 7, 7) averages, float16.
        last: Swin's last stage, (N, 768, 7, 7) float16.
        levels: (N, 3) strengths.
        combination: (N,) number in COMBINATIONS, or UNLISTED.
        score: (N,) the radiologists' mean, NaN where there is none.
        owner: Whose picture each is.
    """

    stages: tuple[Tensor, ...]
    last: Tensor
    levels: Tensor
    combination: Tensor
    score: Tensor
    owner: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, chosen: Tensor) -> StoredFeatures:
        """Give the pictures with these numbers."""
        return StoredFeatures(
            tuple(s[chosen] for s in self.stages),
            self.last[chosen],
            self.levels[chosen],
            self.combination[chosen],
            self.score[chosen],
            tuple(self.owner[i] for i in chosen.tolist()),
        )

    def of(self, owners: Sequence[str]) -> StoredFeatures:
        """Give the pictures of these patients."""
        return self.take(torch.tensor([i for i, o in enumerate(self.owner) if o in owners]).long())


@dataclass(frozen=True)
class StoredLadders:
    """Features of L ladders.

    Attributes:
        features: Of their rungs, one ladder after the other.
        rungs: Of each.
        degradations: (L,) what was done to a clean study, or to a picture; "" for varied ladders.
    """

    features: StoredFeatures
    rungs: int
    degradations: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.degradations)

    def rows(self, chosen: Tensor) -> Tensor:
        """Numbers of the rungs of these ladders among the features, ladder by ladder."""
        return (self.rungs * chosen[:, None] + torch.arange(self.rungs)).flatten()

    def of_studies(self) -> Tensor:
        """Numbers of the ladders that are slices of clean studies."""
        realistic = {degradation.name for degradation in DEGRADATIONS}
        return torch.tensor([i for i, d in enumerate(self.degradations) if d in realistic]).long()

    def for_fusion(self) -> StoredLadders | None:
        """Those that the fusion learns from: all but the pictures of clean studies.

        These look coarser than any labelled picture, and the fusion tells such distortions apart
        without them; what lacks is an order of the scores.
        """
        of_pictures = {degradation.name for degradation in PICTURE_DEGRADATIONS}
        chosen = [
            i
            for i, name in enumerate(self.degradations)
            if name not in of_pictures or self.features.owner[self.rungs * i] == SEVERAL
        ]
        if len(chosen) == len(self):
            return self
        if not chosen:
            return None
        rows = self.rows(torch.tensor(chosen))
        names = tuple(self.degradations[i] for i in chosen)
        return StoredLadders(self.features.take(rows), self.rungs, names)

    def losses(self) -> Tensor:
        """Kind of what was done, by `training.loss_toll.loss_number`: (L,)."""
        return torch.tensor([loss_number(name) for name in self.degradations]).long()

    def weights(self, times: Mapping[str, float]) -> Tensor:
        """How often each is drawn against the others.

        Args:
            times: By degradation; 1 for those not named and for varied ladders.

        Returns:
            (L,).
        """
        return torch.tensor([float(times.get(name, 1.0)) for name in self.degradations])


def together(first: StoredFeatures, second: StoredFeatures) -> StoredFeatures:
    """Put the pictures of two sets one after the other."""
    return StoredFeatures(
        tuple(torch.cat(pair) for pair in zip(first.stages, second.stages, strict=True)),
        torch.cat((first.last, second.last)),
        torch.cat((first.levels, second.levels)),
        torch.cat((first.combination, second.combination)),
        torch.cat((first.score, second.score)),
        first.owner + second.owner,
    )
