"""The node under load: its process, what it says about itself, and a program beside it that publishes and listens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.msg import RelativePose
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.srv import ListKeyframes

SCRIPT = Path(__file__).with_name("soak_timed_node.py")
DEPTH = 200
PAGE = os.sysconf("SC_PAGE_SIZE")


class NodeProcess:
    """The node as a process of its own."""

    def __init__(self, **parameters: Any) -> None:
        settings = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        self._folder = tempfile.TemporaryDirectory()
        self._times = Path(self._folder.name) / "times.txt"
        self._log = os.open(os.environ.get("SOAK_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self._times), "--ros-args", *settings], stdout=self._log, stderr=self._log
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def children(self) -> list[int]:
        """Process ids of its descendants: the worker, and what that needs."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                after_name = stat.read_text().rpartition(")")[2].split()
                parents.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
        found, queue = [], [self._process.pid]
        while queue:
            queue += (below := parents.get(queue.pop(), []))
            found += below
        return found

    def resident_megabytes(self) -> float:
        """Memory of the node and its descendants; pages that they share count once each."""
        total = 0
        for pid in (self._process.pid, *self.children()):
            with contextlib.suppress(OSError, ValueError):
                resident, shared = (int(n) for n in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
                total += (resident - shared) if pid != self._process.pid else resident
        return total * PAGE / 1e6

    def times(self) -> dict[int, tuple[float, float]]:
        """By stamp [ns] of a keyframe: when it reached the node, and when its answer had left it [s, monotonic clock]."""
        moments: dict[str, dict[int, float]] = {"in": {}, "out": {}}
        for line in self._times.read_text(encoding="utf-8").splitlines():
            what, stamp, moment = line.split()
            moments[what].setdefault(int(stamp), float(moment))
        return {
            stamp: (come, moments["out"][stamp]) for stamp, come in moments["in"].items() if stamp in moments["out"]
        }

    def kill_worker(self) -> bool:
        """Kill the newest, heaviest descendant: the process that estimates. False where there is none just now."""

        def size(pid: int) -> int:
            with contextlib.suppress(OSError, ValueError):
                return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return 0

        children = [pid for pid in self.children() if size(pid) > 10_000]
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(max(children, key=size), signal.SIGKILL)
            return True
        return False

    def stop(self) -> int:
        """End it; its exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        os.close(self._log)
        self._folder.cleanup()
        return status


class Tester:
    """Publishes, listens and waits."""

    def __init__(self, image_type: type, suffix: str) -> None:
        rclpy.init()
        self.node = rclpy.create_node("soak")
        self.changed = threading.Condition()
        self.arrivals: list[tuple[float, RelativePose]] = []
        self.diagnostics: dict[str, dict[str, str]] = {}
        self.node.create_subscription(RelativePose, "/interpose/relative_pose", self._on_pose, QoSProfile(depth=1000))
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=50))
        self.keyframes = self.node.create_publisher(image_type, f"keyframe/image{suffix}", QoSProfile(depth=DEPTH))
        self.stream = self.node.create_publisher(image_type, f"image{suffix}", QoSProfile(depth=DEPTH))
        self.keyframe_infos = self.node.create_publisher(CameraInfo, "keyframe/camera_info", QoSProfile(depth=DEPTH))
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=DEPTH))
        self.clock = self.node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self._list = self.node.create_client(ListKeyframes, "/interpose/list_keyframes", qos_profile=SERVICE_QUALITY)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def wait_for(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Wait until a condition on what was received, or on the graph, holds; False where it does not in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                return False
            with self.changed:
                self.changed.wait(0.05)
        return True

    def wait_until_heard(self, timeout: float) -> bool:
        """Wait until the node listens to images and camera infos."""
        publishers = (self.keyframes, self.stream, self.keyframe_infos, self.infos)
        return self.wait_for(lambda: all(p.get_subscription_count() for p in publishers), timeout)

    def send_time(self, stamp_ns: int) -> None:
        """One tick of ``/clock``."""
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(stamp_ns, 10**9)
        self.clock.publish(message)

    def held(self) -> int:
        """Keyframes that the node holds, as it says when asked; -1 where it does not answer."""
        done = threading.Event()
        future = self._list.call_async(ListKeyframes.Request())
        future.add_done_callback(lambda _: done.set())
        return len(future.result().keyframes) if done.wait(10.0) else -1

    def value(self, status: str, key: str) -> int:
        """A count in the latest diagnostics; 0 where it is not there."""
        return int(float(self.diagnostics.get(status, {}).get(key, "0")))

    def close(self) -> None:
        """End the thread."""
        rclpy.shutdown()
        self._thread.join(10)

    def _on_pose(self, message: RelativePose) -> None:
        with self.changed:
            self.arrivals.append((time.monotonic(), message))
            self.changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self.changed:
            for status in message.status:
                name = status.name.rpartition(": ")[2]
                self.diagnostics[name] = {item.key: item.value for item in status.values}
            self.changed.notify_all()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def image_message(pixels: np.ndarray, file: bytes | None, frame: str, stamp_ns: int) -> Image | CompressedImage:
    """A raw message, or a compressed one where there is a file."""
    message: Image | CompressedImage
    if file is None:
        height, width = pixels.shape[:2]
        message = Image(encoding="rgb8", height=height, width=width, step=3 * width)
        message.data.frombytes(pixels.tobytes())
    else:
        message = CompressedImage(format="jpeg")
        message.data.frombytes(file)
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message
