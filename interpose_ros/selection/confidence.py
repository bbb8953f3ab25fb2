"""Confidence of a pose: calibrated probabilities from named evidence, never a raw score under another name."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

_log = logging.getLogger(__name__)

UNCALIBRATED = "UNCALIBRATED"


@dataclass(frozen=True)
class Confidence:
    """Probabilities that an estimate is right.

    Attributes:
        rotation_5deg, rotation_15deg: rotation within 5 and within 15 degrees; NaN where uncalibrated.
        direction_10deg: translation direction within 10 degrees; NaN where uncalibrated or without a direction.
        calibration_id: names the calibration, or ``UNCALIBRATED``.
    """

    rotation_5deg: float
    rotation_15deg: float
    direction_10deg: float
    calibration_id: str

    @property
    def is_calibrated(self) -> bool:
        """Whether the numbers are probabilities."""
        return self.calibration_id != UNCALIBRATED


UNCALIBRATED_CONFIDENCE = Confidence(math.nan, math.nan, math.nan, UNCALIBRATED)


LOGARITHM = "log:"
"""Before the name of evidence: its natural logarithm is meant."""

LEAST_LOGARITHM_OF = 1e-3
"""Evidence below counts as this: a share of nothing would be infinitely bad."""


def evidence_value(evidence: Mapping[str, float], name: str) -> float:
    """Named evidence, or the logarithm of it where the name begins with ``log:``; NaN where it was not measured."""
    value = evidence.get(name.removeprefix(LOGARITHM), math.nan)
    if not name.startswith(LOGARITHM) or math.isnan(value):
        return value
    return math.log(max(value, LEAST_LOGARITHM_OF))


@dataclass(frozen=True)
class LogisticModel:
    """Probability from evidence: ``1 / (1 + exp(-(intercept + sum weights[name] * evidence_value(evidence, name))))``."""

    intercept: float
    weights: Mapping[str, float]

    def probability(self, evidence: Mapping[str, float]) -> float:
        """Probability for the given evidence; NaN where a number that the model needs was not measured."""
        logit = self.intercept
        for name, weight in self.weights.items():
            logit += weight * evidence_value(evidence, name)
        if math.isnan(logit):
            return math.nan
        return 1.0 / (1.0 + math.exp(-min(max(logit, -60.0), 60.0)))


@dataclass(frozen=True)
class Calibration:
    """Maps the evidence of one branch and estimator to probabilities.

    Attributes:
        calibration_id: names it in every answer.
        branch, estimator: what it is for.
        model_hash: fingerprint of the weights and settings whose evidence it was fitted to; it holds for no others.
        rotation_5deg, rotation_15deg, direction_10deg: the probabilities' models.
        description: data it was fitted on, and how small that is.
        rotation_error_factor, direction_error_factor: observed over predicted standard deviation of right answers.
    """

    calibration_id: str
    branch: str
    estimator: str
    model_hash: str
    rotation_5deg: LogisticModel
    rotation_15deg: LogisticModel
    direction_10deg: LogisticModel
    description: str
    rotation_error_factor: float
    direction_error_factor: float

    def confidence(self, evidence: Mapping[str, float], has_direction: bool) -> Confidence:
        """Probabilities for the given evidence."""
        within_5deg = self.rotation_5deg.probability(evidence)
        return Confidence(
            within_5deg,
            # Fitted apart, so they may cross; what is within 5 degrees is within 15.
            max(within_5deg, self.rotation_15deg.probability(evidence)),
            self.direction_10deg.probability(evidence) if has_direction else math.nan,
            self.calibration_id,
        )


def load_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        ValueError: the file is not a calibration; the message names it and what is wrong.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        models = {
            name: LogisticModel(float(data[name]["intercept"]), {k: float(v) for k, v in data[name]["weights"].items()})
            for name in ("rotation_5deg", "rotation_15deg", "direction_10deg")
        }
        return Calibration(
            calibration_id=str(data["calibration_id"]),
            branch=str(data["branch"]),
            estimator=str(data["estimator"]),
            model_hash=str(data["model_hash"]),
            description=str(data["description"]),
            rotation_error_factor=float(data["rotation_error_factor"]),
            direction_error_factor=float(data["direction_error_factor"]),
            **models,
        )
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a calibration file: {error}") from error


def shipped_calibrations() -> dict[tuple[str, str], Calibration]:
    """The calibrations that come with the package, by branch and estimator."""
    return calibrations_in(Path(str(resources.files("interpose_ros.selection").joinpath("calibrations"))))


def calibrations_in(folder: Path) -> dict[tuple[str, str], Calibration]:
    """The calibration files of a folder, by branch and estimator.

    Raises:
        ValueError: there is no such folder, a file in it is not a calibration, or two are for the same.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of calibrations: `interpose calibrate --out DIR` makes one")
    found: dict[tuple[str, str], Calibration] = {}
    for path in sorted(folder.glob("*.json")):
        calibration = load_calibration(path)
        key = (calibration.branch, calibration.estimator)
        if key in found:
            raise ValueError(f"{folder} holds two calibrations for {key[1]} in the branch {key[0]}: keep one")
        found[key] = calibration
    return found


def fitting_calibrations(
    calibrations: Mapping[tuple[str, str], Calibration], model_hashes: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], Calibration]:
    """The calibrations that belong to the models that are in use; the log says which are left out and why.

    Args:
        calibrations: by branch and estimator.
        model_hashes: fingerprints of what is in use, by branch and estimator.
    """
    fitting = {}
    for key, model_hash in model_hashes.items():
        calibration = calibrations.get(key)
        if calibration is None:
            continue
        if calibration.model_hash == model_hash:
            fitting[key] = calibration
        else:
            _log.warning(
                "%s: answers of %s in the branch %s stay %s: the calibration was fitted to the model %s, in use is %s. "
                "Other weights, or other settings of features, two_view or frames, need a calibration of their own "
                "(`interpose calibrate`)",
                calibration.calibration_id, key[1], key[0], UNCALIBRATED, calibration.model_hash, model_hash,
            )  # fmt: skip
    return fitting
