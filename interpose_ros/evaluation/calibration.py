"""Fits the probabilities that an estimate is right to what was seen on pairs with known truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.stats import chi2

from interpose_ros.evaluation.pose_errors import ELLIPSOID_LEVEL
from interpose_ros.selection.confidence import LogisticModel, evidence_value

MIN_SCENES, MIN_RIGHT, MIN_WRONG = 5, 30, 30
"""Fewest scenes, right and wrong estimates that a calibration may rest on."""

LOOK_ALIKE_SHARE = 0.003
"""Look-alikes made on purpose count as if three estimates in a thousand were of one: an assumption, not a measurement. Their
evidence is that of right answers, so their share in the fit is the share of doubt in the best of answers."""

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
        rotation_error: degrees; infinite for two places that do not belong together.
        direction_error: degrees; NaN where the estimate or the truth has no direction.
        rotation_normalised, direction_normalised: Mahalanobis length of the error by the estimate's own, unscaled
            covariance; NaN where there is none.
        look_alike: what deceives about the pair on purpose; "" for everyday pairs.
    """

    scene: str
    evidence: Mapping[str, float]
    rotation_error: float
    direction_error: float = math.nan
    rotation_normalised: float = math.nan
    direction_normalised: float = math.nan
    look_alike: str = ""


@dataclass(frozen=True)
class Target:
    """What a probability is of: an error of at most so many degrees."""

    name: str
    error: Literal["rotation", "direction"]
    degrees: float

    def of(self, observation: Observation) -> float:
        """The error that counts."""
        return observation.rotation_error if self.error == "rotation" else observation.direction_error

    def right(self, observations: Sequence[Observation]) -> Bool[np.ndarray, "n"]:
        """Which observations are right; an error that is NaN or infinite is wrong."""
        return np.array([self.of(observation) <= self.degrees for observation in observations], dtype=bool)


TARGETS = (
    Target("rotation_5deg", "rotation", 5.0),
    Target("rotation_15deg", "rotation", 15.0),
    Target("direction_10deg", "direction", 10.0),
)


@dataclass(frozen=True)
class Fit:
    """A calibration's numbers.

    Attributes:
        models: probabilities, by the names of ``TARGETS``.
        rotation_error_factor, direction_error_factor: observed over predicted standard deviation of answers.
    """

    models: Mapping[str, LogisticModel]
    rotation_error_factor: float
    direction_error_factor: float


def fit(observations: Sequence[Observation], names: Sequence[str], threshold: float) -> Fit:
    """Probabilities from the named evidence, and factors for the predicted errors.

    Args:
        observations: of one estimator.
        names: of the evidence.
        threshold: least probability of a rotation within 5 degrees of what counts as an answer; the factors are theirs.

    Raises:
        CalibrationError: there is too little to calibrate on.
    """
    models = {}
    for target in TARGETS:
        rows = [o for o in observations if not math.isnan(target.of(o))]
        try:
            models[target.name] = fit_logistic(rows, target.right(rows), names)
        except CalibrationError as error:
            raise CalibrationError(f"{target.name}: {error}") from error
    answers = [o for o in observations if models["rotation_5deg"].probability(o.evidence) >= threshold]
    return Fit(
        models,
        error_factor(np.array([o.rotation_normalised for o in answers if o.rotation_error <= 5.0]), 3),
        error_factor(np.array([o.direction_normalised for o in answers if o.direction_error <= 10.0]), 2),
    )


def error_factor(normalised: Float[np.ndarray, "n"], dimensions: int) -> float:
    """Factor on predicted standard deviations with which the 90 % ellipsoids hold 90 % of the errors.

    Args:
        normalised: Mahalanobis lengths of right answers' errors; NaN where there is none.
        dimensions: that the error has.

    Raises:
        CalibrationError: there are too few.
    """
    known = normalised[np.isfinite(normalised)]
    if known.size < MIN_RIGHT:
        raise CalibrationError(
            f"{known.size} right answers with a predicted error of {dimensions} dimensions; {MIN_RIGHT} are needed"
        )
    return float(np.quantile(known, ELLIPSOID_LEVEL) / np.sqrt(chi2(dimensions).ppf(ELLIPSOID_LEVEL)))


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
    sign, counts = np.where(right, 1.0, -1.0), _weights(observations)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (parameters[0] + standardised @ parameters[1:])
        slope = -counts * sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.concatenate([[slope.sum()], standardised.T @ slope + RIDGE * parameters[1:]])
        likelihood = counts * np.logaddexp(0.0, -margin)
        return float(likelihood.sum() + 0.5 * RIDGE * np.sum(parameters[1:] ** 2)), gradient

    best = minimize(loss, np.zeros(len(names) + 1), jac=True, method="BFGS").x
    slopes = best[1:] / spread
    return LogisticModel(float(best[0] - slopes @ mean), dict(zip(names, map(float, slopes), strict=True)))


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


def _matrix(observations: Sequence[Observation], names: Sequence[str]) -> Float[np.ndarray, "n k"]:
    values = [[evidence_value(observation.evidence, name) for name in names] for observation in observations]
    return np.array(values, dtype=np.float64)


def _weights(observations: Sequence[Observation]) -> Float[np.ndarray, "n"]:
    """What each observation counts for: one, but all look-alikes together no more than ``LOOK_ALIKE_SHARE``."""
    deceptive = np.array([bool(observation.look_alike) for observation in observations])
    weights = np.ones(len(observations))
    if deceptive.any():
        weights[deceptive] = min(1.0, LOOK_ALIKE_SHARE * float(np.sum(~deceptive)) / float(deceptive.sum()))
    return weights
