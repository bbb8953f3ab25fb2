"""Rotation between rays."""

import numpy as np
import pytest

from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.rotation_only import (
    estimate_rotation,
    ray_angles,
    rotation_and_focal_information,
    rotation_between_rays,
)

R_B_A = rotation_exp(np.array([0.1, -0.4, 0.2]))


def rays(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 3)) * 0.4 + [0, 0, 1]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_exact_rays_give_the_exact_rotation(count):
    rays_a = rays(count)
    assert rotation_distance(rotation_between_rays(rays_a, rays_a @ R_B_A.T), R_B_A) < 1e-12


def test_weights_silence_wrong_rays():
    rays_a = rays(20)
    rays_b = rays_a @ R_B_A.T
    rays_b[:5] = rays(5, seed=9)
    weights = np.r_[np.zeros(5), np.ones(15)]
    assert rotation_distance(rotation_between_rays(rays_a, rays_b, weights), R_B_A) < 1e-12
    assert rotation_distance(rotation_between_rays(rays_a, rays_b), R_B_A) > 1e-2


def test_ray_angles_of_a_hundred_millionth():
    rays_a = np.array([[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]])
    angles = ray_angles(rotation_exp(np.array([1e-8, 0, 0])), rays_a, rays_a)
    np.testing.assert_allclose(angles, 1e-8, rtol=1e-6)


def test_half_of_the_matches_may_be_wrong():
    rays_a = rays(100)
    noise = np.random.default_rng(1).normal(0, 1e-3, (100, 3))
    rays_b = rays_a @ R_B_A.T + noise
    rays_b[50:] = rays(50, seed=5)
    rays_b /= np.linalg.norm(rays_b, axis=1, keepdims=True)
    R_b_a, inliers = estimate_rotation(rays_a, rays_b, 5e-3, np.random.default_rng(0))
    # Fifty rays of 1 mrad: 0.14 mrad across, and about twice that around the common axis of a narrow bundle.
    assert rotation_distance(R_b_a, R_B_A) < 1.5e-3
    assert inliers[:50].all()
    assert inliers[50:].sum() <= 3


def test_one_match_is_no_rotation():
    assert estimate_rotation(rays(1), rays(1), 1e-3, np.random.default_rng(0)) is None


def test_information_is_that_of_finite_differences():
    rays_a = rays(30)
    points_a = rays_a[rays_a[:, 2] > 0.5]
    points_a = points_a / points_a[:, 2:]

    def image(step: np.ndarray) -> np.ndarray:
        stretch = np.exp([step[3], step[3], 0.0])
        moved = (points_a / stretch) @ (rotation_exp(step[:3]) @ R_B_A).T * stretch
        return (moved[:, :2] / moved[:, 2:]).ravel()

    jacobian = np.stack([(image(1e-6 * e) - image(-1e-6 * e)) / 2e-6 for e in np.eye(4)], axis=1)
    np.testing.assert_allclose(rotation_and_focal_information(R_B_A, points_a), jacobian.T @ jacobian, rtol=1e-5)
