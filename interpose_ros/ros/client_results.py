"""What the client library gives to programs: values with types instead of messages with codes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from geometry_msgs.msg import Point, Vector3
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import KeyframeId as KeyframeIdMessage
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp
from interpose_ros.srv import GetRelativePose
from interpose_ros.views import KeyframeId


class PoseStatus(IntEnum):
    """Whether there is a pose, and why not."""

    OK = RelativePose.STATUS_OK
    NO_OVERLAP = RelativePose.STATUS_REFUSED_NO_OVERLAP
    INCONSISTENT = RelativePose.STATUS_REFUSED_INCONSISTENT
    AMBIGUOUS = RelativePose.STATUS_REFUSED_AMBIGUOUS
    LOW_CONFIDENCE = RelativePose.STATUS_REFUSED_LOW_CONFIDENCE
    BAD_INPUT = RelativePose.STATUS_REFUSED_BAD_INPUT
    CAMERA_INFO = RelativePose.STATUS_REFUSED_CAMERA_INFO
    CANCELLED = RelativePose.STATUS_REFUSED_CANCELLED
    MODEL = RelativePose.STATUS_REFUSED_MODEL
    INTERNAL = RelativePose.STATUS_REFUSED_INTERNAL


class LookupCode(IntEnum):
    """How a question for a known answer ended."""

    OK = GetRelativePose.Response.CODE_OK
    UNKNOWN_KEYFRAME = GetRelativePose.Response.CODE_UNKNOWN_KEYFRAME
    EVICTED = GetRelativePose.Response.CODE_EVICTED
    PENDING = GetRelativePose.Response.CODE_PENDING
    NOT_ESTIMATED = GetRelativePose.Response.CODE_NOT_ESTIMATED
    INVALID_REQUEST = GetRelativePose.Response.CODE_INVALID_REQUEST
    NOT_ACTIVE = GetRelativePose.Response.CODE_NOT_ACTIVE


class EstimateCode(IntEnum):
    """How an estimate ended. With CANCELLED, DEADLINE and PREEMPTED the pose is the best so far."""

    REJECTED = EstimateRelativePose.Result.CODE_UNSET
    OK = EstimateRelativePose.Result.CODE_OK
    UNKNOWN_KEYFRAME = EstimateRelativePose.Result.CODE_UNKNOWN_KEYFRAME
    EVICTED = EstimateRelativePose.Result.CODE_EVICTED
    INVALID_REQUEST = EstimateRelativePose.Result.CODE_INVALID_REQUEST
    NOT_ACTIVE = EstimateRelativePose.Result.CODE_NOT_ACTIVE
    MODEL_LOADING = EstimateRelativePose.Result.CODE_MODEL_LOADING
    CANCELLED = EstimateRelativePose.Result.CODE_CANCELLED
    DEADLINE = EstimateRelativePose.Result.CODE_DEADLINE
    PREEMPTED = EstimateRelativePose.Result.CODE_PREEMPTED
    WORKER_FAILED = EstimateRelativePose.Result.CODE_WORKER_FAILED
    INTERNAL = EstimateRelativePose.Result.CODE_INTERNAL


class Stage(IntEnum):
    """What an estimate is doing."""

    WAITING = EstimateRelativePose.Feedback.STAGE_WAITING
    LOADING = EstimateRelativePose.Feedback.STAGE_LOADING
    OVERLAP = EstimateRelativePose.Feedback.STAGE_OVERLAP
    TWO_VIEW = EstimateRelativePose.Feedback.STAGE_TWO_VIEW
    CLIPS = EstimateRelativePose.Feedback.STAGE_CLIPS
    CLIP_POSES = EstimateRelativePose.Feedback.STAGE_CLIP_POSES
    SELECTION = EstimateRelativePose.Feedback.STAGE_SELECTION
    SCALE = EstimateRelativePose.Feedback.STAGE_SCALE


@dataclass(frozen=True, eq=False)
class PoseAnswer:
    """Where camera B was, seen from camera A; everything that is unknown is None, never a number.

    Attributes:
        keyframe_a, keyframe_b: the pair.
        status: OK, or why there is no pose.
        reason: a sentence; empty where nothing is to be said.
        R_a_b: rotation of ``p_a = R_a_b p_b + position_a_b``; None in a refusal.
        direction_a_b: unit vector from A to B in frame A; None without measurable parallax.
        position_a_b: the same in metres; None without scale.
        covariance: of x, y, z [m^2], rotation about x, y, z [rad^2], 9999 where unknown; None in a refusal.
        confidence_5deg: calibrated probability that the rotation is within 5 degrees; None uncalibrated, 0 in a refusal.
        confidence_15deg: the same for 15 degrees.
        scale_stddev: standard deviation of the length [m]; None without scale.
        parent_frame_id, child_frame_id: /tf frames of A and B.
        published_on_tf: whether this edge is sent on /tf.
        message: all the rest: overlap, candidates, times.
    """

    keyframe_a: KeyframeId
    keyframe_b: KeyframeId
    status: PoseStatus
    reason: str
    R_a_b: Float[np.ndarray, "3 3"] | None
    direction_a_b: Float[np.ndarray, "3"] | None
    position_a_b: Float[np.ndarray, "3"] | None
    covariance: Float[np.ndarray, "6 6"] | None
    confidence_5deg: float | None
    confidence_15deg: float | None
    scale_stddev: float | None
    parent_frame_id: str
    child_frame_id: str
    published_on_tf: bool
    message: RelativePose = field(repr=False)

    @property
    def has_pose(self) -> bool:
        """Whether there is at least a rotation."""
        return self.status is PoseStatus.OK

    @property
    def T_a_b(self) -> Float[np.ndarray, "4 4"] | None:
        """The whole transform in metres, ``p_a = T_a_b p_b``; None without rotation or without scale."""
        if self.R_a_b is None or self.position_a_b is None:
            return None
        T_a_b = np.eye(4)
        T_a_b[:3, :3], T_a_b[:3, 3] = self.R_a_b, self.position_a_b
        return T_a_b


@dataclass(frozen=True, eq=False)
class Lookup:
    """The answer to a question for a known pose.

    Attributes:
        code: OK, or why there is no answer yet.
        text: a sentence on what is wrong and what to do.
        pose: the answer; None unless the code is OK.
    """

    code: LookupCode
    text: str
    pose: PoseAnswer | None


@dataclass(frozen=True, eq=False)
class Estimate:
    """How an estimate ended.

    Attributes:
        code: for programs.
        text: for people.
        pose: the answer, the best so far, or a refusal; None only where the goal was rejected.
    """

    code: EstimateCode
    text: str
    pose: PoseAnswer | None


@dataclass(frozen=True, eq=False)
class Progress:
    """Feedback of an estimate under way.

    Attributes:
        stage: what is being done.
        text: the same for people.
        fraction: of the whole, 0 to 1.
        best: the best so far; a refusal while there is none.
    """

    stage: Stage
    text: str
    fraction: float
    best: PoseAnswer


@dataclass(frozen=True)
class HeldKeyframe:
    """A keyframe that the node holds.

    Attributes:
        name: of the keyframe.
        tf_frame: its frame on /tf.
        is_connected: whether that frame has a live edge.
    """

    name: KeyframeId
    tf_frame: str
    is_connected: bool


def pose_answer(message: RelativePose) -> PoseAnswer:
    """The typed value of a message."""
    has_pose = message.status == RelativePose.STATUS_OK
    pose, q = message.pose.pose, message.pose.pose.orientation
    position = _vector(pose.position)
    return PoseAnswer(
        keyframe_a=keyframe_from_message(message.keyframe_a),
        keyframe_b=keyframe_from_message(message.keyframe_b),
        status=PoseStatus(message.status),
        reason=message.reason,
        R_a_b=Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix() if has_pose else None,
        direction_a_b=_vector(message.translation_direction) if has_pose else None,
        position_a_b=position if has_pose else None,
        covariance=np.array(message.pose.covariance).reshape(6, 6) if has_pose else None,
        confidence_5deg=_known(message.confidence_5deg),
        confidence_15deg=_known(message.confidence_15deg),
        scale_stddev=_known(message.scale_stddev),
        parent_frame_id=message.parent_frame_id,
        child_frame_id=message.child_frame_id,
        published_on_tf=message.published_on_tf,
        message=message,
    )


def keyframe_from_message(message: KeyframeIdMessage) -> KeyframeId:
    """The name of a keyframe."""
    return KeyframeId(message.frame_id, nanoseconds_from_stamp(message.stamp))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _vector(vector: Point | Vector3) -> Float[np.ndarray, "3"] | None:
    values = np.array([vector.x, vector.y, vector.z])
    return None if np.any(np.isnan(values)) else values
