"""The example that gives answers to RTAB-Map, over the middleware, with RTAB-Map's own messages where they are installed."""

import math
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
pytest.importorskip("rtabmap_msgs", reason="they come with RTAB-Map")

from rclpy.qos import QoSProfile
from rtabmap_msgs.msg import MapData
from rtabmap_msgs.msg import Node as MapNode
from rtabmap_msgs.srv import AddLink

from interpose_ros.msg import RelativePose

from .running_node import ANSWER, DISCOVERY, REPOSITORY, Peer

EXAMPLE = REPOSITORY / "examples" / "rtabmap_links.py"
# The camera looks forward from half a metre in front of the base.
CAMERA = ["camera", "0.5", "0", "1", "-0.5", "0.5", "-0.5", "0.5"]


def answer(confidence: float, scale: int = RelativePose.SCALE_ODOMETRY, frame_b: str = "camera") -> RelativePose:
    """Two metres forward, with a standard deviation of 0.1 m and 0.01 rad."""
    message = RelativePose(status=RelativePose.STATUS_OK, confidence_5deg=confidence, scale_source=scale)
    message.keyframe_a.stamp.sec, message.keyframe_b.stamp.sec = 10, 20
    message.keyframe_a.frame_id, message.keyframe_b.frame_id = "camera", frame_b
    message.pose.pose.position.z = 2.0
    message.pose.pose.orientation.w = 1.0
    message.pose.covariance = np.diag([0.01] * 3 + [1e-4] * 3).ravel()
    return message


def test_an_answer_becomes_a_link_of_the_base_between_the_right_nodes():
    links = []

    def add(request, response):
        links.append(request.link)
        return response

    process = subprocess.Popen([sys.executable, str(EXAMPLE), *CAMERA])
    try:
        with Peer() as peer:
            peer.node.create_service(AddLink, "/rtabmap/add_link", add)
            answers = peer.node.create_publisher(RelativePose, "/interpose/relative_pose", QoSProfile(depth=10))
            maps = peer.node.create_publisher(MapData, "/rtabmap/mapData", QoSProfile(depth=10))
            peer.wait_for(
                lambda: (
                    answers.get_subscription_count()
                    and maps.get_subscription_count()
                    and peer.node.count_clients("/rtabmap/add_link")
                ),
                DISCOVERY,
                "example",
            )
            left_out = (
                answer(math.nan),
                answer(0.9),
                answer(0.99, RelativePose.SCALE_NONE),
                answer(0.99, frame_b="rear"),
            )
            for message in (*left_out, answer(0.99)):
                answers.publish(message)
            maps.publish(MapData(nodes=[MapNode(id=3, stamp=9.9), MapNode(id=4, stamp=10.01)]))
            maps.publish(MapData(nodes=[MapNode(id=7, stamp=19.99)]))
            peer.wait_for(lambda: links, ANSWER, "link")
    finally:
        process.terminate()
        assert process.wait(10) == 0
    (link,) = links
    assert (link.from_id, link.to_id, link.type) == (4, 7, 4)
    t, r = link.transform.translation, link.transform.rotation
    np.testing.assert_allclose([t.x, t.y, t.z], [2, 0, 0], atol=1e-9)
    np.testing.assert_allclose([r.x, r.y, r.z, abs(r.w)], [0, 0, 0, 1], atol=1e-9)
    covariance = np.linalg.inv(np.reshape(link.information, (6, 6)))
    # The base at B is half a metre behind the camera and one below it: a turn of 0.01 rad moves it by as much.
    np.testing.assert_allclose(np.diag(covariance)[3:], 1e-4, rtol=1e-6)
    np.testing.assert_allclose(np.diag(covariance)[:3], 0.01 + 1e-4 * np.array([1.0, 1.25, 0.25]), rtol=1e-6)
