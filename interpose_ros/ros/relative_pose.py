"""From answers of the core to ``RelativePose`` messages. The one place where ``T_b_a`` becomes ``T_a_b``."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Quaternion, Vector3
from jaxtyping import Float

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import quaternion_xyzw_from_rotation
from interpose_ros.interpolation.clip import ClipDirection
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.msg import CandidateScore, RelativePose, StageTime
from interpose_ros.msg import KeyframeId as KeyframeIdMessage
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.conversions import stamp_from_nanoseconds
from interpose_ros.selection.confidence import UNCALIBRATED
from interpose_ros.views import KeyframeId

UNKNOWN_VARIANCE = 9999.0

STATUS = {reason: getattr(RelativePose, f"STATUS_REFUSED_{reason.name}") for reason in RefusalReason}
BRANCHES = {branch: getattr(RelativePose, f"BRANCH_{branch.name}") for branch in Branch}
SCALE_SOURCES = {source: getattr(RelativePose, f"SCALE_{source.name}") for source in ScaleSource}
MODELS = {
    MotionModel.GENERAL: RelativePose.MODEL_GENERAL,
    MotionModel.PLANAR: RelativePose.MODEL_PLANAR,
    MotionModel.ROTATION: RelativePose.MODEL_ROTATION,
}


def rotation_and_direction_a_b(
    R_b_a: Float[np.ndarray, "3 3"], direction_b_a: Float[np.ndarray, "3"] | None
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"] | None]:
    """Rotation and translation direction of ``T_a_b = T_b_a^-1``, which messages and /tf carry.

    The direction is that from camera A to camera B, in frame A; None where ``direction_b_a`` is None.
    """
    R_a_b = R_b_a.T
    return R_a_b, None if direction_b_a is None else -R_a_b @ direction_b_a


def inverse_answer(answer: PairAnswer) -> PairAnswer:
    """The same answer, asked the other way round: the pose of A in B."""
    candidates = tuple(_inverse_candidate(candidate) for candidate in answer.candidates)
    pixels = answer.matched_pixels
    return replace(
        answer,
        keyframe_a=answer.keyframe_b,
        keyframe_b=answer.keyframe_a,
        selected=_inverse_candidate(answer.selected) if answer.selected is not None else None,
        overlap=Overlap(answer.overlap.share_b, answer.overlap.share_a),
        candidates=candidates,
        matched_pixels=(pixels[1], pixels[0]) if pixels is not None else None,
        frames_used=answer.frames_used[::-1],
    )


def message_from_answer(
    answer: PairAnswer, parent_frame_id: str, child_frame_id: str, published_on_tf: bool
) -> RelativePose:
    """The message of an answer, a refusal or not.

    Args:
        answer: of the core, which speaks of ``T_b_a``.
        parent_frame_id, child_frame_id: /tf frames of keyframes A and B.
        published_on_tf: whether this edge is sent on /tf.
    """
    message = _message_without_pose(answer.keyframe_a, answer.keyframe_b)
    message.parent_frame_id = parent_frame_id
    message.child_frame_id = child_frame_id
    message.published_on_tf = published_on_tf
    message.overlap_a = float(answer.overlap.share_a)
    message.overlap_b = float(answer.overlap.share_b)
    message.inliers = int(answer.inliers)
    message.candidates = [_candidate_message(candidate) for candidate in answer.candidates]
    message.stage_times = [StageTime(stage=k, seconds=float(v)) for k, v in answer.stage_seconds.items()]
    message.seconds = float(sum(answer.stage_seconds.values()))
    estimate = answer.estimate
    if estimate is None or answer.refusal is not None:
        refusal = answer.refusal or Refusal(RefusalReason.INTERNAL, "the answer holds no estimate")
        message.status = STATUS[refusal.reason]
        message.reason = refusal.text
        return message
    _fill_pose(message, answer, estimate)
    return message


def refusal_message(
    keyframe_a: KeyframeId,
    keyframe_b: KeyframeId,
    refusal: Refusal,
    parent_frame_id: str = "",
    child_frame_id: str = "",
) -> RelativePose:
    """A refusal for a pair that never reached the pipeline."""
    message = _message_without_pose(keyframe_a, keyframe_b)
    message.parent_frame_id = parent_frame_id
    message.child_frame_id = child_frame_id
    message.status = STATUS[refusal.reason]
    message.reason = refusal.text
    return message


def keyframe_id_message(keyframe_id: KeyframeId) -> KeyframeIdMessage:
    """The message that names a keyframe."""
    return KeyframeIdMessage(frame_id=keyframe_id.frame_id, stamp=stamp_from_nanoseconds(keyframe_id.stamp_ns))


def _fill_pose(message: RelativePose, answer: PairAnswer, estimate: PoseEstimate) -> None:
    assert answer.selected is not None
    R_a_b, direction_a_b = rotation_and_direction_a_b(estimate.R_b_a, estimate.direction_b_a)
    message.status = RelativePose.STATUS_OK
    message.reason = answer.remark
    message.branch = BRANCHES[answer.branch]
    message.model = MODELS[estimate.model]
    message.estimator = answer.selected.estimator
    message.interpolator = answer.selected.clip.interpolator if answer.selected.clip is not None else ""
    message.pose.pose.orientation = _quaternion(R_a_b)
    message.translation_direction = _vector(direction_a_b)
    covariance = np.eye(6) * UNKNOWN_VARIANCE
    if np.all(np.isfinite(estimate.rotation_covariance)):
        # exp(dr) R_b_a inverts to exp(-R_a_b dr) R_a_b.
        covariance[3:, 3:] = R_a_b @ estimate.rotation_covariance @ R_a_b.T
    scale = answer.scale
    if scale is not None and scale.source is not ScaleSource.NONE and direction_a_b is not None:
        position = message.pose.pose.position
        position.x, position.y, position.z = (float(x) for x in scale.metres * direction_a_b)
        message.scale_source = SCALE_SOURCES[scale.source]
        message.scale_stddev = float(scale.stddev)
        if math.isfinite(estimate.direction_stddev) and math.isfinite(scale.stddev):
            along = np.outer(direction_a_b, direction_a_b)
            across = (scale.metres * estimate.direction_stddev) ** 2 / 2.0  # it is the total over both axes
            covariance[:3, :3] = scale.stddev**2 * along + across * (np.eye(3) - along)
    message.pose.covariance = covariance.ravel().tolist()
    message.parallax = float(estimate.evidence.get("parallax", math.nan))
    confidence = answer.confidence
    message.calibration_id = confidence.calibration_id if confidence is not None else UNCALIBRATED
    message.confidence_5deg = confidence.rotation_5deg if confidence is not None else math.nan
    message.confidence_15deg = confidence.rotation_15deg if confidence is not None else math.nan
    message.confidence_direction_10deg = confidence.direction_10deg if confidence is not None else math.nan


def _message_without_pose(keyframe_a: KeyframeId, keyframe_b: KeyframeId) -> RelativePose:
    """A message in which nothing can be taken for a pose."""
    message = RelativePose()
    message.header.frame_id = keyframe_a.frame_id
    message.header.stamp = stamp_from_nanoseconds(keyframe_a.stamp_ns)
    message.keyframe_a = keyframe_id_message(keyframe_a)
    message.keyframe_b = keyframe_id_message(keyframe_b)
    position = message.pose.pose.position
    position.x = position.y = position.z = math.nan
    message.pose.pose.orientation = _quaternion(None)
    message.pose.covariance = (np.eye(6) * UNKNOWN_VARIANCE).ravel().tolist()
    message.translation_direction = _vector(None)
    message.scale_stddev = math.nan
    message.parallax = math.nan
    message.calibration_id = UNCALIBRATED
    return message


def _candidate_message(candidate: Candidate) -> CandidateScore:
    score = CandidateScore(estimator=candidate.estimator, selected=candidate.selected)
    clip = candidate.clip
    if clip is not None:
        score.interpolator = clip.interpolator
        score.clip_id = clip.clip_id
        forward = clip.direction is ClipDirection.FORWARD
        score.direction = CandidateScore.DIRECTION_FORWARD if forward else CandidateScore.DIRECTION_BACKWARD
    result = candidate.result
    evidence = {} if isinstance(result, Refusal) else result.evidence
    for name in ("cycle_residual", "d_med", "d_bias", "d_total", "bridge_coverage"):
        setattr(score, name, float(evidence.get(name, math.nan)))
    score.bridge_inliers = int(evidence.get("bridge_inliers", 0))
    score.confidence_5deg = candidate.confidence.rotation_5deg if candidate.confidence is not None else math.nan
    if isinstance(result, Refusal):
        score.reason = result.text
        score.orientation = _quaternion(None)
        score.translation_direction = _vector(None)
        return score
    R_a_b, direction_a_b = rotation_and_direction_a_b(result.R_b_a, result.direction_b_a)
    score.estimated = True
    score.reason = candidate.against
    score.frame_count = len(result.frames_used)
    score.orientation = _quaternion(R_a_b)
    score.translation_direction = _vector(direction_a_b)
    return score


def _inverse_candidate(candidate: Candidate) -> Candidate:
    clip = candidate.clip
    if clip is not None:
        forward = clip.direction is ClipDirection.FORWARD
        clip = replace(clip, direction=ClipDirection.BACKWARD if forward else ClipDirection.FORWARD)
    result = candidate.result
    if isinstance(result, PoseEstimate):
        R_a_b, direction_a_b = rotation_and_direction_a_b(result.R_b_a, result.direction_b_a)
        result = replace(
            result,
            R_b_a=R_a_b,
            direction_b_a=direction_a_b,
            rotation_covariance=R_a_b @ result.rotation_covariance @ R_a_b.T,
            frames_used=result.frames_used[::-1],
            cloud=None,  # it is in the other camera's frame
        )
    return replace(candidate, clip=clip, result=result)


def _quaternion(R: Float[np.ndarray, "3 3"] | None) -> Quaternion:
    x, y, z, w = (math.nan,) * 4 if R is None else (float(q) for q in quaternion_xyzw_from_rotation(R))
    return Quaternion(x=x, y=y, z=z, w=w)


def _vector(vector: Float[np.ndarray, "3"] | None) -> Vector3:
    x, y, z = (math.nan,) * 3 if vector is None else (float(v) for v in vector)
    return Vector3(x=x, y=y, z=z)
