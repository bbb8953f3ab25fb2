"""Keyframes from a stream, publishers of every quality of service, compressed images, simulated time."""

import contextlib
import itertools

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.msg import RelativePose
from interpose_ros.srv import GetRelativePose, ListKeyframes

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, assert_no_pose, image_message, info_message, name

BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
STEP_DEG = 10.0


def view(k: int) -> np.ndarray:
    R = Rotation.from_euler("y", STEP_DEG * k, degrees=True).as_matrix()
    return room.picture(R, np.array([0.25 * k - 1.0, 0.05 * (k % 2), 0.05 * k - 1.5]))


def jpeg_message(second: int, pixels: np.ndarray) -> CompressedImage:
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    message = CompressedImage(format="jpeg", data=data.tobytes())
    message.header.frame_id = "camera"
    message.header.stamp.sec = second
    return message


def rotation_error_deg(message: RelativePose, angle_deg: float) -> float:
    q = message.pose.pose.orientation
    R_a_b = Rotation.from_quat([q.x, q.y, q.z, q.w])
    return np.degrees((R_a_b * Rotation.from_euler("y", angle_deg, degrees=True).inv()).magnitude())


def held(running) -> list[int]:
    response = running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
    return [keyframe.stamp.sec for keyframe in response.keyframes]


@contextlib.contextmanager
def streaming(prepare=lambda running: None, **parameters):
    """A node that chooses keyframes from a best-effort stream of JPEGs, and has seen seven images at 1 Hz, 60 degrees."""
    with RunningNode(autostart=True, keyframe_source="stream", image_transport="compressed", **parameters) as running:
        images = running.node.create_publisher(CompressedImage, "image/compressed", BEST_EFFORT)
        infos = running.node.create_publisher(CameraInfo, "camera_info", BEST_EFFORT)
        running.wait_for(
            lambda: images.get_subscription_count() and infos.get_subscription_count(), DISCOVERY, "active node"
        )
        running.wait_for(lambda: running.node.count_publishers("/interpose/relative_pose"), DISCOVERY, "publisher")
        # Without reliable delivery nothing says that a message arrived: repeat until the node lists the keyframe.
        running.node.create_timer(0.1, lambda: infos.publish(info_message(1)))
        first = running.node.create_timer(0.1, lambda: images.publish(jpeg_message(1, view(0))))
        running.wait_for(lambda: held(running) == [1], DISCOVERY, "first keyframe")
        running.node.destroy_timer(first)
        prepare(running)
        for k in range(1, 7):
            images.publish(jpeg_message(k + 1, view(k)))
        yield running


def test_stream_bridges_keyframes_that_share_no_view():
    """The frames between the keyframes carry the pose over."""
    with streaming(keyframe_period=6.0) as running:
        message = running.pose_for(7)
        assert message.status == RelativePose.STATUS_OK, message.reason
        assert message.keyframe_a == name(1)
        assert message.branch == RelativePose.BRANCH_FRAMES
        assert message.interpolator == "recorded"
        assert rotation_error_deg(message, 6 * STEP_DEG) < 8
        assert held(running) == [1, 7]


def test_without_frames_the_keyframes_alone_decide():
    with streaming(keyframe_period=6.0, use_frames=False) as running:
        message = running.pose_for(7)
        assert_no_pose(message)
        assert message.branch == RelativePose.BRANCH_NONE
        assert message.candidates
        assert {candidate.interpolator for candidate in message.candidates} == {""}


def test_keyframes_by_overlap_are_fewer_where_the_view_changes_little():
    """10 degrees a step leave more than 60 % of the view, 20 or 30 degrees do not."""
    with streaming(keyframe_choice="overlap", keyframe_overlap=0.6, keyframe_period=0.5) as running:
        running.wait_for(lambda: len(held(running)) >= 3, ANSWER, "third keyframe")
        chosen = held(running)
        assert chosen[0] == 1
        assert set(np.diff(chosen)) <= {2, 3}
        running.pose_for(chosen[2])
        assert all(p.status == RelativePose.STATUS_OK for p in running.poses)


