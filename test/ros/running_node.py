"""The node as a process of its own, and a program beside it that publishes, listens and calls."""

import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from interpose_ros.msg import KeyframeId, RelativePose
from interpose_ros.ros.executor import SpinThread
from interpose_ros.ros.node import main
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.srv import ListKeyframes

from . import room

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts" / "interpose_node"
PARAMETER_FILE = REPOSITORY / "config" / "interpose.yaml"
# Each node is a process of its own, forked from one that has imported what takes seconds, and has not used it.
FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["interpose_ros.ros.node"])
DISCOVERY = 30.0
ANSWER = 20.0


class Peer:
    """A program beside the node that listens and calls; use as a context."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("tester", context=self.context)
        self.changed = threading.Condition()
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._thread = SpinThread(self.executor, "tester")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.stop(10.0)
        rclpy.shutdown(context=self.context)
        # Its publishers would go on to offer what is latched, to the nodes of later tests.
        self.node.destroy_node()

    def check(self):
        """Asserts that the other side still lives."""

    def collect(self, kind, topic):
        """The messages of a topic: a list that grows."""
        found = []

        def add(message):
            with self.changed:
                found.append(message)
                self.changed.notify_all()

        self.node.create_subscription(kind, topic, add, QoSProfile(depth=100))
        return found

    def wait_for(self, condition, timeout, what):
        """Wait until a condition on what was received, or on the graph, holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.check()
            assert time.monotonic() < deadline, f"no {what} within {timeout} s"
            with self.changed:
                self.changed.wait(0.05)  # graph changes come without a message

    def call(self, kind, service, request):
        """Call a service."""
        client = self.node.create_client(kind, service)
        assert client.wait_for_service(DISCOVERY)
        answer = self.ask(client, request)
        self.node.destroy_client(client)
        return answer

    def ask(self, client, request):
        """The answer to a client's request."""
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(ANSWER), f"{client.srv_name} did not answer"
        return future.result()

    def met(self, kind, service, request):
        """A client that has had an answer: one that has found a service may not have been found by it yet, and the
        middleware drops an answer to such a client after 0.1 s."""
        client = self.node.create_client(kind, service, qos_profile=SERVICE_QUALITY)
        assert client.wait_for_service(DISCOVERY)

        def is_answered():
            answered = threading.Event()
            client.call_async(request).add_done_callback(lambda _: answered.set())
            return answered.wait(1.0)

        self.wait_for(is_answered, ANSWER, f"answer of {service}")
        return client


class RunningNode(Peer):
    """Starts the node with parameters, on top of those of the parameter file that is installed with it."""

    info_quality = QoSProfile(depth=50)
    """Of the publisher of camera info."""

    def __init__(self, **parameters) -> None:
        settings = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        arguments = ["--ros-args", "--params-file", str(PARAMETER_FILE), *settings]
        self.process = FORK_SERVER.Process(target=main, args=(arguments,), daemon=True)
        self.process.start()
        super().__init__()
        self.poses: list[RelativePose] = self.collect(RelativePose, "/interpose/relative_pose")
        self.transforms: list[TFMessage] = self.collect(TFMessage, "/tf")
        self.diagnostics: list[DiagnosticArray] = self.collect(DiagnosticArray, "/diagnostics")
        self.images = self.node.create_publisher(Image, "keyframe/image", QoSProfile(depth=50))
        self.infos = self.node.create_publisher(CameraInfo, "keyframe/camera_info", self.info_quality)

    def __exit__(self, *_):
        self.process.terminate()
        super().__exit__()
        self.process.join(20)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        assert self.process.exitcode == 0

    def check(self):
        """Asserts that the node's process lives."""
        assert self.process.is_alive(), f"the node ended with {self.process.exitcode}"

    def wait_until_active(self):
        """The node subscribes when it becomes active, and publishes to listeners that it knows."""
        self.wait_for(
            lambda: (
                self.images.get_subscription_count() > 0
                and self.infos.get_subscription_count() > 0
                and self.node.count_publishers("/interpose/relative_pose") > 0
            ),
            DISCOVERY,
            "active node",
        )

    def wait_until_heard(self, image, info):
        """Repeat a keyframe until the node holds it: it may learn of a publisher after that has learned of it."""

        def publish():
            self.infos.publish(info)
            self.images.publish(image)

        timer = self.node.create_timer(0.1, publish)
        request = ListKeyframes.Request(frame_id=image.header.frame_id)
        self.wait_for(
            lambda: self.call(ListKeyframes, "list_keyframes", request).keyframes, DISCOVERY, "first keyframe"
        )
        self.node.destroy_timer(timer)

    def repeat_camera_info(self, message):
        """Send camera info again and again, as cameras do: the first one may come before the node knows its publisher."""
        return self.node.create_timer(0.1, lambda: self.infos.publish(message))

    def call(self, kind, service, request):
        """Call a service of the node."""
        return super().call(kind, f"/interpose/{service}", request)

    def part(self, name: str) -> dict[str, str]:
        """The latest that /diagnostics says about a part of the node; empty where it has said nothing."""
        for message in reversed(self.diagnostics):
            for status in message.status:
                if status.name == f"/interpose: {name}":
                    return {"message": status.message, **{pair.key: pair.value for pair in status.values}}
        return {}

    def pose_for(self, second: int) -> RelativePose:
        """The first answer whose keyframe B has this stamp."""
        self.wait_for(lambda: self._poses_for(second), ANSWER, f"answer for the keyframe at {second} s")
        return self._poses_for(second)[0]

    def _poses_for(self, second):
        return [pose for pose in self.poses if pose.keyframe_b.stamp.sec == second]


def image_message(second: int, pixels: np.ndarray, frame_id: str = "camera") -> Image:
    """An rgb8 message."""
    height, width = pixels.shape[:2]
    message = Image(encoding="rgb8", height=height, width=width, step=3 * width, data=pixels.tobytes())
    message.header.frame_id = frame_id
    message.header.stamp.sec = second
    return message


def info_message(second: int = 0, frame_id: str = "camera") -> CameraInfo:
    """Camera info of the room's pictures."""
    message = CameraInfo(width=room.WIDTH, height=room.HEIGHT, k=room.K.ravel().tolist())
    message.header.frame_id = frame_id
    message.header.stamp.sec = second
    return message


def name(second: int, frame_id: str = "camera") -> KeyframeId:
    """Name of a keyframe."""
    message = KeyframeId(frame_id=frame_id)
    message.stamp.sec = second
    return message


def assert_no_pose(message: RelativePose) -> None:
    """Nothing in the message can be taken for a pose, and it says why."""
    pose = message.pose.pose
    q, p, d = pose.orientation, pose.position, message.translation_direction
    assert np.all(np.isnan([q.x, q.y, q.z, q.w, p.x, p.y, p.z, d.x, d.y, d.z]))
    assert np.all(np.diag(np.reshape(message.pose.covariance, (6, 6))) == 9999)
    assert message.confidence_5deg == message.confidence_15deg == 0
    assert message.status > RelativePose.STATUS_OK
    assert message.reason
    assert not message.published_on_tf
