"""The messages stay what other programs were built against."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from tf2_msgs.msg import TFMessage

from interpose_ros.msg import RelativePose

from .interfaces import PINNED, describe, type_hash

REPOSITORY = Path(__file__).resolve().parents[2]
OFFICIAL_TF_MESSAGE = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"


def test_every_interface_is_as_pinned():
    """See interfaces.py for what to do after a deliberate change."""
    assert describe() == json.loads(PINNED.read_text(encoding="utf-8"))


def test_every_interface_file_is_built():
    sources = {
        f"{kind}/{file.stem}" for kind in ("msg", "srv", "action") for file in REPOSITORY.glob(f"{kind}/*.{kind}")
    }
    assert set(describe()) == sources


def test_tf_message_is_the_official_one():
    assert type_hash("tf2_msgs", "msg/TFMessage") == OFFICIAL_TF_MESSAGE


def test_hashes_are_what_goes_over_the_wire():
    """What the middleware announces for a publisher, not only what a file says."""
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("interfaces", context=context)
        node.create_publisher(TFMessage, "/tf", 1)
        node.create_publisher(RelativePose, "relative_pose", 1)
        (tf,) = node.get_publishers_info_by_topic("/tf")
        (relative_pose,) = node.get_publishers_info_by_topic("/relative_pose")
        assert str(tf.topic_type_hash) == OFFICIAL_TF_MESSAGE
        assert str(relative_pose.topic_type_hash) == type_hash("interpose_ros", "msg/RelativePose")
    finally:
        rclpy.shutdown(context=context)
