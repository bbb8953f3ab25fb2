"""Robust means of rotations and directions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp, rotation_log


def rotation_median(
    R: Float[np.ndarray, "n 3 3"], weights: Float[np.ndarray, "n"] | None = None, max_iterations: int = 100
) -> Float[np.ndarray, "3 3"]:
    """Weighted geodesic L1 median: the rotation with the least sum of angles to the given ones.

    Weiszfeld steps in the tangent space, started at the best of the given rotations.
    Sources: Hartley, Aftab, Trumpf, "L1 rotation averaging using the Weiszfeld algorithm", CVPR 2011; Vardi, Zhang, "The
    multivariate L1-median and associated data depth", PNAS 2000, for steps that start at a given rotation.

    Raises:
        ValueError: no rotation was given, or no weight is positive.
    """
    w = np.ones(len(R)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(R) == 0 or not np.any(w > 0):
        raise ValueError("a median needs at least one rotation with positive weight")
    cost = rotation_distance(R[:, None], R[None, :]) @ w
    R_median = R[int(np.argmin(cost))]
    for _ in range(max_iterations):
        tangent = rotation_log(R @ R_median.T)
        angle = np.linalg.norm(tangent, axis=1)
        # Rotations at the estimate have no direction to pull in; their weight holds the estimate back instead.
        here = angle < 1e-9
        pull = np.where(here, 0.0, w / np.where(here, 1.0, angle))
        total = pull @ tangent
        total_length = np.linalg.norm(total)
        if total_length <= w[here].sum():
            break
        step = (1.0 - w[here].sum() / total_length) * total / pull.sum()
        R_median = rotation_exp(step) @ R_median
        if np.linalg.norm(step) < 1e-10:
            break
    return R_median


def direction_median(
    directions: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, "n"] | None = None
) -> Float[np.ndarray, "3"]:
    """Weighted medoid of unit vectors: the given direction with the least sum of signed angles to the others.

    Raises:
        ValueError: no direction was given.
    """
    if len(directions) == 0:
        raise ValueError("a median needs at least one direction")
    w = np.ones(len(directions)) if weights is None else np.asarray(weights, dtype=np.float64)
    angles = np.arccos(np.clip(directions @ directions.T, -1.0, 1.0))
    return directions[int(np.argmin(angles @ w))]
