"""Angles between rotations and between directions. All in radians, all accurate near 0 and near pi."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def rotation_angle(R: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch"]:
    """Angle of a rotation, within 0 and pi.

    Computed as ``atan2(2 sin, 2 cos)`` with the sine from ``R - R^T`` and the cosine from the trace: ``arccos`` of the
    trace alone loses half of the digits at small angles, where it matters most, and near pi.
    """
    twice_sine = np.linalg.norm(R - np.swapaxes(R, -1, -2), axis=(-1, -2)) / np.sqrt(2.0)
    twice_cosine = np.trace(R, axis1=-2, axis2=-1) - 1.0
    return np.asarray(np.arctan2(twice_sine, twice_cosine))


def rotation_distance(
    R_first: Float[np.ndarray, "*#batch 3 3"], R_second: Float[np.ndarray, "*#batch 3 3"]
) -> Float[np.ndarray, "*#batch"]:
    """Geodesic distance between two rotations of the same frames, within 0 and pi."""
    return rotation_angle(R_first @ np.swapaxes(R_second, -1, -2))


def direction_distance(
    d_first: Float[np.ndarray, "*#batch 3"], d_second: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*#batch"]:
    """Signed angle between two directions: 0 to pi, where opposite directions are pi apart. Lengths do not matter."""
    cross = np.linalg.norm(np.cross(d_first, d_second), axis=-1)
    return np.asarray(np.arctan2(cross, np.sum(d_first * d_second, axis=-1)))


def direction_distance_sign_blind(
    d_first: Float[np.ndarray, "*#batch 3"], d_second: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*#batch"]:
    """Angle between two lines, 0 to pi/2: what the papers report. Opposite directions count as equal."""
    angle = direction_distance(d_first, d_second)
    return np.asarray(np.minimum(angle, np.pi - angle))
