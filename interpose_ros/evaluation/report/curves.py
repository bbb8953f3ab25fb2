"""The curves of a report, from rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.accuracy import Accuracy, accuracy_of
from interpose_ros.evaluation.confidence_figures import judged_rows
from interpose_ros.evaluation.held_out import reliability
from interpose_ros.evaluation.hypotheses import hypotheses_by_kind, oracle_hypotheses
from interpose_ros.evaluation.metrics import larger_error, risk_by_coverage

Row = Mapping[str, Any]
MOST_POINTS = 200
RECALL_LIMIT_DEG, RECALL_STEP_DEG = 30.0, 0.25


def recall_curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Share of related pairs within an error, over the error in degrees; a refusal is a miss."""
    related = [row for row in rows if row["related"]]
    if not related:
        return []
    answers = accuracy_of(related, related)
    curves = [
        _recall("answers: rotation", answers.rotation, True),
        _recall("answers: translation direction", answers.translation, True),
        _recall("answers: larger of both", larger_error(answers.rotation, answers.translation), False),
    ]
    for kind, chosen in hypotheses_by_kind(related):
        found: Accuracy = accuracy_of(chosen, related)
        curves.append(_recall(f"{kind['estimator']}, {kind['frames']}: rotation", found.rotation, False))
    oracle = accuracy_of(oracle_hypotheses(related), related)
    curves.append(_recall("oracle: rotation", oracle.rotation, True))
    return [curve for curve in curves if curve["points"]]


def risk_coverage_curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Share of estimates more than 5 degrees off, over the share that is kept, by what they are ranked by."""
    seen = [(row, _standing(row)) for row in rows]
    known = [(row, c) for row, c in seen if c is not None]
    if not known:
        return []
    # Rankings are compared over the same estimates: those with a confidence, where there are any.
    known = [(row, c) for row, c in known if _probability(c) is not None] or known
    wrong = np.array([not (row["related"] and c["rotation_error_deg"] <= 5.0) for row, c in known])
    scores: dict[str, list[float | None]] = {
        "confidence": [_probability(c) for _, c in known],
        "verified matches": [float(row["inliers"]) for row, _ in known],
        "overlap": [row["overlap"] for row, _ in known],
    }
    curves = []
    for name, values in scores.items():
        score = np.array([value for value in values if value is not None], dtype=np.float64)
        if len(score) == len(known):
            risks = risk_by_coverage(score, wrong)
            coverage = np.arange(1, len(risks) + 1) / len(risks)
            curves.append({"name": name, "on": True, "points": _thinned(coverage, risks)})
    return curves


def reliability_bins(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What was said beside what came of it, in bins of equally many estimates."""
    judged = judged_rows(rows)
    return reliability(judged.probability, judged.right) if len(judged.probability) else []


def _standing(row: Row) -> Row | None:
    """The hypothesis that a pair stands for: its answer, or what came closest to being it."""
    standing = [c for c in row["candidates"] if c.get("weighed", True) and c["status"] == "ok"]
    if not standing:
        return None
    return next((c for c in standing if c["selected"]), None) or max(standing, key=lambda c: _probability(c) or 0.0)


def _probability(candidate: Row) -> float | None:
    confidence = candidate["confidence"]
    return None if confidence is None else confidence["rotation_5deg"]


def _recall(name: str, errors: Float[np.ndarray, "n"], on: bool) -> dict[str, Any]:
    known = np.sort(errors[~np.isnan(errors)])
    if not known.size:
        return {"name": name, "on": on, "points": []}
    limits = np.arange(0.0, RECALL_LIMIT_DEG + RECALL_STEP_DEG / 2, RECALL_STEP_DEG)
    shares = np.searchsorted(known, limits, side="right") / known.size
    return {
        "name": name,
        "on": on,
        "points": [[float(x), round(float(y), 4)] for x, y in zip(limits, shares, strict=True)],
    }


def _thinned(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> list[list[float]]:
    chosen = np.unique(np.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).astype(int))
    return [[round(float(x[k]), 4), round(float(y[k]), 4)] for k in chosen if math.isfinite(y[k])]
