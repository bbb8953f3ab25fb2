"""Metric lengths: odometry and /tf_static over the real middleware, on rendered images with known poses."""

import math
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation
from interpose_ros.msg import RelativePose

from . import room
from .running_node import ANSWER, DISCOVERY, SCRIPT, RunningNode, image_message, info_message

T_MAST_CAMERA = transform_from_rotation_translation(
    Rotation.from_euler("zyx", [-90, 0, -90], degrees=True).as_matrix(), np.array([0.05, 0.02, 0.0])
)
T_BASE_MAST = transform_from_rotation_translation(
    Rotation.from_euler("z", 20, degrees=True).as_matrix(), np.array([0.3, -0.1, 0.4])
)
T_BASE_CAMERA = T_BASE_MAST @ T_MAST_CAMERA
T_W_C = [
    transform_from_rotation_translation(Rotation.from_euler("y", yaw, degrees=True).as_matrix(), np.array(centre))
    for yaw, centre in ((0, (0.0, 0.0, -1.0)), (12, (0.5, 0.1, -1.0)), (24, (1.0, 0.0, -0.8)))
]
PICTURES = [room.picture(T[:3, :3], T[:3, 3]) for T in T_W_C]


def odometry_messages(rotate=lambda T_odom_base: T_odom_base):
    """20 Hz from 0.9 s to 3.1 s; the keyframes are at 1, 2 and 3 s."""
    T_w_base = [T @ inverse(T_BASE_CAMERA) for T in T_W_C]
    messages = []
    for stamp_ns in range(900_000_000, 3_150_000_000, 50_000_000):
        place = min(max(stamp_ns * 1e-9 - 1.0, 0.0), 2.0)
        k = min(int(place), 1)
        turn = Rotation.from_matrix(T_w_base[k][:3, :3].T @ T_w_base[k + 1][:3, :3]).as_rotvec()
        T = np.eye(4)
        T[:3, :3] = T_w_base[k][:3, :3] @ Rotation.from_rotvec((place - k) * turn).as_matrix()
        T[:3, 3] = (1 - place + k) * T_w_base[k][:3, 3] + (place - k) * T_w_base[k + 1][:3, 3]
        T = rotate(T)
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id = "odom"
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        p, q = message.pose.pose.position, message.pose.pose.orientation
        p.x, p.y, p.z = (float(x) for x in T[:3, 3])
        q.x, q.y, q.z, q.w = (float(x) for x in Rotation.from_matrix(T[:3, :3]).as_quat())
        messages.append(message)
    return messages


def spoiled_messages():
    """What a broken driver sends in between."""
    nan, no_turn, nameless = (odometry_messages()[30] for _ in range(3))
    nan.pose.pose.position.x = math.nan
    q = no_turn.pose.pose.orientation
    q.x = q.y = q.z = q.w = 0.0
    nameless.child_frame_id = ""
    return [nan, no_turn, nameless]


def static_message(parent, child, T_parent_child):
    stamped = TransformStamped(child_frame_id=child)
    stamped.header.frame_id = parent
    t, q = stamped.transform.translation, stamped.transform.rotation
    t.x, t.y, t.z = (float(x) for x in T_parent_child[:3, 3])
    q.x, q.y, q.z, q.w = (float(x) for x in Rotation.from_matrix(T_parent_child[:3, :3]).as_quat())
    return TFMessage(transforms=[stamped])


class Robot:
    """Odometry, /tf_static and a camera, for one node."""

    def __init__(self, running, static=()):
        self.running = running
        self.odometry = running.node.create_publisher(Odometry, "odom", QoSProfile(depth=100))
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.static = [running.node.create_publisher(TFMessage, "/tf_static", latched) for _ in static]
        running.wait_until_active()
        running.wait_for(lambda: self.odometry.get_subscription_count() == 1, DISCOVERY, "odometry subscription")
        for publisher, message in zip(self.static, static, strict=True):
            publisher.publish(message)
            running.wait_for(lambda p=publisher: p.get_subscription_count() > 0, DISCOVERY, "/tf_static subscription")
            assert publisher.wait_for_all_acked()
        running.repeat_camera_info(info_message())

    def drive(self, messages):
        for message in messages:
            self.odometry.publish(message)
        assert self.odometry.wait_for_all_acked()
        for k, picture in enumerate(PICTURES):
            self.running.images.publish(image_message(k + 1, picture))
        return [self.running.pose_for(second) for second in (2, 3)]

    def status(self, key, wanted):
        """Wait until the scale's diagnostics have a value."""

        def values():
            found = [s for d in self.running.diagnostics[-1:] for s in d.status if s.name.endswith(": scale")]
            return {item.key: item.value for s in found for item in s.values}

        self.running.wait_for(lambda: wanted(values().get(key, "")), ANSWER, f"{key} in the diagnostics")
        return values()[key]


