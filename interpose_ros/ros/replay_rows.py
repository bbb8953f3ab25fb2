"""Answers that a node sends while a bag is played, as rows of an evaluation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, Vector3
from jaxtyping import Float

from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.evaluation.pose_errors import METRE_BASELINE, pose_errors
from interpose_ros.evaluation.row import error_fields, given_fields
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw
from interpose_ros.msg import CandidateScore, RelativePose
from interpose_ros.refusal import RefusalReason

STATUSES = {
    RelativePose.STATUS_OK: "ok",
    **{getattr(RelativePose, f"STATUS_REFUSED_{reason.name}"): reason.value for reason in RefusalReason},
}
BRANCHES = {
    RelativePose.BRANCH_NONE: "none",
    RelativePose.BRANCH_MATCHES: "matches",
    RelativePose.BRANCH_FRAMES: "frames",
}
MODELS = {
    RelativePose.MODEL_GENERAL: "general",
    RelativePose.MODEL_PLANAR: "planar",
    RelativePose.MODEL_ROTATION: "rotation",
}
DIRECTIONS = {CandidateScore.DIRECTION_FORWARD: "forward", CandidateScore.DIRECTION_BACKWARD: "backward"}
EVIDENCE = ("bridge_inliers", "bridge_coverage", "cycle_residual", "d_med", "d_bias", "d_total")


def row_of_message(
    number: int, message: RelativePose, images: tuple[Path, Path], scene: str, T_b_a: Float[np.ndarray, "4 4"]
) -> dict[str, Any]:
    """The row of an answer, with the fields that ``evaluation/row.py`` writes.

    Args:
        number: of the answer.
        message: that the node sent.
        images: files of both keyframes.
        scene: name of the drive.
        T_b_a: the truth, metres.
    """
    pair = LabelledPair(*images, (1.0, 1.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0), (), (), T_b_a, (), scene)
    answered = message.status == RelativePose.STATUS_OK
    R_b_a = _rotation_b_a(message.pose.pose.orientation) if answered else None
    direction = None if R_b_a is None else _direction_b_a(message.translation_direction, R_b_a)
    errors = None
    if R_b_a is not None:
        covariance_a = np.array(message.pose.covariance).reshape(6, 6)[3:, 3:]
        # Of small rotations about the axes of A; ours are about those of B.
        covariance_b = R_b_a @ covariance_a @ R_b_a.T
        errors = pose_errors(R_b_a, direction, T_b_a, METRE_BASELINE, covariance_b)
    return {
        **given_fields(number, pair, METRE_BASELINE),
        "status": STATUSES.get(message.status, "internal"),
        "reason": message.reason,
        "answered": answered,
        "branch": BRANCHES.get(message.branch, "none"),
        "estimator": message.estimator or None,
        "interpolator": message.interpolator or None,
        "model": MODELS.get(message.model),
        "R_b_a": None if R_b_a is None else R_b_a.tolist(),
        "direction_b_a": None if direction is None else direction.tolist(),
        **error_fields(errors),
        "confidence": _confidence(message) if answered else None,
        "overlap": _finite(min(message.overlap_a, message.overlap_b)),
        "overlap_a": _finite(message.overlap_a),
        "overlap_b": _finite(message.overlap_b),
        "inliers": message.inliers,
        "frames_used": next((c.frame_count for c in message.candidates if c.selected), 0),
        "frames": [],
        "matches": None,
        "candidates": [_candidate(candidate, message, T_b_a) for candidate in message.candidates],
        "stage_seconds": {stage.stage: stage.seconds for stage in message.stage_times},
        "work": None,
        "seconds": _finite(message.seconds),
    }


def _candidate(candidate: CandidateScore, message: RelativePose, T_b_a: Float[np.ndarray, "4 4"]) -> dict[str, Any]:
    R_b_a = _rotation_b_a(candidate.orientation) if candidate.estimated else None
    errors = None
    if R_b_a is not None:
        direction = _direction_b_a(candidate.translation_direction, R_b_a)
        errors = pose_errors(R_b_a, direction, T_b_a, METRE_BASELINE)
    calibration = message.calibration_id if candidate.selected else ""
    return {
        "estimator": candidate.estimator,
        "interpolator": candidate.interpolator or None,
        "clip_id": candidate.clip_id or None,
        "direction": DIRECTIONS.get(candidate.direction),
        "generated": bool(candidate.interpolator) and candidate.interpolator != "recorded",
        "settings": {},
        "weighed": True,
        "selected": candidate.selected,
        "status": "ok" if R_b_a is not None else "inconsistent",
        "reason": candidate.reason,
        **error_fields(errors),
        "confidence": {
            "rotation_5deg": _finite(candidate.confidence_5deg),
            "rotation_15deg": None,
            "direction_10deg": None,
            "calibration_id": calibration,
        },
        "evidence": {name: _finite(float(getattr(candidate, name))) for name in EVIDENCE},
        "frames_used": candidate.frame_count,
    }


def _confidence(message: RelativePose) -> dict[str, Any]:
    return {
        "rotation_5deg": _finite(message.confidence_5deg),
        "rotation_15deg": _finite(message.confidence_15deg),
        "direction_10deg": _finite(message.confidence_direction_10deg),
        "calibration_id": message.calibration_id,
    }


def _rotation_b_a(orientation_a_b: Quaternion) -> Float[np.ndarray, "3 3"] | None:
    q = np.array([orientation_a_b.x, orientation_a_b.y, orientation_a_b.z, orientation_a_b.w])
    return rotation_from_quaternion_xyzw(q).T if np.all(np.isfinite(q)) else None


def _direction_b_a(direction_a_b: Vector3, R_b_a: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"] | None:
    """Direction of ``t_b_a`` from that of B seen from A."""
    d = np.array([direction_a_b.x, direction_a_b.y, direction_a_b.z])
    return -R_b_a @ d if np.all(np.isfinite(d)) else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
