"""Stand-in for tf_transformations, over transforms3d as the original. Quaternions are (x, y, z, w), matrices 4x4."""

import functools

import numpy as np
import transforms3d

__all__ = [
    "concatenate_matrices",
    "euler_from_quaternion",
    "inverse_matrix",
    "quaternion_from_euler",
    "quaternion_from_matrix",
    "quaternion_matrix",
    "translation_matrix",
]


def quaternion_from_matrix(matrix):
    """Quaternion of the rotation in a 4x4 matrix."""
    w, x, y, z = transforms3d.quaternions.mat2quat(np.asarray(matrix)[:3, :3])
    return x, y, z, w


def quaternion_matrix(quaternion):
    """4x4 matrix of a quaternion, which need not have unit length."""
    x, y, z, w = quaternion
    matrix = np.eye(4)
    matrix[:3, :3] = transforms3d.quaternions.quat2mat((w, x, y, z))
    return matrix


def quaternion_from_euler(ai, aj, ak, axes="sxyz"):
    """Quaternion of three angles in radians."""
    w, x, y, z = transforms3d.euler.euler2quat(ai, aj, ak, axes=axes)
    return x, y, z, w


def euler_from_quaternion(quaternion, axes="sxyz"):
    """Three angles in radians of a quaternion."""
    return transforms3d.euler.mat2euler(quaternion_matrix(quaternion)[:3, :3], axes=axes)


def translation_matrix(direction):
    """4x4 matrix that moves by a vector."""
    matrix = np.eye(4)
    matrix[:3, 3] = direction[:3]
    return matrix


def inverse_matrix(matrix):
    """Inverse of a square matrix."""
    return np.linalg.inv(matrix)


def concatenate_matrices(*matrices):
    """Product of matrices, the last one applied first."""
    return functools.reduce(np.dot, matrices, np.identity(4))
