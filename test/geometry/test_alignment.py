"""Similarity alignment recovers what was applied."""

import numpy as np
import pytest

from interpose_ros.geometry.alignment import similarity_alignment
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("flat", [False, True])
def test_recovers_the_similarity(seed, flat):
    rng = np.random.default_rng(seed)
    points_a = rng.normal(size=(12, 3)) * [1, 1, 0 if flat else 1]
    R_b_a, t_b_a, scale = rotation_exp(rng.normal(size=3)), rng.normal(size=3) * 5, rng.uniform(0.1, 10)
    found_scale, found_R, found_t = similarity_alignment(points_a, scale * points_a @ R_b_a.T + t_b_a)
    assert found_scale == pytest.approx(scale, rel=1e-10)
    assert rotation_distance(found_R, R_b_a) < 1e-9
    np.testing.assert_allclose(found_t, t_b_a, atol=1e-9)


def test_noise_averages_out_and_weights_silence_outliers():
    rng = np.random.default_rng(1)
    points_a = rng.normal(size=(1000, 3))
    R_b_a, t_b_a = rotation_exp(np.array([0.3, -1.0, 0.2])), np.array([1.0, 2, 3])
    points_b = 2.0 * points_a @ R_b_a.T + t_b_a + rng.normal(0, 0.05, points_a.shape)
    points_b[:300] = 100 * rng.normal(size=(300, 3))
    weights = np.ones(1000)
    weights[:300] = 0
    scale, found_R, found_t = similarity_alignment(points_a, points_b, weights)
    # 700 points of 0.05 noise: 0.05 / (2 sqrt(2 * 700)) = 0.7 mrad per axis, 0.05 / sqrt(700) = 2 mm; 5 sigma each.
    assert rotation_distance(found_R, R_b_a) < 5 * 0.7e-3 * np.sqrt(3)
    assert scale == pytest.approx(2.0, abs=5 * 0.05 / np.sqrt(3 * 700))
    np.testing.assert_allclose(found_t, t_b_a, atol=5 * 0.002)
    assert rotation_distance(similarity_alignment(points_a, points_b)[1], R_b_a) > 0.05


def test_a_mirrored_scene_is_never_answered_with_a_mirror():
    points_a = np.random.default_rng(2).normal(size=(20, 3))
    _, R_b_a, _ = similarity_alignment(points_a, points_a * [1, 1, -1])
    assert np.linalg.det(R_b_a) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("points", "weights"),
    [
        (np.eye(3)[:2], None),
        (np.ones((5, 3)), None),
        (np.eye(3), np.array([1.0, 1.0, 0.0])),
        (np.outer(np.arange(6.0), [1.0, -2.0, 0.5]) + 3.0, None),
    ],
)
def test_too_little_is_an_error(points, weights):
    with pytest.raises(ValueError, match="similarity alignment needs"):
        similarity_alignment(points, points, weights)
