"""The node as a process of its own, over the real middleware."""

import itertools
import math

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from scipy.spatial.transform import Rotation
from std_srvs.srv import Trigger

from interpose_ros.msg import RelativePose
from interpose_ros.srv import GetRelativePose, ListKeyframes

from . import room
from .running_node import ANSWER, RunningNode, assert_no_pose, image_message, info_message, name

T_W_C = []
for yaw, centre in ((0, (0.0, 0.0, -1.0)), (12, (0.5, 0.1, -1.0)), (24, (1.0, 0.0, -0.8)), (32, (1.2, 0.1, -0.6))):
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    T[:3, 3] = centre
    T_W_C.append(T)
PICTURES = [room.picture(T[:3, :3], T[:3, 3]) for T in T_W_C]


def truth(a: int, b: int) -> np.ndarray:
    return np.linalg.inv(T_W_C[a]) @ T_W_C[b]


def rotation_error_deg(q, T_a_b) -> float:
    R = Rotation.from_quat([q.x, q.y, q.z, q.w])
    return math.degrees((R * Rotation.from_matrix(T_a_b[:3, :3]).inv()).magnitude())


def direction_error_deg(v, T_a_b) -> float:
    true = T_a_b[:3, 3] / np.linalg.norm(T_a_b[:3, 3])
    found = np.array([v.x, v.y, v.z])
    return math.degrees(math.acos(np.clip(found @ true, -1, 1)))


@pytest.fixture(scope="module")
def running():
    with RunningNode(
        autostart=True, uncalibrated_tf=True, unscaled_tf="unit", camera_info_timeout=5.0, tf_period=0.2
    ) as node:
        node.wait_until_active()
        node.repeat_camera_info(info_message())
        for k in range(3):
            node.images.publish(image_message(k + 1, PICTURES[k]))
        yield node


@pytest.mark.parametrize("b", [1, 2])
def test_relative_pose_is_camera_b_in_camera_a(running, b):
    message = running.pose_for(b + 1)
    assert message.status == RelativePose.STATUS_OK, message.reason
    assert message.keyframe_a == name(b)
    assert message.header.frame_id == "camera"
    assert rotation_error_deg(message.pose.pose.orientation, truth(b - 1, b)) < 2
    assert direction_error_deg(message.translation_direction, truth(b - 1, b)) < 10
    assert math.isnan(message.pose.pose.position.x)
    assert message.scale_source == RelativePose.SCALE_NONE
    assert message.published_on_tf or message.status != RelativePose.STATUS_OK


def test_first_keyframe_is_found_from_the_last_in_any_one_message(running):
    """Every message carries all edges with one stamp, so a late joiner that gets one can chain them at time zero."""
    running.wait_for(lambda: any(len(m.transforms) == 2 for m in running.transforms), ANSWER, "two edges on /tf")
    message = next(m for m in running.transforms if len(m.transforms) == 2)
    assert len({(t.header.stamp.sec, t.header.stamp.nanosec) for t in message.transforms}) == 1
    edges = {t.child_frame_id: t for t in message.transforms}
    R_chain, frame = Rotation.identity(), "camera_kf_3_0"
    while frame in edges:
        q = edges[frame].transform.rotation
        R_chain = Rotation.from_quat([q.x, q.y, q.z, q.w]) * R_chain
        t = edges[frame].transform.translation
        assert np.linalg.norm([t.x, t.y, t.z]) == pytest.approx(1)
        frame = edges[frame].header.frame_id
    assert frame == "camera_kf_1_0"
    x, y, z, w = R_chain.as_quat()
    assert rotation_error_deg(type(q)(x=x, y=y, z=z, w=w), truth(0, 2)) < 3


def test_stamps_on_tf_advance(running):
    running.wait_for(lambda: len(running.transforms) >= 4, ANSWER, "edges sent again")
    stamps = [
        m.transforms[0].header.stamp.sec * 10**9 + m.transforms[0].header.stamp.nanosec for m in running.transforms
    ]
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))


def test_services(running):
    running.pose_for(3)
    ask = GetRelativePose.Request
    code = GetRelativePose.Response
    forward = running.call(GetRelativePose, "get_relative_pose", ask(keyframe_a=name(1), keyframe_b=name(2)))
    assert forward.code == code.CODE_OK
    inverse = running.call(GetRelativePose, "get_relative_pose", ask(keyframe_a=name(2), keyframe_b=name(1)))
    assert inverse.code == code.CODE_OK
    assert rotation_error_deg(inverse.result.pose.pose.orientation, truth(1, 0)) < 2
    assert direction_error_deg(inverse.result.translation_direction, truth(1, 0)) < 10
    assert inverse.result.overlap_a == forward.result.overlap_b

    for request, expected in (
        (ask(keyframe_a=name(1), keyframe_b=name(99)), code.CODE_UNKNOWN_KEYFRAME),
        (ask(keyframe_a=name(1), keyframe_b=name(3)), code.CODE_NOT_ESTIMATED),
        (ask(keyframe_a=name(1), keyframe_b=name(1)), code.CODE_INVALID_REQUEST),
    ):
        response = running.call(GetRelativePose, "get_relative_pose", request)
        assert response.code == expected
        assert response.message
        assert_no_pose(response.result)

    held = running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
    assert held.tf_frames[:3] == ["camera_kf_1_0", "camera_kf_2_0", "camera_kf_3_0"]
    assert list(held.connected[:3]) == [True, True, True]


def test_bad_images_are_refused_by_name_and_the_next_pair_is_right(running):
    running.pose_for(3)
    truncated = image_message(4, PICTURES[2])
    truncated.data = truncated.data[:1000]
    wrong_encoding = image_message(5, PICTURES[2])
    wrong_encoding.encoding = "nonsense"
    tiny = image_message(6, PICTURES[2][:1, :1])
    same_stamp = image_message(3, PICTURES[0])
    zero_k = info_message(7, "uncalibrated")
    zero_k.k = np.zeros(9)
    running.infos.publish(zero_k)
    for message in (truncated, wrong_encoding, tiny, same_stamp, image_message(7, PICTURES[2], "uncalibrated")):
        running.images.publish(message)

    for second, status, word in (
        (4, RelativePose.STATUS_REFUSED_BAD_INPUT, "truncated"),
        (5, RelativePose.STATUS_REFUSED_BAD_INPUT, "nonsense"),
        (6, RelativePose.STATUS_REFUSED_CAMERA_INFO, "1x1"),
        (7, RelativePose.STATUS_REFUSED_CAMERA_INFO, "K is all zeros"),
    ):
        refused = running.pose_for(second)
        assert_no_pose(refused)
        assert refused.status == status
        assert word in refused.reason
    running.wait_for(
        lambda: any("twice" in pose.reason for pose in running.poses), ANSWER, "refusal of the repeated stamp"
    )

    running.images.publish(image_message(8, PICTURES[3]))
    message = running.pose_for(8)
    assert message.status == RelativePose.STATUS_OK, message.reason
    assert message.keyframe_a == name(3)
    assert rotation_error_deg(message.pose.pose.orientation, truth(2, 3)) < 2


def test_reset_forgets(running):
    running.pose_for(3)
    assert running.call(Trigger, "reset", Trigger.Request()).success
    held = running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
    assert held.code == ListKeyframes.Response.CODE_OK
    assert not held.keyframes


def test_diagnostics_name_the_state(running):
    running.wait_for(lambda: any(d.status[0].message == "active" for d in running.diagnostics), ANSWER, "diagnostics")
