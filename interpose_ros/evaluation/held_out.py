"""How good a calibration is on scenes that were left out of its fit: what may be claimed, and what may not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import chi2

from interpose_ros.evaluation.bootstrap import scene_intervals
from interpose_ros.evaluation.calibration import TARGETS, Observation, fit, left_out_probabilities
from interpose_ros.evaluation.metrics import (
    area_under_risk_coverage,
    brier_score,
    clopper_pearson_interval,
    clopper_pearson_upper,
    log_loss,
)
from interpose_ros.evaluation.pose_errors import ELLIPSOID_LEVEL

FALSE_DEG = 15.0
SEED = 0


def held_out_figures(
    observations: Sequence[Observation],
    names: Sequence[str],
    threshold: float,
    rivals: Mapping[str, str],
    draws: int = 1000,
) -> dict[str, Any]:
    """Figures of probabilities that were each fitted without the scene they are of.

    Args:
        observations: of one estimator.
        names: of the evidence.
        threshold: least probability that is published.
        rivals: evidence that estimates could be ranked by instead, by what it is called.
        draws: of scenes, for the intervals.

    Returns:
        Plain values, of everyday pairs but for ``published.look_alikes``. A ``gain`` is positive where the probabilities
        are better; ``interval_95`` comes from draws of scenes, and ``holds`` says whether it lies on that side of zero.

    Raises:
        CalibrationError: without one of the scenes there is too little to calibrate on.
    """
    found: dict[str, Any] = {}
    for target in TARGETS:
        every = [o for o in observations if not math.isnan(target.of(o))]
        given, always = left_out_probabilities(every, target.right(every), names)
        everyday = np.array([not o.look_alike for o in every])
        rows = [o for o in every if not o.look_alike]
        probability, constant, right = given[everyday], always[everyday], target.right(rows)
        scenes = [o.scene for o in rows]
        gains = scene_intervals(
            lambda k, p=probability, c=constant, r=right: {  # type: ignore[misc]
                "brier": brier_score(c[k], r[k]) - brier_score(p[k], r[k]),
                "log_loss": log_loss(c[k], r[k]) - log_loss(p[k], r[k]),
            },
            scenes,
            SEED,
            draws,
        )
        found[target.name] = {
            "count": len(rows),
            "right": int(right.sum()),
            "brier": brier_score(probability, right),
            "brier_constant": brier_score(constant, right),
            "brier_gain": _gain(brier_score(constant, right) - brier_score(probability, right), gains["brier"]),
            "log_loss": log_loss(probability, right),
            "log_loss_constant": log_loss(constant, right),
            "log_loss_gain": _gain(log_loss(constant, right) - log_loss(probability, right), gains["log_loss"]),
        }
        if target.name == "rotation_5deg":
            found["reliability"] = reliability(probability, right)
            found["risk_coverage"] = ranking(
                probability, rivals_of(rows, rivals), ~right, [o.scene for o in rows], draws
            )
            found["published"] = _published(every, given, threshold)
    found["ellipsoid_coverage_90"] = _ellipsoids(observations, names, threshold, draws)
    return found


def reliability(probability: Float[np.ndarray, "n"], right: np.ndarray, bins: int = 8) -> list[dict[str, Any]]:
    """Bins of equally many estimates: mean probability, share of right ones, and its exact 95 % interval."""
    order = np.argsort(probability, kind="stable")
    found = []
    for part in np.array_split(order, min(bins, len(order))):
        count = int(right[part].sum())
        low, high = clopper_pearson_interval(count, len(part))
        found.append(
            {
                "count": len(part),
                "probability": float(probability[part].mean()),
                "right": count / len(part),
                "interval_95": [low, high],
            }
        )
    return found


def rivals_of(rows: Sequence[Observation], rivals: Mapping[str, str]) -> dict[str, Float[np.ndarray, "n"]]:
    """The evidence of estimates, by what it is called instead of its name."""
    return {what: np.array([o.evidence[name] for o in rows], dtype=np.float64) for what, name in rivals.items()}


def ranking(
    probability: Float[np.ndarray, "n"],
    rivals: Mapping[str, Float[np.ndarray, "n"]],
    wrong: Bool[np.ndarray, "n"],
    scenes: Sequence[str],
    draws: int = 1000,
) -> dict[str, Any]:
    """Area under the risk-coverage curve of probabilities, and what they gain over other ways to rank the same estimates.

    Args:
        probability: of each estimate.
        rivals: other scores of the same estimates, by name.
        wrong: which estimates are.
        scenes: of the estimates.
        draws: of scenes, for the intervals.
    """
    own = area_under_risk_coverage(probability, wrong)
    areas = {what: area_under_risk_coverage(score, wrong) for what, score in rivals.items()}
    intervals = scene_intervals(
        lambda k: {
            what: area_under_risk_coverage(score[k], wrong[k]) - area_under_risk_coverage(probability[k], wrong[k])
            for what, score in rivals.items()
        },
        scenes,
        SEED,
        draws,
    )
    return {
        "area": own,
        **{f"area_by_{what}": area for what, area in areas.items()},
        **{f"gain_over_{what}": _gain(area - own, intervals[what]) for what, area in areas.items()},
    }


def _published(rows: Sequence[Observation], probability: np.ndarray, threshold: float) -> dict[str, Any]:
    accepted = probability >= threshold
    kinds = np.array([o.look_alike for o in rows], dtype=str)
    false = np.array([not o.rotation_error <= FALSE_DEG for o in rows])
    return {
        "threshold": threshold,
        "false": f"rotation more than {FALSE_DEG:g} degrees off, or two places that do not belong together",
        "everyday": _accepts(accepted[kinds == ""], false[kinds == ""]),
        "look_alikes": {
            kind: _accepts(accepted[kinds == kind], false[kinds == kind]) for kind in sorted({*kinds} - {""})
        },
    }


def _accepts(accepted: np.ndarray, false: np.ndarray) -> dict[str, Any]:
    count, wrong = int(accepted.sum()), int((accepted & false).sum())
    return {
        "estimates": len(accepted),
        "accepted": count,
        "coverage": count / len(accepted) if len(accepted) else None,
        "false": wrong,
        "share": wrong / count if count else None,
        "upper_95": clopper_pearson_upper(wrong, count),
    }


def _ellipsoids(
    observations: Sequence[Observation], names: Sequence[str], threshold: float, draws: int
) -> dict[str, Any]:
    """Share of the answers of scenes left out with the truth inside; the factors are of the other scenes, too."""
    inside: dict[str, list[tuple[str, bool]]] = {"rotation": [], "direction": []}
    for scene in sorted({o.scene for o in observations}):
        others = fit([o for o in observations if o.scene != scene], names, threshold)
        for o in observations:
            if o.scene != scene or others.models["rotation_5deg"].probability(o.evidence) < threshold or o.look_alike:
                continue
            lengths = (
                ("rotation", o.rotation_normalised / others.rotation_error_factor, 3),
                ("direction", o.direction_normalised / others.direction_error_factor, 2),
            )
            for name, length, dimensions in lengths:
                if math.isfinite(length):
                    inside[name].append((scene, bool(length**2 <= chi2(dimensions).ppf(ELLIPSOID_LEVEL))))
    found = {}
    for name, rows in inside.items():
        flags = np.array([flag for _, flag in rows], np.float64)
        share = float(flags.mean()) if len(flags) else math.nan
        interval = scene_intervals(_share_of(flags), [scene for scene, _ in rows], SEED, draws)
        low, high = interval.get("share", (math.nan, math.nan))
        found[name] = {
            "of": "answers to everyday pairs that belong together",
            "count": len(rows),
            "share": share,
            "interval_95": [low, high],
            "holds_80_to_97": bool(low >= 0.80 and high <= 0.97),
        }
    return found


def _share_of(flags: Float[np.ndarray, "n"]) -> Callable[[Int[np.ndarray, "k"]], Mapping[str, float]]:
    return lambda chosen: {"share": float(flags[chosen].mean())}


def _gain(value: float, interval: tuple[float, float]) -> dict[str, Any]:
    return {"value": value, "interval_95": list(interval), "holds": bool(interval[0] > 0.0)}
