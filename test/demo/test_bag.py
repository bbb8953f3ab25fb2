"""What the bag in data/ holds: the extrinsic, the truth and odometry that belong together."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.distances import rotation_angle
from interpose_ros.geometry.se3 import inverse, rotation_from_quaternion_xyzw, transform_from_rotation_translation

BAG = Path(__file__).parents[2] / "data/fr3_office_1hz"


def _stamp(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _transform(position, q):
    R = rotation_from_quaternion_xyzw(np.array([q.x, q.y, q.z, q.w]))
    return transform_from_rotation_translation(R, np.array([position.x, position.y, position.z]))


@pytest.fixture(scope="module")
def topics():
    found = {}
    with AnyReader([BAG]) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(data, connection.msgtype))
    return found


def test_it_is_small_enough_and_has_every_topic(topics):
    assert sum(path.stat().st_size for path in BAG.iterdir()) <= 6_000_000
    assert {topic: len(messages) for topic, messages in topics.items() if len(messages) < 100} == {
        "/tf_static": 1,
        "/camera/image/compressed": 17,
        "/camera/camera_info": 17,
    }
    assert set(topics) >= {"/odom", "/ground_truth/pose"}


def test_odometry_through_the_extrinsic_is_the_true_camera_motion_with_drift(topics):
    extrinsic = topics["/tf_static"][0].transforms[0]
    T_base_camera = _transform(extrinsic.transform.translation, extrinsic.transform.rotation)
    assert np.linalg.norm(T_base_camera[:3, 3]) > 0.3
    truth = topics["/ground_truth/pose"]
    truth = Trajectory(
        [_stamp(m) for m in truth], np.array([_transform(m.pose.position, m.pose.orientation) for m in truth])
    )
    odometry = topics["/odom"]
    poses = [_transform(m.pose.pose.position, m.pose.pose.orientation) @ T_base_camera for m in odometry]
    odometry = Trajectory([_stamp(m) for m in odometry], np.array(poses))
    images = [_stamp(message) for message in topics["/camera/image/compressed"]]

    assert truth.pose_at(images[0]) is None, "motion capture begins after the first image"
    assert all(odometry.pose_at(stamp) is not None for stamp in images)
    for first, second in itertools.pairwise(images[1:]):
        error = inverse(truth.relative_pose(first, second)) @ odometry.relative_pose(first, second)
        assert np.linalg.norm(error[:3, 3]) < 0.06
        assert np.degrees(rotation_angle(error[:3, :3])) < 2.0
    whole = inverse(truth.relative_pose(images[1], images[-1])) @ odometry.relative_pose(images[1], images[-1])
    assert 0.05 < np.linalg.norm(whole[:3, 3]) < 0.6
    assert 0.5 < np.degrees(rotation_angle(whole[:3, :3])) < 8.0
