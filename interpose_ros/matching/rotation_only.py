"""Rotation between two views from matched rays, when the camera did not move measurably."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def rotation_between_rays(
    rays_a: Float[np.ndarray, "*batch n 3"],
    rays_b: Float[np.ndarray, "*batch n 3"],
    weights: Float[np.ndarray, "*batch n"] | None = None,
) -> Float[np.ndarray, "*batch 3 3"]:
    """The rotation ``R_b_a`` with the least weighted squared distance between ``R_b_a @ rays_a`` and ``rays_b``.

    Source: Kabsch 1976 / Wahba's problem, by singular value decomposition.
    """
    weighted = rays_b if weights is None else rays_b * weights[..., None]
    u, _, vt = np.linalg.svd(np.swapaxes(weighted, -1, -2) @ rays_a)
    signs = np.ones(u.shape[:-1])
    signs[..., 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return (u * signs[..., None, :]) @ vt


def ray_angles(
    R_b_a: Float[np.ndarray, "*batch 3 3"], rays_a: Float[np.ndarray, "n 3"], rays_b: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "*batch n"]:
    """Angle in radians between each ray of b and the rotated ray of a."""
    rotated = np.einsum("...ij,nj->...ni", R_b_a, rays_a)
    # The chord is accurate for the small angles that matter, where arccos of the dot product is not.
    chord = np.linalg.norm(rotated - rays_b, axis=-1)
    return 2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0))


def estimate_rotation(
    rays_a: Float[np.ndarray, "n 3"],
    rays_b: Float[np.ndarray, "n 3"],
    threshold: float,
    rng: np.random.Generator,
    samples: int = 256,
) -> tuple[Float[np.ndarray, "3 3"], Bool[np.ndarray, "n"]] | None:
    """Robust rotation ``R_b_a`` between unit rays, with the matches within ``threshold`` radians of it.

    Two-point samples, truncated squared cost, then iteratively re-weighted refinement.
    Returns None when fewer than two matches agree.
    """
    count = len(rays_a)
    if count < 2:
        return None
    first = rng.integers(0, count, samples)
    second = (first + rng.integers(1, count, samples)) % count
    pick = np.stack([first, second], axis=1)
    hypotheses = rotation_between_rays(rays_a[pick], rays_b[pick])
    angles = ray_angles(hypotheses, rays_a, rays_b)
    cost = np.minimum(angles / threshold, 1.0) ** 2
    R_b_a = hypotheses[int(np.argmin(cost.sum(axis=1)))]
    for _ in range(20):
        angle = ray_angles(R_b_a, rays_a, rays_b)
        weights = np.where(angle < 2.0 * threshold, 1.0 / (1.0 + (angle / threshold) ** 2) ** 2, 0.0)
        if np.count_nonzero(weights) < 2:
            return None
        R_next = rotation_between_rays(rays_a, rays_b, weights)
        moved = np.linalg.norm(R_next - R_b_a)
        R_b_a = R_next
        if moved < 1e-10:
            break
    inliers = ray_angles(R_b_a, rays_a, rays_b) < threshold
    return (R_b_a, inliers) if np.count_nonzero(inliers) >= 2 else None


def rotation_and_focal_information(
    R_b_a: Float[np.ndarray, "3 3"], points_a: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "4 4"]:
    """Information matrix of small left rotations ``exp(dr) R_b_a`` and of the logarithm of a common focal length.

    Args:
        R_b_a: rotation.
        points_a: points of a on the plane z = 1; their images in b have a noise of one focal length.
    """
    moved = points_a @ R_b_a.T
    x, y = moved[:, 0] / moved[:, 2], moved[:, 1] / moved[:, 2]
    by_rotation = np.stack(
        [np.stack([-x * y, 1.0 + x**2, -y], axis=1), np.stack([-1.0 - y**2, x * y, x], axis=1)], axis=1
    )
    # A longer focal length enlarges the image in b, and pulls the ray of a towards the axis before it is rotated.
    pull = -(points_a * [1.0, 1.0, 0.0]) @ R_b_a.T / moved[:, 2:]
    by_focal = np.stack([x + pull[:, 0] - x * pull[:, 2], y + pull[:, 1] - y * pull[:, 2]], axis=1)
    jacobian = np.concatenate([by_rotation, by_focal[..., None]], axis=2).reshape(-1, 4)
    return jacobian.T @ jacobian
