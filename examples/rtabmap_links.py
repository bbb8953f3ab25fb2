#!/usr/bin/env python3
"""Gives RTAB-Map the node's answers as loop closures: ``python examples/rtabmap_links.py FRAME X Y Z QX QY QZ QW``

FRAME is the camera's optical frame; pairs of other cameras are left out. The numbers are that frame's pose on the robot's
base (``ros2 run tf2_ros tf2_echo base_link FRAME``). Needs RTAB-Map's messages. Only answers with a metric length and a
calibrated confidence go on: a graph optimiser believes what it is told.
"""

from __future__ import annotations

import argparse
import bisect

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rtabmap_msgs.msg import Link, MapData
from rtabmap_msgs.srv import AddLink

from interpose_ros.geometry.se3 import (
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
    transform_from_rotation_translation,
)
from interpose_ros.msg import RelativePose
from interpose_ros.ros.base_link import base_pose_from_message

USER_CLOSURE = 4
"""``rtabmap::Link::kUserClosure``: from outside."""

MOST_WAITING = 200


def link_from_answer(message: RelativePose, from_id: int, to_id: int, T_base_camera: np.ndarray) -> Link:
    """The answer between two nodes of RTAB-Map's graph, which are poses of the base.

    Raises:
        ValueError: the answer holds no pose, or none in metres.
    """
    T_base_a_base_b, covariance = base_pose_from_message(message, T_base_camera)
    link = Link(from_id=from_id, to_id=to_id, type=USER_CLOSURE)
    t, r = link.transform.translation, link.transform.rotation
    t.x, t.y, t.z = (float(v) for v in T_base_a_base_b[:3, 3])
    r.x, r.y, r.z, r.w = (float(v) for v in quaternion_xyzw_from_rotation(T_base_a_base_b[:3, :3]))
    link.information = np.linalg.inv(covariance).ravel()
    return link


class Links(Node):
    """Waits for both keyframes of an answer to be nodes of the graph, then adds the link.

    Args:
        frame: the camera's optical frame, which both keyframes of a pair must be of.
        T_base_camera: pose of that frame on the base, (4, 4).
        min_confidence: least probability that the rotation is within 5 degrees.
        max_gap: seconds between a keyframe and the node of the graph that is taken for it.
    """

    def __init__(self, frame: str, T_base_camera: np.ndarray, min_confidence: float, max_gap: float) -> None:
        super().__init__("interpose_to_rtabmap")
        self._frame, self._T_base_camera = frame, T_base_camera
        self._min_confidence, self._max_gap = min_confidence, max_gap
        self._stamps: list[tuple[float, int]] = []
        self._waiting: list[RelativePose] = []
        self._client = self.create_client(AddLink, "/rtabmap/add_link")
        self.create_subscription(RelativePose, "/interpose/relative_pose", self._on_answer, QoSProfile(depth=100))
        self.create_subscription(MapData, "/rtabmap/mapData", self._on_map, QoSProfile(depth=10))

    def _on_map(self, message: MapData) -> None:
        for node in message.nodes:
            if (node.stamp, node.id) not in self._stamps:
                bisect.insort(self._stamps, (node.stamp, node.id))
        self._try_all()

    def _on_answer(self, message: RelativePose) -> None:
        if not message.keyframe_a.frame_id == message.keyframe_b.frame_id == self._frame:
            return
        is_metric = message.scale_source != RelativePose.SCALE_NONE
        # A confidence that is not calibrated is NaN, and no comparison with NaN holds.
        if message.status == RelativePose.STATUS_OK and is_metric and message.confidence_5deg >= self._min_confidence:
            self._waiting = [*self._waiting, message][-MOST_WAITING:]
            self._try_all()

    def _try_all(self) -> None:
        left = []
        for message in self._waiting:
            a, b = self._node_at(message.keyframe_a.stamp), self._node_at(message.keyframe_b.stamp)
            if a is None or b is None or not self._client.service_is_ready():
                left.append(message)
            elif a != b:
                self._client.call_async(AddLink.Request(link=link_from_answer(message, a, b, self._T_base_camera)))
                self.get_logger().info(f"link {a} -> {b}, confidence {message.confidence_5deg:.2f}")
        self._waiting = left

    def _node_at(self, stamp: object) -> int | None:
        seconds = stamp.sec + 1e-9 * stamp.nanosec  # type: ignore[attr-defined]
        place = bisect.bisect_left(self._stamps, (seconds, 0))
        near = self._stamps[max(0, place - 1) : place + 1]
        distance, found = min(((abs(at - seconds), node) for at, node in near), default=(np.inf, 0))
        return found if distance <= self._max_gap else None


def main() -> None:
    """Run until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frame", metavar="FRAME", help="the camera's optical frame")
    parser.add_argument("camera", nargs=7, type=float, metavar="NUMBER", help="x y z qx qy qz qw")
    parser.add_argument("--min-confidence", type=float, default=0.95, help="(default: 0.95)")
    parser.add_argument("--max-gap", type=float, default=0.05, help="seconds (default: 0.05)")
    options, ros_arguments = parser.parse_known_args()
    rotation = rotation_from_quaternion_xyzw(np.array(options.camera[3:]))
    T_base_camera = transform_from_rotation_translation(rotation, np.array(options.camera[:3]))
    rclpy.init(args=ros_arguments)
    try:
        rclpy.spin(Links(options.frame, T_base_camera, options.min_confidence, options.max_gap))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
