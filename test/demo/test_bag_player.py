"""The bag in data/ played by its own process over real middleware."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
pytestmark = pytest.mark.ros

from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage
from tf2_msgs.msg import TFMessage

BAG = Path(__file__).parents[2] / "data/fr3_office_1hz"
PLAYER = [sys.executable, "-m", "interpose_ros.ros.bag_player"]


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.spin_until = lambda done, seconds: _spin_until(executor, done, seconds)
    yield node
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def _spin_until(executor, done, seconds):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "timed out"
        executor.spin_once(timeout_sec=0.05)


def test_everything_arrives_once_in_order_and_under_new_names(node):
    received = {"image": [], "info": [], "odom": [], "static": [], "clock": []}
    reliable = QoSProfile(depth=2000, reliability=ReliabilityPolicy.RELIABLE)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for kind, topic, name, qos in (
        (CompressedImage, "/front/image/compressed", "image", qos_profile_sensor_data),
        (CameraInfo, "/camera/camera_info", "info", reliable),
        (Odometry, "/odom", "odom", reliable),
        (TFMessage, "/tf_static", "static", latched),
        (Clock, "/clock", "clock", 1000),
    ):
        node.create_subscription(kind, topic, received[name].append, qos)
    command = [*PLAYER, str(BAG), "--rate", "8", "--clock", "50", "--remap", "/camera/image:=/front/image", "--quiet"]
    player = subprocess.Popen(command)
    try:
        node.spin_until(lambda: player.poll() is not None, 60)
    finally:
        player.kill()
        player.wait()
    assert player.returncode == 0
    node.spin_until(lambda: len(received["info"]) == 17 and len(received["image"]) == 17, 5)

    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in received["image"]]
    assert stamps[0] == (1341847980, 722988000)
    assert stamps == sorted(set(stamps)) == [(m.header.stamp.sec, m.header.stamp.nanosec) for m in received["info"]]
    assert len(received["odom"]) > 800
    assert len(received["static"]) == 1
    translation = received["static"][0].transforms[0].transform.translation
    assert np.linalg.norm([translation.x, translation.y, translation.z]) >= 0.3
    # 16.3 s of bag at 8 times the speed, 50 ticks a second
    assert 80 <= len(received["clock"]) <= 110
    ticks = [message.clock.sec + message.clock.nanosec * 1e-9 for message in received["clock"]]
    assert np.allclose(np.diff(ticks), 8 / 50, atol=1e-6)


def test_without_a_subscriber_the_player_says_so_and_ends():
    ended = subprocess.run(
        [*PLAYER, str(BAG), "--wait", "0.5", "--quiet"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "nobody subscribed to /camera/image/compressed" in ended.stderr


def test_a_folder_that_is_no_bag_is_named(tmp_path):
    ended = subprocess.run([*PLAYER, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert str(tmp_path) in ended.stderr
