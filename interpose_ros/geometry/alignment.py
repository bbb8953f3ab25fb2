"""Similarity alignment of two sets of points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def similarity_alignment(
    points_a: Float[np.ndarray, "n 3"],
    points_b: Float[np.ndarray, "n 3"],
    weights: Float[np.ndarray, "n"] | None = None,
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Scale, rotation and translation with ``points_b ~ s * R_b_a @ points_a + t_b_a`` in the weighted least-squares sense.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Raises:
        ValueError: fewer than three points carry weight, or they all lie in one place or on one line, about which any
            rotation would do.
    """
    w = np.ones(len(points_a)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(points_a) != len(points_b) or np.count_nonzero(w > 0) < 3:
        raise ValueError("similarity alignment needs at least three corresponding points with positive weight")
    w = w / w.sum()
    mean_a, mean_b = w @ points_a, w @ points_b
    centred_a, centred_b = points_a - mean_a, points_b - mean_b
    variance_a = w @ np.sum(centred_a**2, axis=1)
    spread = np.linalg.svd(np.sqrt(w)[:, None] * centred_a, compute_uv=False)
    if variance_a < 1e-24 or spread[1] < 1e-9 * spread[0]:
        raise ValueError("similarity alignment needs points that do not all lie in one place or on one line")
    u, singular_values, vt = np.linalg.svd((centred_b * w[:, None]).T @ centred_a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    R_b_a = (u * signs) @ vt
    scale = float(singular_values @ signs / variance_a)
    return scale, R_b_a, mean_b - scale * R_b_a @ mean_a