def test_keyframes_by_motion_follow_odometry():
    """Half a metre every two seconds; before odometry reaches an image nothing is known of its motion."""

    def drive(running):
        odometry = running.node.create_publisher(Odometry, "odom", QoSProfile(depth=100))
        running.wait_for(odometry.get_subscription_count, DISCOVERY, "listener to odometry")
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id = "odom"
        message.pose.pose.orientation.w = 1.0

        def held_poses():
            values = {v.key: v.value for d in running.diagnostics for s in d.status for v in s.values}
            return int(values.get("odometry_messages_held", "0"))

        tick = 0

        def send():
            nonlocal tick
            message.header.stamp.sec, tenths = divmod(tick, 10)
            message.header.stamp.nanosec = tenths * 100_000_000
            message.pose.pose.position.x = 0.025 * tick
            odometry.publish(message)
            tick += held_poses() > 0 and tick < 90  # the first is repeated until it is heard

        running.node.create_timer(0.02, send)
        running.wait_for(lambda: held_poses() >= 91, DISCOVERY, "odometry")

    with streaming(drive, keyframe_choice="motion", keyframe_distance=0.45, keyframe_period=0.5) as running:
        running.wait_for(lambda: held(running)[-1] == 7, ANSWER, "last keyframe")
        assert held(running) == [1, 3, 5, 7]


def test_listed_pairs_are_estimated_and_no_others():
    pairs = "['3 1', '2.0 camera@3']"
    with RunningNode(autostart=True, pair_choice="list", pair_list=pairs) as running:
        running.wait_until_active()
        running.repeat_camera_info(info_message())
        for k in range(3):
            running.images.publish(image_message(k + 1, view(k)))
        running.wait_for(lambda: len(running.poses) == 2, ANSWER, "two pairs")
        assert [(p.keyframe_a.stamp.sec, p.keyframe_b.stamp.sec) for p in running.poses] == [(3, 1), (2, 3)]
        assert rotation_error_deg(running.poses[0], -2 * STEP_DEG) < 2
        assert rotation_error_deg(running.poses[1], STEP_DEG) < 2
        request = GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(2))
        response = running.call(GetRelativePose, "get_relative_pose", request)
        assert response.code == GetRelativePose.Response.CODE_NOT_ESTIMATED


class NodeWithLatchedInfo(RunningNode):
    """From the beginning: a participant that is told of a publisher's end before it knew it may list it for good."""

    info_quality = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_camera_info_sent_once_before_the_node_started_is_met():
    with NodeWithLatchedInfo(autostart=True) as running:
        running.infos.publish(info_message())
        running.wait_until_active()
        for k in range(2):
            running.images.publish(image_message(k + 1, view(k)))
        message = running.pose_for(2)
        assert message.status == RelativePose.STATUS_OK, message.reason
        assert rotation_error_deg(message, STEP_DEG) < 2


def test_best_effort_publisher_of_keyframes_is_met_and_jump_back_resets():
    with RunningNode(autostart=True, use_sim_time=True, pair_choice="window", pair_window=2) as running:
        running.wait_until_active()
        clock = running.node.create_publisher(Clock, "/clock", 10)
        running.wait_for(lambda: clock.get_subscription_count() > 0, DISCOVERY, "listener to /clock")
        running.node.destroy_publisher(running.images)
        images = running.node.create_publisher(Image, "keyframe/image", BEST_EFFORT)
        running.repeat_camera_info(info_message())
        time_message = Clock()
        time_message.clock.sec = 100
        running.node.create_timer(0.05, lambda: clock.publish(time_message))
        for k in range(3):
            sending = running.node.create_timer(0.1, lambda k=k: images.publish(image_message(k + 1, view(k))))
            running.wait_for(lambda k=k: k + 1 in held(running), DISCOVERY, f"keyframe {k + 1}")
            running.node.destroy_timer(sending)

        running.wait_for(lambda: len(running.poses) == 3, ANSWER, "three pairs")
        seconds = {(p.keyframe_a.stamp.sec, p.keyframe_b.stamp.sec) for p in running.poses}
        assert seconds == set(itertools.combinations((1, 2, 3), 2))

        time_message.clock.sec = 50
        running.wait_for(lambda: held(running) == [], ANSWER, "reset")
        request = GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(2))
        response = running.call(GetRelativePose, "get_relative_pose", request)
        assert response.code == GetRelativePose.Response.CODE_EVICTED
