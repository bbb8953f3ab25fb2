"""The node's connection to /tf: sends edges, and hears which frames have a parent from somebody else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from tf2_msgs.msg import TFMessage

from interpose_ros.ros.conversions import nanoseconds_from_stamp
from interpose_ros.ros.publication import tf_message
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.views import KeyframeId

MAX_FOREIGN_FRAMES = 100_000
MAX_REMEMBERED_MESSAGES = 1000


class TfLink:
    """Sends and listens. tf2 wants every frame to have one parent, from one publisher.

    Args:
        node: owns the subscriptions.
        publisher: of /tf.
        heard: told, on the executor's thread, which frames were found to have a parent from somebody else.
    """

    def __init__(self, node: LifecycleNode, publisher: Publisher, heard: Callable[[Sequence[str]], None]) -> None:
        self._node = node
        self._publisher = publisher
        self._heard = heard
        self._lock = threading.Lock()
        self._foreign: OrderedDict[str, str] = OrderedDict()
        self._sent: OrderedDict[int, frozenset[tuple[str, str]]] = OrderedDict()
        self._last_stamp_ns = 0
        # Whatever a publisher of /tf offers meets best effort; what is lost is sent again soon. /tf_static is sent once.
        qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        static_qos = QoSProfile(
            depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._on_transforms, qos),
            node.create_subscription(TFMessage, "/tf_static", self._on_transforms, static_qos),
        ]

    def foreign_parent(self, frame: str) -> str | None:
        """The parent that somebody else gives a frame; None where nobody does."""
        with self._lock:
            return self._foreign.get(frame)

    def send(self, edges: Sequence[TfEdge], frame_name: Callable[[KeyframeId], str]) -> None:
        """Send edges with one stamp that was never sent before: tf2 ignores a stamp that it knows."""
        with self._lock:
            stamp_ns = max(self._node.get_clock().now().nanoseconds, self._last_stamp_ns + 1)
            self._last_stamp_ns = stamp_ns
            self._sent[stamp_ns] = frozenset((frame_name(edge.parent), frame_name(edge.child)) for edge in edges)
            if len(self._sent) > MAX_REMEMBERED_MESSAGES:
                self._sent.popitem(last=False)
        self._publisher.publish(tf_message(edges, stamp_ns, frame_name))

    def time_jumped_back(self) -> None:
        """Stamps may be smaller again."""
        with self._lock:
            self._last_stamp_ns = 0

    def destroy(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _on_transforms(self, message: TFMessage) -> None:
        found = []
        with self._lock:
            for transform in message.transforms:
                parent, child = transform.header.frame_id.lstrip("/"), transform.child_frame_id.lstrip("/")
                # rclpy does not say who published; what this node sent comes back to it, too.
                if (parent, child) in self._sent.get(nanoseconds_from_stamp(transform.header.stamp), ()):
                    continue
                if self._foreign.get(child) != parent:
                    found.append(child)
                self._foreign[child] = parent
                self._foreign.move_to_end(child)
            while len(self._foreign) > MAX_FOREIGN_FRAMES:
                self._foreign.popitem(last=False)
        if found:
            self._heard(found)
