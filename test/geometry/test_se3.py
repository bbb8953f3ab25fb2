"""Rigid transforms: round trips, and covariance through inversion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from interpose_ros.geometry.se3 import (
    inverse,
    inverse_pose_covariance,
    is_rigid,
    quaternion_xyzw_from_rotation,
    rotation_exp,
    rotation_from_quaternion_xyzw,
    rotation_log,
    skew,
    transform_from_rotation_translation,
)

vectors = arrays.arrays(np.float64, 3, elements=st.floats(-100, 100))
directions = vectors.filter(lambda v: np.linalg.norm(v) > 1e-3).map(lambda v: v / np.linalg.norm(v))


@st.composite
def rotation_vectors(draw, max_angle=np.pi):
    return draw(directions) * draw(st.floats(0.0, max_angle))


@given(rotation_vectors(), vectors)
def test_inverse_undoes_a_transform(rotation_vector, t_b_a):
    T_b_a = transform_from_rotation_translation(rotation_exp(rotation_vector), t_b_a)
    np.testing.assert_allclose(inverse(T_b_a) @ T_b_a, np.eye(4), atol=1e-12 * (1 + np.abs(t_b_a).max()))
    np.testing.assert_allclose(inverse(inverse(T_b_a)), T_b_a, atol=1e-12 * (1 + np.abs(t_b_a).max()))


def test_inverse_in_numbers():
    # b is a quarter turn about z and shifted: the origin of a lies at (1, 2, 3) in b.
    T_b_a = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    T_a_b = [[0, 1, 0, -2], [-1, 0, 0, 1], [0, 0, 1, -3], [0, 0, 0, 1]]
    np.testing.assert_array_equal(inverse(T_b_a), T_a_b)
    np.testing.assert_array_equal(inverse(np.stack([T_b_a, np.eye(4)])), [T_a_b, np.eye(4)])


@given(rotation_vectors(max_angle=np.pi - 1e-6))
def test_log_undoes_exp(rotation_vector):
    np.testing.assert_allclose(rotation_log(rotation_exp(rotation_vector)), rotation_vector, atol=1e-9)


@given(rotation_vectors())
def test_exp_undoes_log_up_to_half_a_turn(rotation_vector):
    R = rotation_exp(rotation_vector)
    np.testing.assert_allclose(rotation_exp(rotation_log(R)), R, atol=1e-12)


def test_exp_turns_counter_clockwise_about_the_axis():
    np.testing.assert_allclose(rotation_exp(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-15)


def test_exp_and_log_keep_batch_shapes():
    rotation_vector = np.random.default_rng(0).normal(size=(2, 5, 3))
    assert rotation_exp(rotation_vector).shape == (2, 5, 3, 3)
    np.testing.assert_allclose(rotation_log(rotation_exp(rotation_vector))[1, 3], rotation_vector[1, 3], atol=1e-12)


@given(rotation_vectors(), st.floats(0.1, 10))
def test_quaternion_round_trip(rotation_vector, length):
    R = rotation_exp(rotation_vector)
    q_xyzw = quaternion_xyzw_from_rotation(R)
    assert q_xyzw[3] >= 0
    assert np.linalg.norm(q_xyzw) == pytest.approx(1.0)
    np.testing.assert_allclose(rotation_from_quaternion_xyzw(length * q_xyzw), R, atol=1e-12)
    np.testing.assert_allclose(rotation_from_quaternion_xyzw(-q_xyzw), R, atol=1e-12)


def test_quaternion_order_is_that_of_ros():
    s = np.sqrt(0.5)
    np.testing.assert_allclose(quaternion_xyzw_from_rotation(rotation_exp(np.array([0, 0, np.pi / 2]))), [0, 0, s, s])


@pytest.mark.parametrize("q_xyzw", [np.zeros(4), np.array([0, 0, 0, np.nan]), np.array([np.inf, 0, 0, 1])])
def test_no_quaternion_no_rotation(q_xyzw):
    with pytest.raises(ValueError, match="not a rotation"):
        rotation_from_quaternion_xyzw(q_xyzw)


@given(vectors, vectors)
def test_skew_is_the_cross_product(v, w):
    np.testing.assert_allclose(skew(v) @ w, np.cross(v, w), atol=1e-9)


def test_only_right_handed_finite_transforms_are_rigid():
    T = transform_from_rotation_translation(rotation_exp(np.array([0.1, 2.0, -0.3])), np.array([1.0, 2, 3]))
    assert is_rigid(T)
    mirrored, scaled, broken, projective = T.copy(), T.copy(), T.copy(), T.copy()
    mirrored[:3, 0] *= -1
    scaled[:3, :3] *= 1.01
    broken[0, 3] = np.nan
    projective[3, 0] = 0.1
    assert not any(is_rigid(other) for other in (mirrored, scaled, broken, projective))


@pytest.mark.parametrize("seed", range(3))
def test_inverse_covariance_against_monte_carlo(seed):
    rng = np.random.default_rng(seed)
    T_b_a = transform_from_rotation_translation(rotation_exp(rng.normal(size=3)), rng.normal(size=3) * 2.0)
    root = rng.normal(size=(6, 6)) * 2e-3
    covariance_b_a = root @ root.T
    draws = 200_000
    errors = rng.multivariate_normal(np.zeros(6), covariance_b_a, draws)
    noisy = np.tile(T_b_a, (draws, 1, 1))
    noisy[:, :3, 3] += errors[:, :3]
    noisy[:, :3, :3] = rotation_exp(errors[:, 3:]) @ noisy[:, :3, :3]
    T_a_b, sampled = inverse(T_b_a), inverse(noisy)
    inverse_errors = np.hstack([sampled[:, :3, 3] - T_a_b[:3, 3], rotation_log(sampled[:, :3, :3] @ T_a_b[:3, :3].T)])
    predicted = inverse_pose_covariance(T_b_a, covariance_b_a)
    scale = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    # Sampling error is 1 / sqrt(draws) = 0.2 %; five of them, and a little for second-order terms.
    np.testing.assert_allclose(np.cov(inverse_errors.T) / scale, predicted / scale, atol=0.015)
    np.testing.assert_allclose(inverse_pose_covariance(T_a_b, predicted), covariance_b_a, atol=1e-15)
