"""From a camera's relative pose to that of the base: numbers, and the covariance by Monte Carlo."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from scipy.spatial.transform import Rotation

from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation
from interpose_ros.msg import RelativePose
from interpose_ros.ros.base_link import base_pose_from_message

# A camera half a metre in front of the base and a metre above it, that looks forward.
FORWARD = Rotation.from_euler("ZYX", [-90, 0, -90], degrees=True).as_matrix()
T_BASE_CAMERA = transform_from_rotation_translation(FORWARD, np.array([0.5, 0.0, 1.0]))


def message(T_a_b: np.ndarray, covariance: np.ndarray) -> RelativePose:
    found = RelativePose(status=RelativePose.STATUS_OK)
    p, q = found.pose.pose.position, found.pose.pose.orientation
    p.x, p.y, p.z = T_a_b[:3, 3].tolist()
    q.x, q.y, q.z, q.w = Rotation.from_matrix(T_a_b[:3, :3]).as_quat().tolist()
    found.pose.covariance = covariance.ravel().tolist()
    return found


def test_a_robot_that_turns_in_place_stays_where_it_is():
    turn = transform_from_rotation_translation(Rotation.from_euler("z", 90, degrees=True).as_matrix(), np.zeros(3))
    T_a_b = inverse(T_BASE_CAMERA) @ turn @ T_BASE_CAMERA
    assert np.linalg.norm(T_a_b[:3, 3]) > 0.5, "the camera does move"
    found, _ = base_pose_from_message(message(T_a_b, np.eye(6)), T_BASE_CAMERA)
    np.testing.assert_allclose(found, turn, atol=1e-12)


def test_forward_of_the_camera_is_forward_of_the_base():
    T_a_b = transform_from_rotation_translation(np.eye(3), np.array([0.0, 0.0, 2.0]))
    found, covariance = base_pose_from_message(message(T_a_b, np.diag([1.0, 2, 3, 0, 0, 0])), T_BASE_CAMERA)
    np.testing.assert_allclose(found[:3, 3], [2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.diag(covariance)[:3], [3, 1, 2], atol=1e-12)


def test_the_covariance_is_that_of_the_errors():
    random = np.random.default_rng(1)
    T_a_b = transform_from_rotation_translation(
        Rotation.from_euler("xyz", [20, -30, 40], degrees=True).as_matrix(), np.array([0.3, -0.2, 1.0])
    )
    T_base_camera_b = transform_from_rotation_translation(
        Rotation.from_euler("xyz", [-80, 5, -95], degrees=True).as_matrix(), np.array([-0.4, 0.2, 0.6])
    )
    root = 0.01 * random.normal(size=(6, 6))
    given = root @ root.T
    found, covariance = base_pose_from_message(message(T_a_b, given), T_BASE_CAMERA, T_base_camera_b)
    errors = []
    for error in random.multivariate_normal(np.zeros(6), given, size=4000):
        T = T_a_b.copy()
        T[:3, 3] += error[:3]
        T[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ T[:3, :3]
        moved, _ = base_pose_from_message(message(T, given), T_BASE_CAMERA, T_base_camera_b)
        turn = Rotation.from_matrix(moved[:3, :3] @ found[:3, :3].T).as_rotvec()
        errors.append([*(moved[:3, 3] - found[:3, 3]), *turn])
    np.testing.assert_allclose(np.cov(np.array(errors).T), covariance, atol=0.06 * np.abs(covariance).max())


def test_what_is_no_metric_pose_is_refused():
    refused = RelativePose(status=RelativePose.STATUS_REFUSED_NO_OVERLAP, reason="nothing in common")
    with pytest.raises(ValueError, match="nothing in common"):
        base_pose_from_message(refused, T_BASE_CAMERA)
    T = np.eye(4)
    T[0, 3] = math.nan
    with pytest.raises(ValueError, match="not metric"):
        base_pose_from_message(message(T, np.eye(6)), T_BASE_CAMERA)
