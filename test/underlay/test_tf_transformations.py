"""What this project expects of tf_transformations; holds for the stand-in and for the original."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.ros
tf_transformations = pytest.importorskip("tf_transformations", reason="the ROS-free core is tested without it")

HALF = math.sqrt(0.5)


def test_quaternions_are_x_y_z_w():
    """A quarter turn about z."""
    quarter_z = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(tf_transformations.quaternion_from_matrix(quarter_z), [0, 0, HALF, HALF], atol=1e-12)
    np.testing.assert_allclose(tf_transformations.quaternion_matrix([0, 0, HALF, HALF]), quarter_z, atol=1e-12)
    np.testing.assert_allclose(
        tf_transformations.quaternion_from_euler(0, 0, math.pi / 2), [0, 0, HALF, HALF], atol=1e-12
    )


def test_a_general_rotation_survives_the_way_through_a_matrix():
    quaternion = np.array([0.1, -0.4, 0.2, 0.88])
    quaternion /= np.linalg.norm(quaternion)
    matrix = tf_transformations.quaternion_matrix(quaternion)
    assert matrix.shape == (4, 4)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(tf_transformations.quaternion_from_matrix(matrix), quaternion, atol=1e-12)


def test_length_of_a_quaternion_does_not_matter():
    np.testing.assert_allclose(
        tf_transformations.quaternion_matrix([0.2, 0.4, -0.6, 1.2]),
        tf_transformations.quaternion_matrix([0.1, 0.2, -0.3, 0.6]),
    )


def test_euler_angles_are_fixed_axes_roll_pitch_yaw():
    quaternion = tf_transformations.quaternion_from_euler(0.3, -0.2, 1.1)
    np.testing.assert_allclose(tf_transformations.euler_from_quaternion(quaternion), [0.3, -0.2, 1.1], atol=1e-12)
    # roll first, then pitch, then yaw, each about an axis that stays
    x = tf_transformations.quaternion_matrix(tf_transformations.quaternion_from_euler(0.3, 0, 0))
    y = tf_transformations.quaternion_matrix(tf_transformations.quaternion_from_euler(0, -0.2, 0))
    z = tf_transformations.quaternion_matrix(tf_transformations.quaternion_from_euler(0, 0, 1.1))
    np.testing.assert_allclose(tf_transformations.quaternion_matrix(quaternion), z @ y @ x, atol=1e-12)


def test_matrices_move_invert_and_chain():
    turn = tf_transformations.quaternion_matrix([0, 0, HALF, HALF])
    move = tf_transformations.translation_matrix([1, 2, 3])
    np.testing.assert_allclose(move @ [0, 0, 0, 1], [1, 2, 3, 1])
    chained = tf_transformations.concatenate_matrices(move, turn)
    np.testing.assert_allclose(chained @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    np.testing.assert_allclose(tf_transformations.inverse_matrix(chained) @ [1, 3, 3, 1], [1, 0, 0, 1], atol=1e-12)
