"""A node whose pairs are worked on in a Ray cluster, here a real one of this machine, whose worker is killed."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.slow]
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
ray = pytest.importorskip("ray", reason="the engine ray is optional: pip install 'interpose-ros[ray]'")

from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from interpose_ros.msg import RelativePose
from interpose_ros.ros.node_config import NodeConfig

from . import room
from .running_node import RunningNode, image_message, info_message

START = 120.0
YAW = 8.0
PICTURES = [
    room.picture(Rotation.from_euler("y", YAW * k, degrees=True).as_matrix(), np.array([0.2 * k, 0.0, -1.0]))
    for k in range(4)
]


@pytest.fixture(scope="module")
def cluster():
    """Address of a cluster of this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(scope="module")
def running(cluster):
    settings = {"worker.engine": "ray", "worker.ray_address": cluster, "features.second_opinion": False}
    with RunningNode(autostart=True, uncalibrated_tf=True, unscaled_tf="unit", **settings) as node:
        node.wait_for(lambda: node.part("worker").get("state") == "READY", START, "models in the cluster")
        node.wait_until_active()
        node.repeat_camera_info(info_message())
        node.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        yield node


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def is_of_this_test(process: int) -> bool:
    while process > 1:
        if process == os.getpid():
            return True
        process = parent(process)
    return False


def actor() -> int:
    """The process in the cluster that works on pairs."""
    names = {int(path.parent.name): path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    (found,) = [
        process for process, name in names.items() if name.startswith(b"ray::_Actor") and is_of_this_test(process)
    ]
    return found


def assert_turned(pose: RelativePose) -> None:
    q = pose.pose.pose.orientation
    error = Rotation.from_quat([q.x, q.y, q.z, q.w]) * Rotation.from_euler("y", -YAW, degrees=True)
    assert np.degrees(error.magnitude()) < 2


def has_networks(process: int) -> bool:
    return "libtorch" in Path(f"/proc/{process}/maps").read_text()


def test_pairs_are_worked_on_in_the_cluster(running, cluster):
    running.images.publish(image_message(2, PICTURES[1]))
    pose = running.pose_for(2)
    assert pose.status == RelativePose.STATUS_OK, pose.reason
    assert_turned(pose)
    part = running.part("worker")
    assert part["engine"] == f"ray at {cluster}"
    assert "xfeat" in part["models"].lower()
    assert has_networks(actor())
    assert not has_networks(int(part["process"]))
    assert not has_networks(running.process.pid)


def test_a_worker_of_the_cluster_that_is_killed_costs_one_pair(running):
    process = actor()
    os.kill(process, signal.SIGSTOP)
    running.images.publish(image_message(3, PICTURES[2]))
    running.wait_for(lambda: running.part("worker").get("state") == "BUSY", START, "a pair under way")
    os.kill(process, signal.SIGKILL)
    lost = running.pose_for(3)
    assert lost.status == RelativePose.STATUS_REFUSED_INTERNAL
    assert "Ray cluster" in lost.reason
    running.wait_for(lambda: running.part("worker").get("state") == "READY", START, "another worker")
    assert running.part("worker")["restarts"] == "1"
    assert "Ray cluster" in running.part("worker")["last_failure"]
    running.images.publish(image_message(4, PICTURES[3]))
    pose = running.pose_for(4)
    assert pose.status == RelativePose.STATUS_OK, pose.reason
    assert_turned(pose)


@pytest.mark.parametrize("address", ["", "workstation", "http://workstation:1", "ray://workstation"])
def test_an_address_that_is_none_is_named(address):
    with pytest.raises(ValidationError, match="ray://HOST:PORT or HOST:PORT is meant"):
        NodeConfig.model_validate({"worker": {"engine": "ray", "ray_address": address}})
    assert NodeConfig.model_validate({"worker": {"ray_address": address}}).worker.cluster == ""
