"""Errors of poses that were turned and shifted by known amounts."""

import numpy as np
import pytest

from interpose_ros.evaluation.pose_errors import has_baseline, pose_errors
from interpose_ros.geometry.se3 import rotation_exp, transform_from_rotation_translation

R_TRUE = rotation_exp(np.array([0.3, -0.8, 0.2]))


def truth(t):
    return transform_from_rotation_translation(R_TRUE, np.array(t, float))


@pytest.mark.parametrize("degrees", [1e-7, 0.01, 5.0, 90.0, 179.99])
def test_rotation_error_is_the_angle_that_was_added(degrees):
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    errors = pose_errors(rotation_exp(np.radians(degrees) * axis) @ R_TRUE, None, truth([1, 0, 0]), 1e-9)
    assert errors.rotation_deg == pytest.approx(degrees, rel=1e-6, abs=1e-8)
    assert errors.translation_deg is None


@pytest.mark.parametrize(
    ("direction", "signed", "blind"), [([0, 3, 0], 90, 90), ([-1, 0, 0], 180, 0), ([1, 1, 0], 45, 45)]
)
def test_translation_error_signed_and_sign_blind(direction, signed, blind):
    errors = pose_errors(R_TRUE, np.array(direction, float), truth([2, 0, 0]), 1e-9)
    assert errors.translation_deg == pytest.approx(signed, abs=1e-6)
    assert errors.translation_sign_blind_deg == pytest.approx(blind, abs=1e-6)


def test_single_precision_estimates_are_compared_in_double():
    errors = pose_errors(R_TRUE.astype(np.float32).astype(np.float64), None, truth([0, 0, 0]), 1e-9)
    assert errors.rotation_deg < 1e-5


def test_no_baseline_leaves_translation_out():
    assert not has_baseline(truth([0, 0, 0]), 1e-9)
    assert not has_baseline(truth([0.005, 0, 0]), 0.01)
    assert pose_errors(R_TRUE, np.array([1.0, 0, 0]), truth([0, 0, 0]), 1e-9).translation_deg is None


def test_errors_in_units_of_the_prediction():
    turned = rotation_exp(np.array([0.0, 0.02, 0.0])) @ R_TRUE
    covariance = np.diag([1.0, 0.01**2, 1.0])
    errors = pose_errors(turned, None, truth([1, 0, 0]), 1e-9, covariance)
    assert errors.rotation_normalised == pytest.approx(2.0)
    assert errors.rotation_inside  # 2^2 < 6.25, the 90 % point of chi squared with 3 degrees of freedom
    assert not pose_errors(turned, None, truth([1, 0, 0]), 1e-9, covariance / 2).rotation_inside  # 8 > 6.25
    off = np.array([np.cos(0.1), np.sin(0.1), 0.0])
    direction = pose_errors(R_TRUE, off, truth([1, 0, 0]), 1e-9, direction_stddev=0.1)
    assert direction.direction_normalised == pytest.approx(np.sqrt(2.0))
    assert direction.direction_inside
    assert not pose_errors(R_TRUE, off, truth([1, 0, 0]), 1e-9, direction_stddev=0.05).direction_inside


def test_coverage_of_errors_that_are_as_predicted_is_the_level():
    random = np.random.default_rng(0)
    factor = 0.01 * random.normal(size=(3, 3))
    covariance = factor @ factor.T + 1e-5 * np.eye(3)
    draws = random.multivariate_normal(np.zeros(3), covariance, 2000)
    inside = [
        pose_errors(rotation_exp(d) @ R_TRUE, None, truth([1, 0, 0]), 1e-9, covariance).rotation_inside for d in draws
    ]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)


def test_unknown_covariance_gives_no_normalised_error():
    for covariance in (np.full((3, 3), np.nan), np.diag([9999.0] * 3), np.zeros((3, 3))):
        assert pose_errors(R_TRUE, None, truth([1, 0, 0]), 1e-9, covariance).rotation_normalised is None
