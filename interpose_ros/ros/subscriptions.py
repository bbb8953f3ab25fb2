"""Subscriptions that meet any publisher's quality of service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

PATIENCE = 5.0
"""Seconds without any publisher before a warning."""


class MeetingSubscription:
    """Asks for reliable delivery, and for best effort as soon as a publisher turns up that offers no more.

    A subscription made with BEST_AVAILABLE before its publisher exists stays reliable and receives nothing from a
    best-effort camera, so the change is made on the middleware's own event.
    """

    def __init__(
        self, node: Node, message_type: Any, topic: str, callback: Callable[[Any], None], reliability: ReliabilityPolicy
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._callback = callback
        self._start = time.monotonic()
        self._has_warned = False
        self._must_change = False
        self._subscription: Subscription | None = self._subscribe(reliability)

    def check(self) -> None:
        """Change to best effort where that was asked for; warn once where nobody publishes. To be called by a timer."""
        if self._subscription is None:
            return
        if self._must_change:
            # Not in the event's own callback: the executor still holds the subscription there.
            self._must_change = False
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe(ReliabilityPolicy.BEST_EFFORT)
            self._node.get_logger().info(f"{self._topic}: a publisher offers best effort only; subscribed with that")
        if not self._has_warned and time.monotonic() - self._start > PATIENCE:
            self._has_warned = True
            if self._node.count_publishers(self._subscription.topic_name) == 0:
                self._node.get_logger().warning(f"nobody publishes {self._subscription.topic_name} yet")

    def destroy(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscription:
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=50, reliability=reliability)
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible, use_default_callbacks=False)
        return self._node.create_subscription(
            self._message_type, self._topic, self._callback, qos, event_callbacks=events
        )

    def _on_incompatible(self, _event: Any) -> None:
        self._must_change = True


def compressed_topic(node: Node, topic: str) -> str:
    """Where compressed images of a topic are: remapping the image moves them too, as ``image_transport`` does."""
    return node.resolve_topic_name(topic) + "/compressed"
