"""What the demo hears of a running node: every answer and every edge on /tf."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import Quaternion, Vector3
from jaxtyping import Float
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage

from interpose_ros.evaluation.pairs import PairOutcome
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp

BRANCHES = {
    RelativePose.BRANCH_NONE: "none",
    RelativePose.BRANCH_MATCHES: "matches",
    RelativePose.BRANCH_FRAMES: "frames",
}


class DemoListener:
    """Collects answers by pair of stamps, and the last edge of every /tf child.

    Args:
        node: owns the subscriptions.
        relative_pose_topic: of the node that is listened to.
        on_answer: called with the number of pairs answered so far.
    """

    def __init__(self, node: Node, relative_pose_topic: str, on_answer: Callable[[int], None]) -> None:
        self.answers: dict[tuple[int, int], RelativePose] = {}
        self.tf_edges: dict[str, tuple[str, Float[np.ndarray, "4 4"]]] = {}
        self.unnamed_refusals: list[str] = []
        self._on_answer = on_answer
        node.create_subscription(RelativePose, relative_pose_topic, self._take_answer, QoSProfile(depth=1000))
        node.create_subscription(TFMessage, "/tf", self._take_edges, QoSProfile(depth=100))

    def _take_answer(self, message: RelativePose) -> None:
        stamps = tuple(nanoseconds_from_stamp(name.stamp) for name in (message.keyframe_a, message.keyframe_b))
        if not all(stamps):
            # An image that was refused belongs to no pair.
            self.unnamed_refusals.append(message.reason)
            return
        self.answers[stamps[0], stamps[1]] = message
        self._on_answer(len(self.answers))

    def _take_edges(self, message: TFMessage) -> None:
        for edge in message.transforms:
            t = edge.transform.translation
            R = _rotation(edge.transform.rotation)
            if R is not None:
                T_parent_child = transform_from_rotation_translation(R, np.array([t.x, t.y, t.z]))
                self.tf_edges[edge.child_frame_id] = (edge.header.frame_id, T_parent_child)


def outcome_from_message(message: RelativePose) -> PairOutcome:
    """What a message says, to be compared with the truth."""
    published = message.status == RelativePose.STATUS_OK
    alone = next((c for c in message.candidates if c.estimated and not c.interpolator), None)
    chosen = next((c for c in message.candidates if c.selected), None)
    return PairOutcome(
        stamp_a_ns=nanoseconds_from_stamp(message.keyframe_a.stamp),
        stamp_b_ns=nanoseconds_from_stamp(message.keyframe_b.stamp),
        R_a_b=_rotation(message.pose.pose.orientation),
        direction_a=_direction(message.translation_direction),
        pair_only_R_a_b=None if alone is None else _rotation(alone.orientation),
        overlap=min(message.overlap_a, message.overlap_b),
        branch=BRANCHES[message.branch],
        confidence=message.confidence_5deg if math.isfinite(message.confidence_5deg) else None,
        published=published,
        reason=message.reason,
        seconds=message.seconds,
        frames_used=0 if chosen is None else chosen.frame_count,
    )


def _rotation(q: Quaternion) -> Float[np.ndarray, "3 3"] | None:
    xyzw = np.array([q.x, q.y, q.z, q.w])
    return rotation_from_quaternion_xyzw(xyzw) if np.all(np.isfinite(xyzw)) else None


def _direction(v: Vector3) -> Float[np.ndarray, "3"] | None:
    xyz = np.array([v.x, v.y, v.z])
    return xyz if np.all(np.isfinite(xyz)) else None
