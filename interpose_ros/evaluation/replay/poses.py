"""Stamped poses from the messages that carry some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.replay.bag import NANOSECONDS, stamp_ns
from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation

MIN_PERIOD_NS = 5_000_000
"""Poses closer in time than this add nothing that interpolation would not; motion capture at 1 kHz is thinned to it."""


@dataclass(frozen=True, eq=False)
class StampedPose:
    """Where a body was.

    Attributes:
        stamp_ns: of the message's header.
        parent, child: frames; the child is "" where the type does not name one.
        T_parent_child: maps coordinates of the child into the parent.
    """

    stamp_ns: int
    parent: str
    child: str
    T_parent_child: Float[np.ndarray, "4 4"]


def stamped_poses(message: Any) -> list[StampedPose]:
    """The poses of a PoseStamped, PoseWithCovarianceStamped, Odometry, TransformStamped or TFMessage.

    Poses without numbers, as trackers send them when they lose sight, are left out.
    """
    if hasattr(message, "transforms"):
        return [pose for transform in message.transforms for pose in stamped_poses(transform)]
    if hasattr(message, "transform"):
        position, orientation = message.transform.translation, message.transform.rotation
    else:
        pose = message.pose.pose if hasattr(message.pose, "pose") else message.pose
        position, orientation = pose.position, pose.orientation
    numbers = np.array([position.x, position.y, position.z])
    quaternion = np.array([orientation.x, orientation.y, orientation.z, orientation.w])
    if not np.all(np.isfinite(numbers)) or not np.all(np.isfinite(quaternion)) or np.linalg.norm(quaternion) < 1e-6:
        return []
    T = transform_from_rotation_translation(rotation_from_quaternion_xyzw(quaternion), numbers)
    return [
        StampedPose(
            stamp_ns(message.header.stamp),
            _name(message.header.frame_id),
            _name(getattr(message, "child_frame_id", "")),
            T,
        )
    ]


class PoseCollector:
    """Collects poses of one body in any order of arrival, thinned, into a trajectory."""

    def __init__(self) -> None:
        self._by_slot: dict[int, tuple[int, Float[np.ndarray, "4 4"]]] = {}

    def add(self, stamp: int, T_world_body: Float[np.ndarray, "4 4"]) -> None:
        """One more pose; the first of every few milliseconds is kept."""
        self._by_slot.setdefault(stamp // MIN_PERIOD_NS, (stamp, T_world_body))

    def __len__(self) -> int:
        return len(self._by_slot)

    def trajectory(self, max_gap_ns: int) -> Trajectory:
        """All of them.

        Raises:
            ValueError: there is none.
        """
        poses = sorted(self._by_slot.values(), key=lambda pose: pose[0])
        return Trajectory([stamp for stamp, _ in poses], np.array([T for _, T in poses]).reshape(-1, 4, 4), max_gap_ns)


def seconds(stamp: int) -> str:
    """Nanoseconds as a decimal number of seconds, without loss."""
    return f"{stamp // NANOSECONDS}.{stamp % NANOSECONDS:09d}"


def _name(frame: str) -> str:
    return frame.lstrip("/")  # tf of ROS 1 wrote a slash in front
