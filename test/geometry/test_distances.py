"""Angles between rotations and directions: accurate where arccos is not."""

import numpy as np
import pytest

from interpose_ros.geometry.distances import (
    direction_distance,
    direction_distance_sign_blind,
    rotation_angle,
    rotation_distance,
)
from interpose_ros.geometry.se3 import rotation_exp

AXES = np.random.default_rng(0).normal(size=(20, 3))
AXES /= np.linalg.norm(AXES, axis=1, keepdims=True)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, 0.3, np.pi / 2, 3.0, np.pi - 1e-4, np.pi - 1e-8, np.pi])
def test_rotation_angle_has_all_digits_everywhere(angle):
    np.testing.assert_allclose(rotation_angle(rotation_exp(AXES * angle)), angle, rtol=1e-9, atol=2e-15)
    # Close to pi the distance to pi is what could be lost.
    np.testing.assert_allclose(np.pi - rotation_angle(rotation_exp(AXES * angle)), np.pi - angle, atol=2e-15)


def test_rotation_distance_is_the_angle_between():
    R = rotation_exp(AXES)
    offset = rotation_exp(np.array([0.0, 1e-8, 0.0]))
    np.testing.assert_allclose(rotation_distance(offset @ R, R), 1e-8, rtol=1e-6)
    np.testing.assert_allclose(rotation_distance(R, R), 0.0, atol=1e-15)
    assert rotation_distance(R[:, None], R[None]).shape == (20, 20)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.5, np.pi / 2, 2.5, np.pi - 1e-8, np.pi])
def test_direction_distance_is_signed(angle):
    d_first, d_second = np.array([2.0, 0, 0]), 5.0 * np.array([np.cos(angle), np.sin(angle), 0])
    assert direction_distance(d_first, d_second) == pytest.approx(angle, rel=1e-7, abs=1e-15)
    blind = direction_distance_sign_blind(d_first, d_second)
    assert blind == pytest.approx(min(angle, np.pi - angle), rel=1e-6, abs=1e-15)
    assert direction_distance_sign_blind(d_first, -d_second) == pytest.approx(float(blind), rel=1e-6, abs=1e-15)
