"""What ``/diagnostics`` says about the topics that images come on."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from interpose_ros.ros.subscriptions import MeetingSubscription


def topics_status(node_name: str, subscriptions: Sequence[MeetingSubscription]) -> DiagnosticStatus:
    """Messages that were sent and never came, by topic: with a best-effort stream a loaded machine loses some."""
    status = DiagnosticStatus(name=f"{node_name}: topics", hardware_id="none", message="nothing was lost on the way")
    status.level = DiagnosticStatus.OK
    lost = {subscription.topic: subscription.lost for subscription in subscriptions}
    if any(lost.values()):
        status.message = "the middleware lost messages"
    status.values = [KeyValue(key=f"lost {topic}", value=str(count)) for topic, count in lost.items()]
    return status
