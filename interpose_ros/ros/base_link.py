"""Answers about cameras as poses of the robots' bases, for graph optimisers that know bases only."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.se3 import (
    inverse,
    rotation_from_quaternion_xyzw,
    skew,
    transform_from_rotation_translation,
)
from interpose_ros.msg import RelativePose


def base_pose_from_message(
    message: RelativePose,
    T_base_camera_a: Float[np.ndarray, "4 4"],
    T_base_camera_b: Float[np.ndarray, "4 4"] | None = None,
) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "6 6"]]:
    """Pose of the base at B in the base at A, and its covariance (order x, y, z, rotation; axes of the base at A).

    Args:
        message: an answer with metric length.
        T_base_camera_a: pose of camera A's optical frame on its base.
        T_base_camera_b: of camera B; by default the same, as for pairs of one camera.

    Raises:
        ValueError: the message is a refusal, or has no metric position.
    """
    if message.status != RelativePose.STATUS_OK:
        raise ValueError(f"the message holds no pose: {message.reason}")
    p, q = message.pose.pose.position, message.pose.pose.orientation
    position = np.array([p.x, p.y, p.z])
    if not np.all(np.isfinite(position)):
        raise ValueError("the message's position is not metric: its scale is unknown")
    X_b = T_base_camera_a if T_base_camera_b is None else T_base_camera_b
    R_a_b = rotation_from_quaternion_xyzw(np.array([q.x, q.y, q.z, q.w]))
    T_a_b = transform_from_rotation_translation(R_a_b, position)
    R_base_a = T_base_camera_a[:3, :3]
    # A small turn of R_a_b also moves the base at B, which is a lever arm away from camera B.
    arm_a = -R_a_b @ X_b[:3, :3].T @ X_b[:3, 3]
    change = np.zeros((6, 6))
    change[:3, :3] = change[3:, 3:] = R_base_a
    change[:3, 3:] = -R_base_a @ skew(arm_a)
    covariance = np.reshape(np.array(message.pose.covariance), (6, 6))
    return T_base_camera_a @ T_a_b @ inverse(X_b), change @ covariance @ change.T