def assert_metric(message, k):
    """The position is camera B in camera A in metres, with an error that fits what is said about it."""
    assert message.status == RelativePose.STATUS_OK, message.reason
    assert message.scale_source == RelativePose.SCALE_ODOMETRY
    T_a_b = inverse(T_W_C[k - 1]) @ T_W_C[k]
    p = message.pose.pose.position
    found, length = np.array([p.x, p.y, p.z]), np.linalg.norm(T_a_b[:3, 3])
    assert np.linalg.norm(found) == pytest.approx(length, rel=0.04)
    assert abs(np.linalg.norm(found) - length) < 4 * message.scale_stddev
    assert np.linalg.norm(found - T_a_b[:3, 3]) < 0.2 * length
    covariance = np.reshape(message.pose.covariance, (6, 6))[:3, :3]
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    assert np.trace(covariance) < 0.1


def test_length_through_a_chain_on_tf_static_and_metric_edges_on_tf():
    with RunningNode(
        camera_info_timeout=10.0, autostart=True, uncalibrated_tf=True, uncalibrated_min_inliers=20, tf_period=0.2
    ) as running:
        stamped = running.collect(PoseWithCovarianceStamped, "/interpose/pose_with_covariance")
        static = (static_message("base_link", "mast", T_BASE_MAST), static_message("mast", "camera", T_MAST_CAMERA))
        robot = Robot(running, static)
        sound = odometry_messages()
        for k, message in enumerate(robot.drive([*sound[:20], *spoiled_messages(), *sound[20:]]), start=1):
            assert_metric(message, k)
        assert robot.status("odometry_messages_refused", lambda value: value == "3") == "3"
        running.wait_for(lambda: len(stamped) == 2, ANSWER, "poses with covariance")
        for message, pose in zip(stamped, running.poses, strict=True):
            assert message.header.frame_id == pose.parent_frame_id
            assert message.header.stamp == pose.keyframe_b.stamp
            assert message.pose == pose.pose
        running.wait_for(lambda: any(len(m.transforms) == 2 for m in running.transforms), ANSWER, "two edges on /tf")
        edges = next(m for m in running.transforms if len(m.transforms) == 2).transforms
        for edge, k in zip(edges, (1, 2), strict=True):
            t = edge.transform.translation
            T_a_b = inverse(T_W_C[k - 1]) @ T_W_C[k]
            assert np.linalg.norm([t.x, t.y, t.z]) == pytest.approx(np.linalg.norm(T_a_b[:3, 3]), rel=0.04)


def as_it_is(T_odom_base):
    return T_odom_base


def with_made_up_orientation(T_odom_base):
    T = T_odom_base.copy()
    T[:3, :3] = Rotation.random(random_state=int(1e6 * abs(T[0, 3]))).as_matrix()
    return T


def twice_as_far(T_odom_base):
    T = T_odom_base.copy()
    T[:3, 3] *= 2
    return T


@pytest.fixture(scope="module")
def answers():
    """Of three nodes that see the same images beside another odometry each; the extrinsic is a parameter."""
    pose = [*T_BASE_CAMERA[:3, 3], *Rotation.from_matrix(T_BASE_CAMERA[:3, :3]).as_quat()]
    parameters = {"autostart": True, "camera_info_timeout": 10.0, "odometry.extrinsic": str([float(x) for x in pose])}
    found = {}
    for change in (as_it_is, with_made_up_orientation, twice_as_far):
        with RunningNode(**parameters) as running:
            found[change] = Robot(running).drive(odometry_messages(change))
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_lengths_hold_though_orientations_are_made_up(answers):
    for change in (as_it_is, with_made_up_orientation):
        for k, message in enumerate(answers[change], start=1):
            assert_metric(message, k)


@pytest.mark.slow
def test_odometry_changes_lengths_only(answers):
    def without_length(message):
        chosen = [(c.estimator, c.selected, c.reason) for c in message.candidates]
        q, d = message.pose.pose.orientation, message.translation_direction
        numbers = [q.x, q.y, q.z, q.w, d.x, d.y, d.z, message.overlap_a, message.overlap_b, message.parallax]
        numbers += np.reshape(message.pose.covariance, (6, 6))[3:, 3:].ravel().tolist()
        return (message.status, message.branch, message.model, message.inliers, chosen), numbers

    for sound, made_up, doubled in zip(*answers.values(), strict=True):
        choice, numbers = without_length(sound)
        for other in (made_up, doubled):
            assert without_length(other) == (choice, pytest.approx(numbers, abs=1e-9))
        # The lever arm does not grow with the odometry, so twice the way is not quite twice the length.
        p, q = sound.pose.pose.position, doubled.pose.pose.position
        assert np.linalg.norm([q.x, q.y, q.z]) > 1.5 * np.linalg.norm([p.x, p.y, p.z])


def test_without_extrinsic_there_is_no_scale_and_the_diagnostics_say_why():
    with RunningNode(camera_info_timeout=10.0, autostart=True) as running:
        robot = Robot(running)
        for message in robot.drive(odometry_messages()):
            assert message.status == RelativePose.STATUS_OK, message.reason
            assert message.scale_source == RelativePose.SCALE_NONE
            assert math.isnan(message.pose.pose.position.x)
            assert np.reshape(message.pose.covariance, (6, 6))[0, 0] == 9999
        reason = robot.status("last_reason_for_no_scale", bool)
        assert "does not connect 'camera' with 'base_link'" in reason


def test_an_extrinsic_that_is_no_pose_stops_the_node_with_a_sentence():
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--ros-args", "-p", "autostart:=true", "-p", "odometry.extrinsic:=[1.0, 2.0]"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "write seven numbers" in ended.stderr
