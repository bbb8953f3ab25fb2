"""Robust means: right without outliers, and hardly moved by them."""

import numpy as np
import pytest

from interpose_ros.geometry.averaging import direction_median, rotation_median
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import rotation_exp

TRUE = rotation_exp(np.array([0.5, -1.2, 0.8]))


def test_rotation_median_withstands_a_third_of_outliers():
    rng = np.random.default_rng(0)
    good = rotation_exp(rng.normal(0, 0.01, (40, 3))) @ TRUE
    bad = rotation_exp(np.array([0.0, 0.0, 1.5]) + rng.normal(0, 0.01, (20, 3))) @ TRUE
    # A third pulling one way shifts the median within the good ones' own spread; a mean would be off by half a radian.
    assert rotation_distance(rotation_median(np.concatenate([good, bad])), TRUE) < 0.02
    assert rotation_distance(rotation_median(good), TRUE) < 3 * 0.01 * np.sqrt(3 * np.pi / 2 / 40)


def test_rotation_median_leaves_the_given_rotations_where_another_is_better():
    # Three rotations around their centre: the median is the centre (Fermat's point), not one of the three.
    corner = 0.05 * np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])
    median = rotation_median(rotation_exp(corner) @ TRUE)
    assert rotation_distance(median, TRUE) < 1e-6


def test_rotation_median_stays_where_most_agree():
    others = rotation_exp(np.array([[0.3, 0, 0], [0, -0.8, 0]]))
    R = np.concatenate([np.stack([TRUE] * 3), others @ TRUE])
    assert rotation_distance(rotation_median(R), TRUE) < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_rotation_median_has_the_least_sum_of_angles_around(seed):
    rng = np.random.default_rng(seed)
    R = rotation_exp(rng.normal(0, 0.3, (7, 3)))
    weights = rng.uniform(0.5, 2, 7)
    median = rotation_median(R, weights)
    best = rotation_distance(median, R) @ weights
    for nudge in rotation_exp(rng.normal(0, 0.01, (200, 3))):
        assert rotation_distance(nudge @ median, R) @ weights > best - 1e-9


def test_rotation_median_follows_the_weights():
    R = np.stack([TRUE, rotation_exp(np.array([0.4, 0, 0])) @ TRUE])
    assert rotation_distance(rotation_median(R, np.array([1.0, 2.0])), R[1]) < 1e-9
    assert rotation_distance(rotation_median(R, np.array([2.0, 1.0])), R[0]) < 1e-9


def test_direction_median_tells_opposite_directions_apart():
    rng = np.random.default_rng(3)
    directions = np.array([0, 0, 1.0]) + rng.normal(0, 0.02, (7, 3))
    directions = np.concatenate([directions, -directions[:3]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    median = direction_median(directions)
    assert any(np.array_equal(median, d) for d in directions)
    assert direction_distance(median, np.array([0, 0, 1.0])) < 0.06
    flipped = direction_median(directions, np.array([0.1] * 7 + [1.0] * 3))
    assert direction_distance(flipped, np.array([0, 0, -1.0])) < 0.06


def test_no_median_of_nothing():
    with pytest.raises(ValueError, match="at least one rotation"):
        rotation_median(np.zeros((0, 3, 3)))
    with pytest.raises(ValueError, match="at least one rotation"):
        rotation_median(TRUE[None], np.zeros(1))
    with pytest.raises(ValueError, match="at least one direction"):
        direction_median(np.zeros((0, 3)))
