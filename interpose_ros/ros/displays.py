"""What is shown to people and viewers: points, pictures, markers. Computed only while somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nav_msgs.msg import Path
from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from interpose_ros.answer import PairAnswer
from interpose_ros.ros.bounded_worker import BoundedWorker
from interpose_ros.ros.conversions import stamp_from_nanoseconds
from interpose_ros.ros.markers_output import keyframe_markers
from interpose_ros.ros.path_output import keyframe_path
from interpose_ros.ros.picture_output import clip_picture, matches_picture, picture_message
from interpose_ros.ros.points_output import cloud_message, cloud_of_answer, metres_per_unit
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.views import KeyframeId, View

MAX_WAITING = 4
"""Answers that wait to be shown. Viewers want the latest, so the oldest goes."""


@dataclass(frozen=True)
class _Shown:
    answer: PairAnswer
    view_a: View
    view_b: View
    frame_a_on_tf: str | None


class Displays:
    """Publishers for viewers, and the thread that draws for them. The topics exist as long as the node.

    Args:
        node: owns the publishers.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._points = node.create_lifecycle_publisher(PointCloud2, "~/points", QoSProfile(depth=5))
        self._matches = node.create_lifecycle_publisher(CompressedImage, "~/matches/compressed", QoSProfile(depth=5))
        self._clip = node.create_lifecycle_publisher(CompressedImage, "~/clip/compressed", QoSProfile(depth=5))
        self._markers = node.create_lifecycle_publisher(MarkerArray, "~/keyframe_markers", QoSProfile(depth=1))
        self._path = node.create_lifecycle_publisher(Path, "~/path", QoSProfile(depth=1))
        self._worker: BoundedWorker[_Shown] | None = None
        self._unit_is_allowed = False
        self._last_edges: tuple[object, ...] = ()

    def start(self, unit_is_allowed: bool) -> None:
        """Begin to draw. ``unit_is_allowed``: points of unknown scale are sent in units of the baseline."""
        self._unit_is_allowed = unit_is_allowed
        self._last_edges = ()
        self._worker = BoundedWorker("interpose_displays", MAX_WAITING, self._draw, lambda item: None, self._failed)

    def stop(self, timeout: float) -> bool:
        """End the thread. True when it has ended within ``timeout`` seconds."""
        worker, self._worker = self._worker, None
        return worker is None or worker.stop(timeout)

    def answered(self, answer: PairAnswer, view_a: View, view_b: View, frame_a_on_tf: str | None) -> None:
        """An answer to show, if somebody looks; only stores and returns.

        Args:
            answer: of the core.
            view_a, view_b: its keyframes.
            frame_a_on_tf: frame of keyframe A, where this answer's edge is on /tf; None elsewhere.
        """
        worker = self._worker
        if worker is not None and any(map(_is_heard, (self._points, self._matches, self._clip))):
            worker.put(_Shown(answer, view_a, view_b, frame_a_on_tf))

    def edges(self, edges: Sequence[TfEdge], frame_name: Callable[[KeyframeId], str]) -> None:
        """The live edges; sent on where they, or the listeners, are others than last time."""
        state = (
            self._markers.get_subscription_count(),
            self._path.get_subscription_count(),
            *((edge.parent, edge.child, edge.quality) for edge in edges),
        )
        if state == self._last_edges:
            return
        self._last_edges = state
        if _is_heard(self._markers):
            self._markers.publish(keyframe_markers(edges, frame_name))
        if _is_heard(self._path):
            self._path.publish(keyframe_path(edges, frame_name))

    def _draw(self, shown: _Shown) -> None:
        answer, view_a, view_b = shown.answer, shown.view_a, shown.view_b
        header = Header(frame_id=view_a.keyframe_id.frame_id)
        header.stamp = stamp_from_nanoseconds(view_a.keyframe_id.stamp_ns)
        if _is_heard(self._matches):
            self._matches.publish(picture_message(matches_picture(answer, view_a, view_b), header))
        if _is_heard(self._clip):
            self._clip.publish(picture_message(clip_picture(answer, view_a, view_b), header))
        if _is_heard(self._points):
            factor = metres_per_unit(answer, self._unit_is_allowed)
            cloud = cloud_of_answer(answer, view_a, view_b) if factor is not None else None
            if factor is not None and cloud is not None:
                # The keyframe's frame names the keyframe, and is placed by the latest transform: stamp zero.
                placed = header if shown.frame_a_on_tf is None else Header(frame_id=shown.frame_a_on_tf)
                self._points.publish(cloud_message(cloud, factor, placed))

    def _failed(self, _shown: _Shown, error: Exception) -> None:
        self._node.get_logger().warning(f"an answer could not be shown: {type(error).__name__}: {error}")


def _is_heard(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0
