"""The curve that the IQA field fits between predicted and given scores before it measures PLCC.

Methods give scores on scales of their own, bent in ways of their own. The field therefore maps
them onto the given scores by a monotonic curve first: four parameters in VQEG's final report on
the validation of objective video quality models (phase I, 2000), five in Sheikh, Sabir and
Bovik, "A statistical evaluation of recent full reference image quality assessment algorithms"
(IEEE Trans. Image Processing 15, 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import expit

Parameters = Literal[4, 5]
FloatArray = npt.NDArray[np.float64]

EVALUATIONS = 400
"""Of the curve, in each of the fit's two attempts."""


@dataclass(frozen=True)
class Logistic:
    """A fitted curve.

    Attributes:
        parameters: 4: b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)).
            5: b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5.
        centre: Subtracted from the scores before the curve sees them.
        spread: Divided by after that.
        values: b1 to b4 or b5, of the curve over the scores thus standardised.
    """

    parameters: Parameters
    centre: float
    spread: float
    values: tuple[float, ...]

    def __call__(self, predicted: npt.ArrayLike) -> FloatArray:
        """Map (N,) predicted onto given scores."""
        x = (np.asarray(predicted, np.float64) - self.centre) / self.spread
        return _curve(self.parameters, np.array(self.values), x)


def fit_logistic(
    predicted: npt.ArrayLike, given: npt.ArrayLike, parameters: Parameters = 4
) -> Logistic:
    """Fit the curve by least squares, rising or falling, whichever comes closer.

    Args:
        predicted: (N,) scores of a method, on any scale.
        given: (N,) scores of people.
        parameters: Which curve.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(given, np.float64)
    centre, spread = float(p.mean()), float(p.std())
    if spread == 0:
        flat = (g.mean(), g.mean(), 0.0, 1.0) if parameters == 4 else (0.0, 1.0, 0.0, 0.0, g.mean())
        return Logistic(parameters, centre, 1.0, tuple(float(v) for v in flat))
    x = (p - centre) / spread
    if p.size <= parameters:
        # As many points as parameters: a straight line is all that they can tell.
        slope, level = np.polyfit(x, g, 1)
        return Logistic(5, centre, spread, (0.0, 1.0, 0.0, float(slope), float(level)))
    attempts = [
        least_squares(
            lambda b: _curve(parameters, b, x) - g, start, method="lm", max_nfev=EVALUATIONS
        )
        for start in _starts(parameters, g)
    ]
    best = min(attempts, key=lambda attempt: attempt.cost)
    return Logistic(parameters, centre, spread, tuple(float(v) for v in best.x))


def _curve(parameters: Parameters, b: FloatArray, x: FloatArray) -> FloatArray:
    if parameters == 4:
        # |b4|: the direction lies in b1 and b2 alone, so that no curve has two descriptions.
        return b[1] + (b[0] - b[1]) * expit((x - b[2]) / max(abs(b[3]), 1e-6))
    return b[0] * (expit(b[1] * (x - b[2])) - 0.5) + b[3] * x + b[4]


def _starts(parameters: Parameters, given: FloatArray) -> tuple[list[float], ...]:
    low, high = float(given.min()), float(given.max())
    if parameters == 4:
        return [high, low, 0.0, 0.5], [low, high, 0.0, 0.5]
    middle = (low + high) / 2
    return [high - low, 1.0, 0.0, 0.0, middle], [low - high, 1.0, 0.0, 0.0, middle]
