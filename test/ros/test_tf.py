"""/tf as others see it: late joiners, and frames that somebody else gives a parent."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from interpose_ros.ros.publication import tf_message
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.srv import GetRelativePose
from interpose_ros.views import KeyframeId

from . import room
from .late_joiner import Buffer, LookupFailed
from .running_node import ANSWER, DISCOVERY, RunningNode, image_message, info_message, name

LATE_JOINER = Path(__file__).with_name("late_joiner.py")
YAW_DEG = 10.0


def picture(k: int) -> np.ndarray:
    R_w_c = Rotation.from_euler("y", YAW_DEG * k, degrees=True).as_matrix()
    return room.picture(R_w_c, np.array([0.4 * k - 1.0, 0.05 * (k % 2), -1.0]))


def foreign_edge(parent: str, child: str) -> TFMessage:
    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id = parent
    transform.header.stamp.sec = 12345
    return TFMessage(transforms=[transform])


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, uncalibrated_tf=True, unscaled_tf="unit", tf_period=0.2) as node:
        node.wait_until_active()
        node.repeat_camera_info(info_message())
        # One by one: a third keyframe that overtakes the second would not be paired with it.
        for second in (1, 2, 3):
            node.images.publish(image_message(second, picture(second)))
        node.wait_for(lambda: any(len(m.transforms) == 2 for m in node.transforms), ANSWER, "two edges on /tf")
        yield node


def children(message: TFMessage) -> list[str]:
    return [transform.child_frame_id for transform in message.transforms]


def tf_diagnostics(running):
    statuses = [s for d in running.diagnostics for s in d.status if s.name == "/interpose: tf"]
    return [(s, {v.key: v.value for v in s.values}) for s in statuses]


def test_a_process_that_joins_late_finds_the_first_keyframe_from_the_last(running):
    command = [sys.executable, str(LATE_JOINER), "camera_kf_1_0", "camera_kf_3_0", str(DISCOVERY)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=2 * DISCOVERY, check=False)
    assert found.returncode == 0, found.stderr
    T_1_3 = np.array(json.loads(found.stdout))
    true = Rotation.from_euler("y", 2 * YAW_DEG, degrees=True)
    assert np.degrees((Rotation.from_matrix(T_1_3[:3, :3]) * true.inv()).magnitude()) < 2
    # Two steps of length 1, each sideways in the room; the second seen from a camera that has turned.
    assert 1.8 < np.linalg.norm(T_1_3[:3, 3]) <= 2.0 + 1e-9


def test_edges_of_different_stamps_could_not_be_chained():
    """What the node's common stamp is for."""
    a, b, c = (KeyframeId("camera", n) for n in (1, 2, 3))
    edges = [TfEdge(p, q, np.eye(3), np.array([0.0, 0, 1]), 1.0) for p, q in ((a, b), (b, c))]
    names = {a: "a", b: "b", c: "c"}
    apart, together = Buffer(), Buffer()
    for stamp, edge in enumerate(edges):
        apart.add(tf_message([edge], stamp + 1, names.get))
    with pytest.raises(LookupFailed, match="not known at 1"):
        apart.lookup("a", "c")
    together.add(tf_message(edges, 1, names.get))
    np.testing.assert_allclose(together.lookup("a", "c")[:3, 3], [0, 0, 2])


def test_frames_that_somebody_else_parents_are_left_to_them(running):
    # Before the edge exists, latched on /tf_static; and while it is live, on /tf.
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    static = running.node.create_publisher(TFMessage, "/tf_static", latched)
    static.publish(foreign_edge("map", "camera_kf_4_0"))
    moving = running.node.create_publisher(TFMessage, "/tf", 10)
    message = foreign_edge("map", "/camera_kf_3_0")
    timer = running.node.create_timer(0.1, lambda: moving.publish(message))

    def conflicts():
        return {frame for _, values in tf_diagnostics(running) for frame in values.get("foreign", "").split(", ")}

    running.wait_for(lambda: "camera_kf_3_0" in conflicts(), ANSWER, "conflict of the live edge")
    running.wait_for(lambda: static.get_subscription_count() > 0, DISCOVERY, "listener to /tf_static")
    running.images.publish(image_message(4, picture(4)))
    answer = running.pose_for(4)
    assert answer.status == answer.STATUS_OK, answer.reason
    running.wait_for(lambda: {"camera_kf_3_0", "camera_kf_4_0"} <= conflicts(), ANSWER, "both conflicts")
    assert not answer.published_on_tf
    status, values = tf_diagnostics(running)[-1]
    assert status.level == status.WARN
    assert values["frames_with_foreign_parent"] == "2"

    # It still answers, says that the edge is not on /tf, and sends the rest.
    response = running.call(
        GetRelativePose, "get_relative_pose", GetRelativePose.Request(keyframe_a=name(2), keyframe_b=name(3))
    )
    assert response.code == GetRelativePose.Response.CODE_OK
    assert not response.result.published_on_tf
    count = len(running.transforms)
    running.node.destroy_timer(timer)
    own = lambda: [m for m in running.transforms[count:] if "/camera_kf_3_0" not in children(m)]  # noqa: E731
    running.wait_for(lambda: len(own()) >= 2, ANSWER, "edges that are sent again")
    assert all(children(m) == ["camera_kf_2_0"] for m in own())
