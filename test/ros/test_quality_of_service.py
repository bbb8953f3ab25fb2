"""Quality of service that the user overrides; messages that the middleware lost are counted."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import Image

from interpose_ros.ros.subscriptions import MeetingSubscription, overridden_quality

from .running_node import DISCOVERY, SCRIPT, RunningNode


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    overrides = {
        "qos_overrides./good.subscription.reliability": "reliable",
        "qos_overrides./good.subscription.depth": 7,
        "qos_overrides./bad.subscription.reliability": "hopeful",
        "qos_overrides./deep.subscription.depth": 0,
    }
    yield rclpy.create_node(
        "overridden",
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()],
    )
    rclpy.shutdown(context=context)


def test_overrides_are_read_and_wrong_ones_are_named(node):
    found = overridden_quality(node, "/good")
    assert (found.reliability, found.durability, found.depth) == (ReliabilityPolicy.RELIABLE, None, 7)
    assert overridden_quality(node, "/other").depth is None
    with pytest.raises(ValueError, match=r"qos_overrides\./bad\.subscription\.reliability is 'hopeful'"):
        overridden_quality(node, "/bad")
    with pytest.raises(ValueError, match="whole number from 1 to 1000"):
        overridden_quality(node, "/deep")


def test_what_is_overridden_is_subscribed_and_stays(node):
    subscription = MeetingSubscription(node, Image, "good", lambda _: None, ReliabilityPolicy.BEST_EFFORT)
    publisher = node.create_publisher(Image, "good", rclpy.qos.qos_profile_sensor_data)
    subscription.check()
    (offered,) = node.get_subscriptions_info_by_topic("/good")
    assert offered.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert publisher is not None
    assert subscription.lost == 0


def test_messages_that_newer_ones_push_out_are_counted_as_lost(node):
    """The middleware counts none of them: they reached this process."""
    node.declare_parameter("qos_overrides./full.subscription.depth", 1)
    taken = []
    subscription = MeetingSubscription(node, Image, "full", taken.append, ReliabilityPolicy.RELIABLE)
    publisher = node.create_publisher(Image, "full", 10)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def take(height):
        while not taken or taken[-1].height != height:
            executor.spin_once(timeout_sec=DISCOVERY)

    while not publisher.get_subscription_count():
        executor.spin_once(timeout_sec=0.05)
    subscription.check()
    for heights in ((1,), (2, 3, 4, 5), (6,)):
        for height in heights:
            publisher.publish(Image(height=height))
        assert publisher.wait_for_all_acked(Duration(seconds=DISCOVERY))
        take(heights[-1])
    assert [message.height for message in taken] == [1, 5, 6]
    assert subscription.lost == 3
    executor.shutdown()


def test_a_wrong_override_stops_the_configuration_with_a_sentence():
    override = "qos_overrides./image.subscription.reliability:=hopeful"
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--ros-args", "-p", "autostart:=true", "-p", override],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "reliability is 'hopeful': one of" in ended.stderr


def test_the_node_takes_overrides_and_says_what_was_lost():
    names = {
        "qos_overrides./keyframe/image.subscription.reliability": "best_effort",
        "qos_overrides./keyframe/camera_info.subscription.durability": "transient_local",
    }
    with RunningNode(autostart=True, **names) as running:

        def quality(topic):
            infos = [i for i in running.node.get_subscriptions_info_by_topic(topic) if i.node_name == "interpose"]
            return infos[0].qos_profile if infos else None

        running.wait_for(
            lambda: quality("/keyframe/image") and quality("/keyframe/camera_info"), DISCOVERY, "subscriptions"
        )
        assert quality("/keyframe/image").reliability == ReliabilityPolicy.BEST_EFFORT
        assert quality("/keyframe/camera_info").durability == DurabilityPolicy.TRANSIENT_LOCAL

        def lost():
            statuses = [s for d in running.diagnostics for s in d.status if s.name == "/interpose: topics"]
            return {item.key: item.value for s in statuses for item in s.values}

        running.wait_for(lost, DISCOVERY, "counts of lost messages")
        assert lost()["lost keyframe/image"] == "0"
