"""Length of a translation from how far the base moved: exact cases, refusals, and whether the errors are as predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpose_ros.answer import Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import inverse, rotation_exp, transform_from_rotation_translation
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.odometry import BaseMotion, NoScale
from interpose_ros.scale import ScaleConfig, length_from_odometry

SURE = ScaleConfig(relative_stddev=1e-3, position_stddev=1e-4, lever_arm_stddev=0.0)
T_BASE_CAMERA = transform_from_rotation_translation(
    rotation_exp(np.array([0.4, -1.1, 0.9])), np.array([0.4, -0.1, 0.3])
)

# Odometry's fixed frame is anywhere.
T_ODOM_A = transform_from_rotation_translation(rotation_exp(np.array([0.3, 2.0, -1.0])), np.array([7.0, -3.0, 1.0]))


def move(turn, way, T_base_camera_a=T_BASE_CAMERA, T_base_camera_b=None, rotation_stddev=1e-4, direction_stddev=1e-4):
    """Estimate, odometry and true length for a base that turns by ``turn`` and moves by ``way``, both in base A."""
    T_a_b = transform_from_rotation_translation(rotation_exp(np.asarray(turn, float)), np.asarray(way, float))
    T_base_camera_b = T_base_camera_a if T_base_camera_b is None else T_base_camera_b
    T_camera_b_a = inverse(T_base_camera_b) @ inverse(T_a_b) @ T_base_camera_a
    length = float(np.linalg.norm(T_camera_b_a[:3, 3]))
    estimate = PoseEstimate(
        R_b_a=T_camera_b_a[:3, :3],
        direction_b_a=T_camera_b_a[:3, 3] / max(length, 1e-12),
        model=MotionModel.GENERAL,
        rotation_covariance=rotation_stddev**2 * np.eye(3),
        direction_stddev=direction_stddev,
    )
    return estimate, BaseMotion(T_ODOM_A, T_ODOM_A @ T_a_b, float(np.linalg.norm(way)), np.zeros((3, 3))), length


def with_odometry(motion, displacement=None, R_odom_a=None, R_odom_b=None):
    """The motion with another displacement or other orientations."""
    T_a, T_b = motion.T_odom_base_a.copy(), motion.T_odom_base_b.copy()
    if displacement is not None:
        T_b[:3, 3] = T_a[:3, 3] + displacement
    T_a[:3, :3] = T_a[:3, :3] if R_odom_a is None else R_odom_a
    T_b[:3, :3] = T_b[:3, :3] if R_odom_b is None else R_odom_b
    return replace(motion, T_odom_base_a=T_a, T_odom_base_b=T_b)


def length_of(estimate, motion, config=SURE, T_base_camera_b=T_BASE_CAMERA):
    return length_from_odometry(estimate, motion, T_BASE_CAMERA, T_base_camera_b, config)


@pytest.mark.parametrize(
    ("turn", "way"),
    [
        ((0, 0, 0), (1.0, 0.2, 0.0)),
        ((0, 0, 0.9), (2.0, 0.5, 0.0)),
        ((0.3, -0.2, 2.8), (0.8, -0.5, 0.2)),
        ((0, 0, 1.2), (0.3, 0.0, 0.0)),
    ],
)
def test_exact_input_gives_the_exact_length(turn, way):
    estimate, motion, length = move(turn, way)
    scale = length_of(estimate, motion)
    assert isinstance(scale, Scale), scale
    assert scale.source is ScaleSource.ODOMETRY
    assert scale.metres == pytest.approx(length, abs=4 * scale.stddev)
    assert scale.stddev < 0.01


def test_turning_on_the_spot_takes_its_length_from_the_lever_arm():
    estimate, motion, length = move((0, 0, 1.0), (0, 0, 0), direction_stddev=0.02)
    assert length == pytest.approx(2 * np.sin(0.5) * np.hypot(0.4, 0.1))
    scale = length_of(estimate, motion)
    assert isinstance(scale, Scale), scale
    assert scale.metres == pytest.approx(length, rel=0.02)


def test_two_cameras_of_a_rig():
    T_base_other = transform_from_rotation_translation(rotation_exp(np.array([0, 0, 1.5])), np.array([-0.2, 0.3, 0.5]))
    estimate, motion, length = move((0, 0.1, 0.6), (1.5, 0.4, 0.0), T_base_camera_b=T_base_other)
    scale = length_of(estimate, motion, T_base_camera_b=T_base_other)
    assert isinstance(scale, Scale), scale
    assert scale.metres == pytest.approx(length, abs=4 * scale.stddev)


def test_asked_the_other_way_round_it_is_the_same_length():
    estimate, motion, _ = move((0.1, 0, 0.7), (1.0, 0.6, 0.1))
    backward = replace(estimate, R_b_a=estimate.R_b_a.T, direction_b_a=-estimate.R_b_a.T @ estimate.direction_b_a)
    forward_scale = length_of(estimate, motion)
    swapped = replace(motion, T_odom_base_a=motion.T_odom_base_b, T_odom_base_b=motion.T_odom_base_a)
    assert length_of(backward, swapped).metres == pytest.approx(forward_scale.metres, rel=1e-3)


ROTATION_VECTORS = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(np.array)


@settings(deadline=None, max_examples=50)
@given(ROTATION_VECTORS, ROTATION_VECTORS)
def test_made_up_orientations_leave_the_length_as_right_as_it_was(turn_a, turn_b):
    estimate, motion, length = move((0, 0, 0.9), (2.0, 0.5, 0.0))
    made_up = with_odometry(motion, R_odom_a=rotation_exp(turn_a), R_odom_b=rotation_exp(turn_b))
    scale = length_of(estimate, made_up)
    assert isinstance(scale, Scale), scale
    assert scale.metres == pytest.approx(length, rel=0.01)


@settings(deadline=None, max_examples=20)
@given(ROTATION_VECTORS)
def test_where_odometry_began_does_not_matter(turn):
    estimate, motion, _ = move((0, 0, 0.9), (2.0, 0.5, 0.0))
    T = transform_from_rotation_translation(rotation_exp(turn), 10 * turn)
    moved = replace(motion, T_odom_base_a=T @ motion.T_odom_base_a, T_odom_base_b=T @ motion.T_odom_base_b)
    assert length_of(estimate, moved).metres == pytest.approx(length_of(estimate, motion).metres, rel=1e-6)


def test_without_lever_arm_twice_the_odometry_is_twice_the_length():
    T_base_camera = transform_from_rotation_translation(T_BASE_CAMERA[:3, :3], np.zeros(3))
    estimate, motion, _ = move((0, 0, 0.9), (2.0, 0.5, 0.0), T_base_camera_a=T_base_camera)
    doubled = replace(with_odometry(motion, 2 * motion.displacement), travelled=2 * motion.travelled)
    one = length_from_odometry(estimate, motion, T_base_camera, T_base_camera, SURE)
    two = length_from_odometry(estimate, doubled, T_base_camera, T_base_camera, SURE)
    assert two.metres == pytest.approx(2 * one.metres, rel=1e-3)


@pytest.mark.parametrize(
    ("turn", "way", "rotation_stddev", "direction_stddev"),
    [
        ((0, 0, 0.5), (1.0, 0.2, 0.0), 0.005, 0.03),
        ((0, 0, 2.0), (0.6, -0.3, 0.1), 0.01, 0.05),
        ((0, 0, 1.0), (0.02, 0.0, 0.0), 0.01, 0.05),
        ((0, 0, 0.6), (-0.15, 0.05, 0.0), 0.005, 0.05),
    ],
)
@pytest.mark.parametrize("has_orientation", [True, False])
def test_errors_are_as_large_as_predicted(turn, way, rotation_stddev, direction_stddev, has_orientation):
    """Monte Carlo over all errors that are modelled, the lever arm's and the odometry's among them.

    Without the odometry's orientation, a length may have two solutions, one standard deviation to both sides of the mean:
    then only the share within two says something.
    """
    config = ScaleConfig(max_relative_stddev=1.0)
    rng = np.random.default_rng(1)
    normalised = []
    for _ in range(400):
        lever_error = rng.normal(0, config.lever_arm_stddev, 3)
        T_true = T_BASE_CAMERA.copy()
        T_true[:3, 3] += lever_error
        estimate, motion, length = move(turn, way, T_true, None, rotation_stddev, direction_stddev)
        direction = estimate.direction_b_a
        across = rng.normal(0, direction_stddev / np.sqrt(2), 3)
        direction = direction + across - direction * (across @ direction)
        noisy = replace(
            estimate,
            R_b_a=rotation_exp(rng.normal(0, rotation_stddev, 3)) @ estimate.R_b_a,
            direction_b_a=direction / np.linalg.norm(direction),
        )
        distance_stddev = np.hypot(config.position_stddev, config.relative_stddev * motion.travelled)
        along = motion.displacement / np.linalg.norm(motion.displacement)
        measured = with_odometry(
            motion,
            motion.displacement + rng.normal(0, distance_stddev) * along,
            R_odom_b=motion.T_odom_base_b[:3, :3] @ rotation_exp(rng.normal(0, 0.04, 3))
            if has_orientation
            else np.eye(3),
        )
        scale = length_of(noisy, measured, config)
        if isinstance(scale, NoScale):
            assert "contradict" in scale.text
            continue
        normalised.append((scale.metres - length) / scale.stddev)
    normalised = np.array(normalised)
    assert len(normalised) > 390
    # Of a normal distribution 68 and 95 %. Smaller errors than predicted are no harm, within reason.
    assert np.mean(np.abs(normalised) < 2) > 0.92
    assert 0.3 < np.sqrt(np.mean(normalised**2)) < 1.2
    if has_orientation:
        assert np.mean(np.abs(normalised) < 1) > 0.6


def test_reported_covariance_widens_the_length():
    estimate, motion, _ = move((0, 0, 0.5), (1.0, 0.2, 0.0))
    plain = length_of(estimate, motion)
    uncertain = length_of(estimate, replace(motion, covariance=0.05**2 * np.eye(3)))
    assert uncertain.stddev == pytest.approx(0.05, rel=0.3)
    assert plain.stddev < 0.01


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"direction_b_a": None}, "no translation"),
        ({"direction_stddev": float("nan")}, "not known"),
        ({"rotation_covariance": np.full((3, 3), np.nan)}, "not known"),
    ],
)
def test_estimates_that_tell_too_little_get_no_length(change, word):
    estimate, motion, _ = move((0, 0, 0.5), (1.0, 0.2, 0.0))
    refused = length_of(replace(estimate, **change), motion)
    assert isinstance(refused, NoScale)
    assert word in refused.text


def test_a_camera_that_hardly_moves_gets_no_length():
    # The base circles round the camera: it moves, the camera does not.
    turn = np.array([0.0, 0.0, 1.0])
    lever = T_BASE_CAMERA[:3, 3]
    estimate, motion, length = move(turn, lever - rotation_exp(turn) @ lever + np.array([0.004, 0.0, 0.0]))
    assert length == pytest.approx(0.004)
    refused = length_of(estimate, motion, ScaleConfig())
    assert isinstance(refused, NoScale)
    assert "standard deviation" in refused.text


def test_a_standing_base_gets_no_length():
    estimate, motion, _ = move((0, 0, 0), (0.003, 0, 0))
    assert isinstance(length_of(estimate, motion, ScaleConfig()), NoScale)


def test_odometry_that_contradicts_the_images_gives_no_length():
    """It says that the base stood still; the images show a motion that no turn about the base explains."""
    estimate, motion, _ = move((0, 0, 1.2), (0.0, 0.5, 0.0))
    refused = length_of(estimate, with_odometry(motion, np.zeros(3)))
    assert isinstance(refused, NoScale)
    assert "contradict" in refused.text


def test_two_lengths_are_told_apart_by_orientation_or_refused():
    # Backwards while turning: |s v + w| is the same before and after the point nearest to the lever arm's own motion.
    estimate, motion, length = move((0, 0, 1.0), (-0.05, -0.02, 0.25), rotation_stddev=1e-3, direction_stddev=1e-3)
    v = T_BASE_CAMERA[:3, :3] @ estimate.direction_b_a
    Q = T_BASE_CAMERA[:3, :3] @ estimate.R_b_a @ T_BASE_CAMERA[:3, :3].T
    w = T_BASE_CAMERA[:3, 3] - Q @ T_BASE_CAMERA[:3, 3]
    distance = np.linalg.norm(motion.displacement)
    roots = -v @ w + np.array([1, -1]) * np.sqrt((v @ w) ** 2 + distance**2 - w @ w)
    assert np.all(roots > 0)
    assert np.min(np.abs(roots - length)) < 1e-9
    told_apart = length_of(estimate, motion)
    assert isinstance(told_apart, Scale), told_apart
    assert told_apart.metres == pytest.approx(length, rel=0.03)
    open_between_both = length_of(
        estimate, with_odometry(motion, R_odom_b=np.eye(3)), ScaleConfig(max_relative_stddev=1.0)
    )
    assert open_between_both.stddev > 0.3 * abs(roots[0] - roots[1])
    refused = length_of(estimate, with_odometry(motion, R_odom_b=np.eye(3)), ScaleConfig(max_relative_stddev=0.1))
    assert isinstance(refused, NoScale)
