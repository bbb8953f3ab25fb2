"""A row of rows.jsonl. Angles in degrees; what does not exist is null, never a number that could pass for one.

``docs/evaluation.md`` lists the fields. Every row stands alone: it names its images, and holds the truth, the answer, every
hypothesis with its errors and evidence, and the time that each stage took.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.answer import Branch, Candidate, PairAnswer
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.evaluation.pose_errors import PoseErrors, has_baseline, pose_errors
from interpose_ros.geometry.distances import rotation_angle
from interpose_ros.refusal import Refusal
from interpose_ros.selection.confidence import Confidence

MOST_MATCHES = 150
"""Matches kept in a row, for pictures."""


def pair_row(
    number: int,
    pair: LabelledPair,
    answer: PairAnswer,
    candidates: Sequence[Mapping[str, Any]],
    frames: Mapping[int, Path],
    seconds: float,
    min_baseline: float,
) -> dict[str, Any]:
    """The row of a pair that went through the pipeline.

    Args:
        number: of the pair in its file.
        pair: with the truth.
        answer: of the pipeline.
        candidates: rows of all hypotheses.
        frames: files of the frames in between by the stamps that they were offered with.
        seconds: wall-clock time of the answer alone.
        min_baseline: shorter true translations have no direction.
    """
    estimate = answer.estimate
    selected = next((c for c in candidates if c["selected"]), None)
    errors = _NO_ERRORS if selected is None else {name: selected[name] for name in _NO_ERRORS}
    return {
        **given_fields(number, pair, min_baseline),
        "status": "ok" if answer.refusal is None else answer.refusal.reason.value,
        "reason": "" if answer.refusal is None else answer.refusal.text,
        "answered": estimate is not None,
        "branch": answer.branch.value,
        "estimator": None if selected is None else selected["estimator"],
        "interpolator": None if selected is None else selected["interpolator"],
        "model": None if estimate is None else estimate.model.value,
        "R_b_a": None if estimate is None else estimate.R_b_a.tolist(),
        "direction_b_a": None
        if estimate is None or estimate.direction_b_a is None
        else estimate.direction_b_a.tolist(),
        **errors,
        "confidence": None if selected is None else selected["confidence"],
        "overlap": answer.overlap.smaller,
        "overlap_a": answer.overlap.share_a,
        "overlap_b": answer.overlap.share_b,
        "inliers": answer.inliers,
        "frames_used": len(answer.frames_used),
        "frames": [
            str(frames[view.keyframe_id.stamp_ns]) for view in answer.frames_used if view.keyframe_id.stamp_ns in frames
        ],
        "matches": _matches(answer),
        "candidates": list(candidates),
        "stage_seconds": dict(answer.stage_seconds),
        "work": None if answer.work is None else asdict(answer.work),
        "seconds": seconds,
    }


def refused_row(number: int, pair: LabelledPair, refusal: Refusal, min_baseline: float) -> dict[str, Any]:
    """The row of a pair that never reached the pipeline, or of which the worker died."""
    return {
        **given_fields(number, pair, min_baseline),
        "status": refusal.reason.value,
        "reason": refusal.text,
        "answered": False,
        "branch": Branch.NONE.value,
        "estimator": None,
        "interpolator": None,
        "model": None,
        "R_b_a": None,
        "direction_b_a": None,
        **_NO_ERRORS,
        "confidence": None,
        "overlap": None,
        "overlap_a": None,
        "overlap_b": None,
        "inliers": 0,
        "frames_used": 0,
        "frames": [],
        "matches": None,
        "candidates": [],
        "stage_seconds": {},
        "work": None,
        "seconds": None,
    }


def candidate_row(
    candidate: Candidate, T_b_a: Float[np.ndarray, "4 4"] | None, min_baseline: float, weighed: bool
) -> dict[str, Any]:
    """A hypothesis beside the truth.

    Args:
        candidate: the hypothesis.
        T_b_a: the truth; None for two places that do not belong together.
        min_baseline: shorter true translations have no direction.
        weighed: whether the pipeline looked at it; else it was made for comparison alone.
    """
    result, clip = candidate.result, candidate.clip
    refused = isinstance(result, Refusal)
    errors = None
    if not isinstance(result, Refusal) and T_b_a is not None:
        errors = pose_errors(
            result.R_b_a,
            result.direction_b_a,
            T_b_a,
            min_baseline,
            result.rotation_covariance,
            result.direction_stddev,
        )
    return {
        "estimator": candidate.estimator,
        "interpolator": None if clip is None else clip.interpolator,
        "clip_id": None if clip is None else clip.clip_id,
        "direction": None if clip is None else clip.direction.value,
        "generated": False if clip is None else clip.generated,
        "settings": {} if clip is None else dict(clip.settings),
        "weighed": weighed,
        "selected": candidate.selected,
        "status": result.reason.value if isinstance(result, Refusal) else "ok",
        "reason": result.text if isinstance(result, Refusal) else candidate.against,
        **error_fields(errors),
        "confidence": confidence_fields(candidate.confidence),
        "evidence": {} if refused else {name: _finite(value) for name, value in result.evidence.items()},  # type: ignore[union-attr]
        "frames_used": 0 if refused else len(result.frames_used),  # type: ignore[union-attr]
    }


def error_fields(errors: PoseErrors | None) -> dict[str, Any]:
    """Errors as fields of a row."""
    if errors is None:
        return dict(_NO_ERRORS)
    return {
        "rotation_error_deg": errors.rotation_deg,
        "translation_error_deg": errors.translation_deg,
        "translation_error_sign_blind_deg": errors.translation_sign_blind_deg,
        "normalised_error": {
            "rotation": errors.rotation_normalised,
            "rotation_inside_90": errors.rotation_inside,
            "direction": errors.direction_normalised,
            "direction_inside_90": errors.direction_inside,
        },
    }


_NO_ERRORS: dict[str, Any] = {
    "rotation_error_deg": None,
    "translation_error_deg": None,
    "translation_error_sign_blind_deg": None,
    "normalised_error": None,
}


def confidence_fields(confidence: Confidence | None) -> dict[str, Any] | None:
    """A confidence as fields of a row; its probabilities are null where it is not calibrated."""
    if confidence is None:
        return None
    return {
        "rotation_5deg": _finite(confidence.rotation_5deg),
        "rotation_15deg": _finite(confidence.rotation_15deg),
        "direction_10deg": _finite(confidence.direction_10deg),
        "calibration_id": confidence.calibration_id,
    }


def given_fields(number: int, pair: LabelledPair, min_baseline: float) -> dict[str, Any]:
    """What a row says before anything is estimated: the images and the truth."""
    T_b_a = pair.T_b_a
    return {
        "pair": number,
        "scene": pair.scene,
        "image0": str(pair.image_a),
        "image1": str(pair.image_b),
        "related": T_b_a is not None,
        "true_rotation_deg": None if T_b_a is None else float(np.degrees(rotation_angle(T_b_a[:3, :3]))),
        "true_baseline": None if T_b_a is None else float(np.linalg.norm(T_b_a[:3, 3])),
        "true_direction": T_b_a is not None and has_baseline(T_b_a, min_baseline),
        "true_overlap": pair.overlap,
        "frames_offered": len(pair.frames),
    }


def _matches(answer: PairAnswer) -> dict[str, Any] | None:
    """Evenly many of the verified matches between the keyframes."""
    if answer.matched_pixels is None or not len(answer.matched_pixels[0]):
        return None
    pixels_a, pixels_b = answer.matched_pixels
    chosen = np.unique(np.linspace(0, len(pixels_a) - 1, min(MOST_MATCHES, len(pixels_a))).astype(int))
    return {
        "count": len(pixels_a),
        "pixels0": np.round(pixels_a[chosen], 1).tolist(),
        "pixels1": np.round(pixels_b[chosen], 1).tolist(),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
