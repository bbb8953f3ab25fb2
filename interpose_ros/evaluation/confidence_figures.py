"""How far the confidence of a run may be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from interpose_ros.evaluation.metrics import (
    area_under_risk_coverage,
    brier_score,
    calibration_error_noise_floor,
    clopper_pearson_upper,
    expected_calibration_error,
    log_loss,
    risk_at_coverage,
)

RIGHT_DEG, FALSE_DEG = 5.0, 15.0
COVERAGES = (25, 50, 75, 100)

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Judged:
    """Probabilities of a rotation within 5 degrees, and what came of them.

    Attributes:
        probability: calibrated.
        error_deg: of the rotation; infinite for two places that do not belong together.
        scenes: of every row.
        calibration_ids: that the probabilities come from.
        without: hypotheses of the run that have no calibrated probability, and are left out.
    """

    probability: Float[np.ndarray, "n"]
    error_deg: Float[np.ndarray, "n"]
    scenes: tuple[str, ...]
    calibration_ids: tuple[str, ...] = ()
    without: int = 0

    @property
    def right(self) -> Bool[np.ndarray, "n"]:
        """Which are within 5 degrees."""
        return self.error_deg <= RIGHT_DEG

    def rows(self, chosen: Int[np.ndarray, "k"]) -> Judged:
        """The given rows."""
        return Judged(self.probability[chosen], self.error_deg[chosen], tuple(self.scenes[k] for k in chosen))


def judged_rows(rows: Sequence[Row]) -> Judged:
    """One hypothesis per pair: the answer, or in a refusal the one that came closest to being it.

    Refusals take part, since a low probability is a claim like a high one. Pairs without any estimate claim nothing.
    """
    probability, errors, scenes, ids, without = [], [], [], set(), 0
    for row in rows:
        standing = [c for c in row["candidates"] if c["weighed"] and c["status"] == "ok"]
        known = [c for c in standing if _probability(c) is not None]
        chosen = next((c for c in standing if c["selected"]), None) or max(known, key=_rank, default=None)
        value = None if chosen is None else _probability(chosen)
        if chosen is None or value is None:
            without += bool(standing)
            continue
        probability.append(value)
        errors.append(np.inf if not row["related"] else chosen["rotation_error_deg"])
        scenes.append(row["scene"])
        ids.add(chosen["confidence"]["calibration_id"])
    return Judged(
        np.array(probability, np.float64), np.array(errors, np.float64), tuple(scenes), tuple(sorted(ids)), without
    )


def confidence_summary(judged: Judged, threshold: float, seed: int) -> dict[str, Any]:
    """The field ``confidence`` of summary.json.

    Args:
        judged: hypotheses with probabilities.
        threshold: least probability that is published.
        seed: of the draws behind the noise floor of the calibration error.
    """
    probability, right = judged.probability, judged.right
    floor_mean, floor_95 = calibration_error_noise_floor(probability, seed)
    wrong = ~right
    accepted = probability >= threshold
    false = int(np.sum(accepted & (judged.error_deg > FALSE_DEG)))
    count = int(accepted.sum())
    return {
        "of": "rotation within 5 degrees",
        "n": len(probability),
        "uncalibrated": judged.without,
        "calibration_ids": list(judged.calibration_ids),
        "right": int(right.sum()),
        **ranking_figures(judged, prefix=""),
        "ece_noise_floor": {"mean": floor_mean, "percentile_95": floor_95},
        "risk_at_coverage": {str(c): risk_at_coverage(probability, wrong, c / 100.0) for c in COVERAGES},
        "false_accepts": {
            "threshold": threshold,
            "accepted": count,
            "coverage": count / len(probability) if len(probability) else np.nan,
            "more_than_15_deg_off": false,
            "share": false / count if count else np.nan,
            "upper_95": clopper_pearson_upper(false, count) if count else np.nan,
            "bound": "one-sided Clopper-Pearson, 95 %",
        },
    }


def ranking_figures(judged: Judged, prefix: str = "confidence.") -> dict[str, float]:
    """Scores of the probabilities, beside those of the constant that fits these very rows best."""
    probability, right = judged.probability, judged.right
    constant = np.full(len(right), right.mean() if len(right) else np.nan)
    figures = {
        "brier": brier_score(probability, right),
        "brier_constant": brier_score(constant, right),
        "log_loss": log_loss(probability, right),
        "log_loss_constant": log_loss(constant, right),
        "ece": float(expected_calibration_error(probability, right.astype(np.float64))),
        "aurc": area_under_risk_coverage(probability, ~right),
    }
    return {f"{prefix}{name}": value for name, value in figures.items()}


def _probability(candidate: Row) -> float | None:
    confidence = candidate["confidence"]
    return None if confidence is None else confidence["rotation_5deg"]


def _rank(candidate: Row) -> float:
    return _probability(candidate) or 0.0
