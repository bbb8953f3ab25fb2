"""Overlap of two photos from their depth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.datasets.photos import Depth, Photo
from interpose_ros.geometry.se3 import inverse

STRIDE = 8
"""Every how many-th depth pixel is looked at, in both directions."""

SAME_SURFACE = 0.08
"""Depths that differ by at most this share are of one surface; more means that something stands before it."""


def true_overlap(photo_a: Photo, photo_b: Photo) -> float | None:
    """Share of the surfaces in one photo that the other sees too, the smaller of both ways; None without depth.

    A pixel counts where its point falls into the other photo and is not hidden there.
    """
    if photo_a.depth is None or photo_b.depth is None:
        return None
    T_b_a = inverse(photo_b.T_world_camera) @ photo_a.T_world_camera
    depth_a, depth_b = photo_a.depth.read(), photo_b.depth.read()
    return min(
        share_seen(depth_a, photo_a.depth, depth_b, photo_b.depth, T_b_a),
        share_seen(depth_b, photo_b.depth, depth_a, photo_a.depth, inverse(T_b_a)),
    )


def share_seen(
    depth_a: Float[np.ndarray, "h w"],
    camera_a: Depth,
    depth_b: Float[np.ndarray, "k l"],
    camera_b: Depth,
    T_b_a: Float[np.ndarray, "4 4"],
) -> float:
    """Share of the pixels of A with depth whose points B sees; 0 where A has no depth at all."""
    rows, columns = np.mgrid[STRIDE // 2 : depth_a.shape[0] : STRIDE, STRIDE // 2 : depth_a.shape[1] : STRIDE]
    z = depth_a[rows, columns].ravel()
    known = np.isfinite(z) & (z > 0)
    if not known.any():
        return 0.0
    pixels = np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])[:, known]
    points_b = T_b_a[:3, :3] @ (np.linalg.inv(camera_a.K) @ pixels * z[known]) + T_b_a[:3, 3:]
    front = points_b[2] > 1e-6
    projected = camera_b.K @ points_b[:, front]
    u, v = np.rint(projected[:2] / projected[2]).astype(np.int64)
    inside = (u >= 0) & (v >= 0) & (u < depth_b.shape[1]) & (v < depth_b.shape[0])
    expected = points_b[2, front][inside]
    found = depth_b[v[inside], u[inside]]
    seen = np.isfinite(found) & (found > 0) & (expected <= found * (1.0 + SAME_SURFACE))
    return float(seen.sum() / known.sum())
