"""Metric lengths from depth and from a rig's baseline, over the real middleware: two cameras with topics of their own, one
of them rectified."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from rclpy.qos import QoSProfile, ReliabilityPolicy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.msg import RelativePose
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.scale_finder import ScaleFinder
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE
from interpose_ros.srv import ListKeyframes
from interpose_ros.views import KeyframeId

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, image_message, info_message

BASELINE = 0.45


def pose(yaw_deg: float, centre: tuple[float, float, float]) -> np.ndarray:
    return transform_from_rotation_translation(
        Rotation.from_euler("y", yaw_deg, degrees=True).as_matrix(), np.array(centre)
    )


T_W_C = {
    ("left", 1): pose(0, (0.0, 0.0, -1.0)),
    ("right", 1): pose(8, (BASELINE, 0.0, -1.0)),
    ("left", 2): pose(14, (1.0, 0.1, -0.9)),
}


def depth_message(camera: str, second: int, encoding: str) -> Image:
    T = T_W_C[camera, second]
    metres = room.depth(T[:3, :3], T[:3, 3])
    values = metres if encoding == "32FC1" else np.rint(1000 * metres).astype(np.uint16)
    height, width = values.shape
    message = Image(encoding=encoding, height=height, width=width, step=values.itemsize * width, data=values.tobytes())
    message.header.frame_id = camera
    message.header.stamp.sec = second
    message.header.stamp.nanosec = 10_000_000  # a depth camera is not quite in step
    return message


def camera_info(camera: str) -> CameraInfo:
    message = info_message(frame_id=camera)
    if camera == "right":  # what a rectified camera sends: K and lens of the raw image, P of this one
        message.p = [*room.K[0], -25.0, *room.K[1], 0.0, *room.K[2], 0.0]
        message.k = (2.0 * room.K).ravel().tolist()
        message.d, message.distortion_model = [-0.3, 0.1, 0.0, 0.0, 0.0], "plumb_bob"
    return message


@pytest.fixture(scope="module")
def running():
    parameters = {
        "autostart": True,
        "camera_info_timeout": 20.0,
        "cameras": "['left', 'right']",
        "rectified": "['right']",
        "pair_choice": "window",
        "pair_window": 2,
        "scale.baselines": f"['left right {BASELINE}']",
        "depth.wait": 2.0,
    }
    with RunningNode(**parameters) as node:
        yield node


@pytest.fixture(scope="module")
def answers(running):
    """Of the three pairs, by their cameras and seconds."""
    node = running.node
    reliable = QoSProfile(depth=20)
    best_effort = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
    images = {c: node.create_publisher(Image, f"{c}/keyframe/image", reliable) for c in ("left", "right")}
    infos = {c: node.create_publisher(CameraInfo, f"{c}/keyframe/camera_info", reliable) for c in ("left", "right")}
    depths = node.create_publisher(Image, "left/depth", best_effort)
    publishers = [*images.values(), *infos.values(), depths]
    running.wait_for(
        lambda: (
            all(p.get_subscription_count() for p in publishers) and node.count_publishers("/interpose/relative_pose")
        ),
        DISCOVERY,
        "subscriptions of both cameras",
    )
    for camera, publisher in infos.items():
        node.create_timer(0.1, lambda c=camera, p=publisher: p.publish(camera_info(c)))
    depth = {second: depth_message("left", second, e) for second, e in ((1, "32FC1"), (2, "16UC1"))}
    for message in depth.values():  # again and again: what is best effort may be sent before it is heard
        node.create_timer(0.1, lambda m=message: depths.publish(m))
    running.wait_for(lambda: status(running).get("depth_images_received", "0") != "0", ANSWER, "depth")
    held = lambda: len(running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request()).keyframes)  # noqa: E731
    for count, ((camera, second), T) in enumerate(T_W_C.items(), start=1):
        message = image_message(second, room.picture(T[:3, :3], T[:3, 3]), camera)
        sending = node.create_timer(0.2, lambda c=camera, m=message: images[c].publish(m))
        running.wait_for(lambda n=count: held() >= n, DISCOVERY, f"keyframe of {camera}")
        node.destroy_timer(sending)
    running.wait_for(lambda: len(running.poses) >= 3, ANSWER, "three pairs")
    return {
        tuple((k.frame_id, k.stamp.sec) for k in (pose.keyframe_a, pose.keyframe_b)): pose for pose in running.poses
    }


def status(running) -> dict[str, str]:
    found = [s for d in running.diagnostics[-1:] for s in d.status if s.name.endswith(": depth")]
    return {item.key: item.value for s in found for item in s.values}


def assert_right(message: RelativePose, pair, relative: float) -> None:
    assert message.status == RelativePose.STATUS_OK, message.reason
    T_a_b = inverse(T_W_C[pair[0]]) @ T_W_C[pair[1]]
    length = np.linalg.norm(T_a_b[:3, 3])
    p, q = message.pose.pose.position, message.pose.pose.orientation
    found = np.array([p.x, p.y, p.z])
    turn = Rotation.from_quat([q.x, q.y, q.z, q.w]).inv() * Rotation.from_matrix(T_a_b[:3, :3])
    assert np.degrees(turn.magnitude()) < 2
    assert np.linalg.norm(found) == pytest.approx(length, rel=relative)
    assert abs(np.linalg.norm(found) - length) < 4 * message.scale_stddev
    assert np.linalg.norm(found - T_a_b[:3, 3]) < 0.2 * length


def test_images_of_a_rig_that_were_taken_together_have_its_baseline(answers):
    pair = ("left", 1), ("right", 1)
    message = answers[pair]
    assert message.scale_source == RelativePose.SCALE_BASELINE
    assert message.scale_stddev == pytest.approx(0.005 * BASELINE)
    assert_right(message, pair, 1e-9)
    assert message.reason == "", "depth of the left camera says the same"


def test_depth_gives_the_length_of_a_move(answers, running):
    pair = ("left", 1), ("left", 2)
    message = answers[pair]
    assert message.scale_source == RelativePose.SCALE_DEPTH, status(running).get("last_reason_for_no_scale")
    assert_right(message, pair, 0.05)
    running.wait_for(lambda: "depths agree" in status(running).get("last_result", ""), ANSWER, "residuals")


def test_depth_in_one_of_both_cameras_is_enough(answers, running):
    pair = next(p for p in answers if set(p) == {("right", 1), ("left", 2)})
    message = answers[pair]
    assert message.scale_source == RelativePose.SCALE_DEPTH, status(running).get("last_reason_for_no_scale")
    assert_right(message, pair, 0.1)


def test_a_metric_network_is_heard_last():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("scale", context=context)
    quiet = {"odometry": {"use": False}, "depth": {"use": False}}
    rig = {"baselines": ["left right 0.12"]}
    estimate = PoseEstimate(
        np.eye(3), np.array([1.0, 0, 0]), MotionModel.GENERAL, 1e-4 * np.eye(3), 0.05, length_b_a=2.0
    )
    candidate = Candidate("metric", None, estimate, UNCALIBRATED_CONFIDENCE, selected=True)
    names = KeyframeId("left", 10**9), KeyframeId("right", 10**9)
    answer = PairAnswer(*names, candidate, None, Branch.FRAMES, Overlap(0.4, 0.6), 80, (candidate,))

    def scaled(**scale):
        return ScaleFinder(node, NodeConfig(**quiet, scale=scale), []).scaled(answer)

    assert scaled().scale == Scale(ScaleSource.MODEL, 2.0, 0.1 * 2.0)
    assert scaled(use_model=False).scale is None
    known = scaled(**rig)
    assert known.scale.source is ScaleSource.BASELINE
    assert "baseline says 0.120 m and model 2.000 m" in known.remark
    rclpy.shutdown(context=context)
