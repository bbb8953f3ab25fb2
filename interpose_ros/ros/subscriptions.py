"""Subscriptions that meet any publisher's quality of service."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

DEPTH = 50
MAX_DEPTH = 1000

PATIENCE = 5.0
"""Seconds without any publisher before a warning."""

RELIABLE_VOLATILE = (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
BEST_EFFORT = (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
LATCHED = (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


class MeetingSubscription:
    """Begins with a reliability, and changes to what the publishers offer as they turn up.

    Best effort as soon as one offers no more: a subscription made with BEST_AVAILABLE before its publisher exists stays
    reliable and receives nothing from a best-effort camera. Transient local while all offer that, so that what was sent
    once before this node started still arrives. A quality of service that the user overrides stays as it is
    (``qos_overrides.<topic>.subscription.reliability``, ``durability`` and ``depth``, as ROS names these parameters).

    Args:
        node: owns the subscription.
        message_type, topic, callback: of the subscription.
        reliability: to begin with.
        patience: seconds without a publisher before a warning; None for a topic that need not be published.
    """

    def __init__(
        self,
        node: Node,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        reliability: ReliabilityPolicy,
        patience: float | None = PATIENCE,
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._callback = callback
        self._patience = patience
        self._start = time.monotonic()
        self._is_refused = False
        self._lost = self._missed = 0
        self._publishers = 0
        self._last_number: int | None = None
        self._unlatched = (reliability, DurabilityPolicy.VOLATILE)
        self._override = overridden_quality(node, node.resolve_topic_name(topic))
        self._current = self._unlatched
        self._subscription: Subscription | None = self._subscribe()

    @property
    def topic(self) -> str:
        """Name of the topic, as it was asked for."""
        return self._topic

    @property
    def lost(self) -> int:
        """Messages that were sent and never came: as the middleware says, or more, as their numbers say.

        The middleware counts what is lost on the way, not what newer messages push out of a history that is full.
        """
        return max(self._lost, self._missed)

    def check(self) -> None:
        """Change to what is offered; warn once where nobody publishes. To be called by a timer."""
        if self._subscription is None:
            return
        # Not in the event's own callback: the executor still holds the subscription there.
        if self._is_refused:
            self._is_refused = False
            if self._current == RELIABLE_VOLATILE:
                self._unlatched = BEST_EFFORT
        publishers = self._node.get_publishers_info_by_topic(self._subscription.topic_name)
        self._publishers = len(publishers)
        offers = [(info.qos_profile.reliability, info.qos_profile.durability) for info in publishers]
        wanted = LATCHED if offers and all(offer == LATCHED for offer in offers) else self._unlatched
        is_free = self._override.reliability is None and self._override.durability is None
        if is_free and wanted != self._current and (offers or wanted == BEST_EFFORT):
            self._current = wanted
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe()
            reliability, durability = (policy.name.lower() for policy in wanted)
            self._node.get_logger().info(f"{self._topic}: subscribed {reliability} and {durability}, as is offered")
        if self._patience is not None and time.monotonic() - self._start > self._patience:
            self._patience = None
            if not publishers:
                self._node.get_logger().warning(f"nobody publishes {self._subscription.topic_name} yet")

    def destroy(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _subscribe(self) -> Subscription:
        reliability, durability = self._current
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=self._override.depth or DEPTH,
            reliability=self._override.reliability or reliability,
            durability=self._override.durability or durability,
        )
        events = SubscriptionEventCallbacks(
            incompatible_qos=self._on_incompatible, message_lost=self._on_lost, use_default_callbacks=False
        )
        on_message: Any = self._on_message  # the types of some releases know no callback with two arguments
        return self._node.create_subscription(self._message_type, self._topic, on_message, qos, event_callbacks=events)

    def _on_message(self, message: Any, info: dict[str, Any]) -> None:
        # Each publisher counts its messages, and rclpy does not say whose this one is.
        number = info.get("publication_sequence_number") if self._publishers == 1 else None
        if number is not None and self._last_number is not None:
            self._missed += max(0, number - self._last_number - 1)
        self._last_number = number
        self._callback(message)

    def _on_lost(self, event: Any) -> None:
        self._lost += event.total_count_change

    def _on_incompatible(self, _event: Any) -> None:
        self._is_refused = True


@dataclass(frozen=True)
class OverriddenQuality:
    """What the user says about a subscription; None where nothing."""

    reliability: ReliabilityPolicy | None
    durability: DurabilityPolicy | None
    depth: int | None


def overridden_quality(node: Node, topic: str) -> OverriddenQuality:
    """Reads the parameters by which ROS overrides a subscription's quality of service.

    rclpy's own option for it would declare what is begun with as if the user had asked for it.

    Raises:
        ValueError: a value is none of the policy's; the message names the parameter.
    """

    def value(policy: str) -> Any:
        name = f"qos_overrides.{topic}.subscription.{policy}"
        if not node.has_parameter(name):
            text = f"{policy} of the subscription to {topic}; not set: what publishers offer is met"
            node.declare_parameter(
                name, None, ParameterDescriptor(description=text, read_only=True, dynamic_typing=True)
            )
        return name, node.get_parameter(name).value

    def chosen(policy: str, kind: Any) -> Any:
        name, text = value(policy)
        if text is None:
            return None
        names = {item.short_key: item for item in kind if item.name not in ("UNKNOWN", "BEST_AVAILABLE")}
        if text not in names:
            raise ValueError(f"{name} is '{text}': one of {', '.join(names)}")
        return names[text]

    name, depth = value("depth")
    if depth is not None and not (isinstance(depth, int) and 0 < depth <= MAX_DEPTH):
        raise ValueError(f"{name} is {depth}: a whole number from 1 to {MAX_DEPTH}")
    return OverriddenQuality(chosen("reliability", ReliabilityPolicy), chosen("durability", DurabilityPolicy), depth)


def compressed_topic(node: Node, topic: str) -> str:
    """Where compressed images of a topic are: remapping the image moves them too, as ``image_transport`` does."""
    return node.resolve_topic_name(topic) + "/compressed"
