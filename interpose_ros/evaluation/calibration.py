"""Fits the probabilities that an estimate is right to what was seen on pairs with known truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize

from interpose_ros.selection.confidence import LogisticModel

MIN_SCENES, MIN_RIGHT, MIN_WRONG = 5, 30, 30
"""Fewest scenes, right and wrong estimates that a calibration may rest on."""

RIDGE = 1.0
"""Weight of the squared coefficients (of standardised evidence) beside the log-likelihood of all rows."""


class CalibrationError(ValueError):
    """There is too little to calibrate on; the message says of what."""


@dataclass(frozen=True)
class Observation:
    """An estimate beside the truth.

    Attributes:
        scene: rows of one scene are left out together when a fit is judged.
        evidence: what the estimate came with.
        rotation_error: radians; infinite for two places that do not belong together.
        direction_error: radians; NaN where the estimate or the truth has no direction.
    """

    scene: str
    evidence: Mapping[str, float]
    rotation_error: float
    direction_error: float = math.nan


@dataclass(frozen=True)
class Judgement:
    """How good the probabilities are on scenes that were left out of the fit.

    Attributes:
        count, right: estimates, and right ones among them.
        brier, log_loss: of the probabilities; ``constant_*`` of always saying the share of right ones in the other scenes.
    """

    count: int
    right: int
    brier: float
    log_loss: float
    constant_brier: float
    constant_log_loss: float


def fit_logistic(
    observations: Sequence[Observation], right: Bool[np.ndarray, "n"], names: Sequence[str]
) -> LogisticModel:
    """Ridge logistic regression of being right on the named evidence.

    Raises:
        CalibrationError: there are too few scenes, or too few right or wrong estimates.
    """
    scenes = {observation.scene for observation in observations}
    count = int(right.sum())
    if len(scenes) < MIN_SCENES or count < MIN_RIGHT or len(right) - count < MIN_WRONG:
        raise CalibrationError(
            f"{len(scenes)} scenes with {count} right and {len(right) - count} wrong estimates; at least {MIN_SCENES}, "
            f"{MIN_RIGHT} and {MIN_WRONG} are needed"
        )
    evidence = _matrix(observations, names)
    mean, spread = evidence.mean(axis=0), np.maximum(evidence.std(axis=0), 1e-9)
    standardised = (evidence - mean) / spread
    sign = np.where(right, 1.0, -1.0)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (parameters[0] + standardised @ parameters[1:])
        slope = -sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.concatenate([[slope.sum()], standardised.T @ slope + RIDGE * parameters[1:]])
        return float(np.logaddexp(0.0, -margin).sum() + 0.5 * RIDGE * np.sum(parameters[1:] ** 2)), gradient

    best = minimize(loss, np.zeros(len(names) + 1), jac=True, method="BFGS").x
    weights = best[1:] / spread
    return LogisticModel(float(best[0] - weights @ mean), dict(zip(names, map(float, weights), strict=True)))


def left_out_probabilities(
    observations: Sequence[Observation], right: Bool[np.ndarray, "n"], names: Sequence[str]
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Probability of each row from a fit without its scene, and the share of right rows in the other scenes."""
    scenes = np.array([observation.scene for observation in observations])
    probability, constant = np.empty(len(right)), np.empty(len(right))
    for scene in np.unique(scenes):
        out = scenes == scene
        model = fit_logistic([o for o, gone in zip(observations, out, strict=True) if not gone], right[~out], names)
        probability[out] = [model.probability(o.evidence) for o, gone in zip(observations, out, strict=True) if gone]
        constant[out] = right[~out].mean()
    return probability, constant


def judge(
    probability: Float[np.ndarray, "n"], constant: Float[np.ndarray, "n"], right: Bool[np.ndarray, "n"]
) -> Judgement:
    """Scores of probabilities beside those of the constants."""

    def log_loss(p: np.ndarray) -> float:
        kept = np.clip(p, 1e-6, 1 - 1e-6)
        return float(-np.mean(np.where(right, np.log(kept), np.log(1 - kept))))

    def brier(p: np.ndarray) -> float:
        return float(np.mean((p - right) ** 2))

    return Judgement(
        len(right), int(right.sum()), brier(probability), log_loss(probability), brier(constant), log_loss(constant)
    )


def right_within(
    observations: Sequence[Observation], error: Callable[[Observation], float], limit: float
) -> Bool[np.ndarray, "n"]:
    """Which errors are at most the limit (radians); an error that is NaN or infinite is wrong."""
    return np.array([error(observation) <= limit for observation in observations], dtype=bool)


def _matrix(observations: Sequence[Observation], names: Sequence[str]) -> Float[np.ndarray, "n k"]:
    return np.array([[observation.evidence[name] for name in names] for observation in observations], dtype=np.float64)
