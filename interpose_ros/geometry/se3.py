"""Rigid transforms as 4x4 arrays. ``T_b_a`` maps coordinates of frame a into frame b: ``p_b = T_b_a @ p_a``."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


def transform_from_rotation_translation(
    R_b_a: Float[np.ndarray, "3 3"], t_b_a: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "4 4"]:
    """Put a rotation and a translation together into one transform."""
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = R_b_a
    T_b_a[:3, 3] = t_b_a
    return T_b_a


def inverse(T_b_a: Float[np.ndarray, "*batch 4 4"]) -> Float[np.ndarray, "*batch 4 4"]:
    """Return ``T_a_b``, without a general matrix inversion."""
    R_a_b = np.swapaxes(T_b_a[..., :3, :3], -1, -2)
    T_a_b = np.zeros_like(T_b_a, dtype=np.float64)
    T_a_b[..., :3, :3] = R_a_b
    T_a_b[..., :3, 3] = -(R_a_b @ T_b_a[..., :3, 3, None])[..., 0]
    T_a_b[..., 3, 3] = 1.0
    return T_a_b


def skew(v: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Matrix of the cross product: ``skew(v) @ w == cross(v, w)``."""
    zero = np.zeros_like(v[..., 0])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    return np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)


def rotation_exp(rotation_vector: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrix of a rotation vector (axis times angle in radians)."""
    flat = np.asarray(rotation_vector, dtype=np.float64).reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape((*rotation_vector.shape[:-1], 3, 3))


def rotation_log(R: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Rotation vector (axis times angle in radians, angle within 0 and pi) of a rotation matrix."""
    flat = np.asarray(R, dtype=np.float64).reshape(-1, 3, 3)
    return Rotation.from_matrix(flat).as_rotvec().reshape((*R.shape[:-2], 3))


def quaternion_xyzw_from_rotation(R: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """Unit quaternion in the order of ROS messages (x, y, z, w), with w >= 0."""
    return Rotation.from_matrix(R).as_quat(canonical=True)


def rotation_from_quaternion_xyzw(q_xyzw: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3 3"]:
    """Rotation matrix of a quaternion (x, y, z, w); it is normalised first.

    Raises:
        ValueError: the quaternion is not finite or has no length.
    """
    if not np.all(np.isfinite(q_xyzw)) or np.linalg.norm(q_xyzw) < 1e-6:
        raise ValueError(f"not a rotation: quaternion (x, y, z, w) = {np.asarray(q_xyzw).tolist()}")
    return Rotation.from_quat(q_xyzw).as_matrix()


def is_rigid(T: Float[np.ndarray, "4 4"], tolerance: float = 1e-4) -> bool:
    """Whether a 4x4 array is a finite rigid transform: a right-handed rotation, and a last row of 0 0 0 1."""
    if not np.all(np.isfinite(T)) or not np.allclose(T[3], [0, 0, 0, 1], atol=tolerance):
        return False
    R = T[:3, :3]
    return bool(np.allclose(R @ R.T, np.eye(3), atol=tolerance) and np.linalg.det(R) > 0)


def inverse_pose_covariance(
    T_b_a: Float[np.ndarray, "4 4"], covariance_b_a: Float[np.ndarray, "6 6"]
) -> Float[np.ndarray, "6 6"]:
    """Covariance of ``T_a_b`` from that of ``T_b_a``, to first order.

    Both are in the convention of ``geometry_msgs/PoseWithCovariance`` (REP 103): order x, y, z, rotation about x, y, z;
    errors are ``t + dt`` and ``exp(dr) R``, along and about the axes of the frame that the pose is expressed in.
    """
    R_a_b, t_b_a = T_b_a[:3, :3].T, T_b_a[:3, 3]
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = -R_a_b
    jacobian[:3, 3:] = -R_a_b @ skew(t_b_a)
    jacobian[3:, 3:] = -R_a_b
    return jacobian @ covariance_b_a @ jacobian.T
