"""Answers as plain JSON values. Angles in degrees; what does not exist is null, never a number that could pass for one."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from interpose_ros.answer import Candidate, PairAnswer
from interpose_ros.geometry.distances import rotation_angle
from interpose_ros.refusal import Refusal


def answer_as_dict(answer: PairAnswer) -> dict[str, Any]:
    """The answer with its evidence and all candidates; ``R_b_a`` and ``direction_b_a`` are null in a refusal."""
    estimate, confidence = answer.estimate, answer.confidence
    return {
        "status": "ok" if answer.refusal is None else answer.refusal.reason.value,
        "reason": "" if answer.refusal is None else answer.refusal.text,
        "branch": answer.branch.value,
        "R_b_a": None if estimate is None else estimate.R_b_a.tolist(),
        "direction_b_a": None
        if estimate is None or estimate.direction_b_a is None
        else estimate.direction_b_a.tolist(),
        "rotation_deg": None if estimate is None else float(np.degrees(rotation_angle(estimate.R_b_a))),
        "model": None if estimate is None else estimate.model.value,
        "scale": None if answer.scale is None else {"source": answer.scale.source.value, "metres": answer.scale.metres},
        "confidence": None
        if confidence is None
        else {
            "rotation_5deg": _number(confidence.rotation_5deg),
            "rotation_15deg": _number(confidence.rotation_15deg),
            "direction_10deg": _number(confidence.direction_10deg),
            "calibration_id": confidence.calibration_id,
        },
        "overlap": {"a": answer.overlap.share_a, "b": answer.overlap.share_b},
        "inliers": answer.inliers,
        "frames_used": len(answer.frames_used),
        "candidates": [_candidate(candidate) for candidate in answer.candidates],
        "stage_seconds": dict(answer.stage_seconds),
        "work": None if answer.work is None else asdict(answer.work),
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    result = candidate.result
    return {
        "estimator": candidate.estimator,
        "interpolator": None if candidate.clip is None else candidate.clip.interpolator,
        "selected": candidate.selected,
        "reason": result.text if isinstance(result, Refusal) else candidate.against,
        "evidence": {} if isinstance(result, Refusal) else {k: _number(v) for k, v in result.evidence.items()},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
