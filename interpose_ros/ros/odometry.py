"""Metric lengths from a robot's odometry: listens to ``odom`` and ``/tf_static``, and completes answers."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from jaxtyping import Float
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from tf2_msgs.msg import TFMessage

from interpose_ros.answer import PairAnswer, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation
from interpose_ros.odometry import BaseMotion, NoScale, OdometryTrack
from interpose_ros.ros.conversions import NANOSECONDS, nanoseconds_from_stamp
from interpose_ros.ros.odometry_config import NodeOdometryConfig
from interpose_ros.ros.static_transforms import StaticTransforms
from interpose_ros.ros.subscriptions import MeetingSubscription
from interpose_ros.scale import length_from_odometry, turn_disagreement
from interpose_ros.scale_sources import ScaleFinding


class OdometryScale:
    """Gives answers their length. Lives from activation to deactivation.

    Args:
        node: owns the subscriptions.
        config: settings.
    """

    def __init__(self, node: Node, config: NodeOdometryConfig) -> None:
        self._node = node
        self._config = config
        self._track = OdometryTrack(config)
        self._statics = StaticTransforms()
        self._frames: tuple[str, str] = ("", "")
        self._arrived = threading.Condition()
        self._last_arrival = -float("inf")
        self._is_stopped = False
        self._refused_messages = 0
        self._last_problem = ""
        self._scaled = 0
        self._unscaled = 0
        self._last_reason = ""
        self._odometry = MeetingSubscription(
            node, Odometry, "odom", self._on_odometry, ReliabilityPolicy.RELIABLE, patience=None
        )
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = node.create_subscription(TFMessage, "/tf_static", self._on_static, latched)

    # --- on the executor's thread

    def check(self) -> None:
        """To be called by a timer: meets the publisher's quality of service."""
        self._odometry.check()

    def destroy(self) -> None:
        """End the subscriptions, and every wait."""
        with self._arrived:
            self._is_stopped = True
            self._arrived.notify_all()
        self._odometry.destroy()
        self._node.destroy_subscription(self._static)

    def status(self, node_name: str) -> DiagnosticStatus:
        """For ``/diagnostics``."""
        with self._arrived:
            values = {
                "odometry_messages_held": str(len(self._track)),
                "odometry_messages_refused": str(self._refused_messages),
                "answers_with_scale": str(self._scaled),
                "answers_without_scale": str(self._unscaled),
            }
            if self._last_problem:
                values["last_refused_message"] = self._last_problem
            if self._last_reason:
                values["last_reason_for_no_scale"] = self._last_reason
            status = DiagnosticStatus(name=f"{node_name}: scale", hardware_id="none")
            status.level = DiagnosticStatus.WARN if self._refused_messages else DiagnosticStatus.OK
        status.message = "odometry or /tf_static messages were refused" if self._refused_messages else "listening"
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        return status

    def _on_odometry(self, message: Odometry) -> None:
        try:
            stamp_ns, T_odom_base, covariance = _read(message)
            with self._arrived:
                frames = (message.header.frame_id, message.child_frame_id)
                if frames != self._frames:  # another odometry: its positions do not go on from these
                    self._track.clear()
                    self._frames = frames
                self._track.add(stamp_ns, T_odom_base, covariance)
                self._last_arrival = time.monotonic()
                self._arrived.notify_all()
        except ValueError as error:
            self._refuse(f"odometry message refused: {error}")

    def _on_static(self, message: TFMessage) -> None:
        with self._arrived:
            problems = self._statics.add(message)
        for problem in problems:
            self._refuse(f"/tf_static: {problem}")

    def _refuse(self, text: str) -> None:
        with self._arrived:
            self._refused_messages += 1
            is_first = not self._last_problem
            self._last_problem = text
        if is_first:
            self._node.get_logger().warning(f"{text}; further ones are counted in /diagnostics")

    # --- on the threads that take images in and estimate

    def base_motion(self, stamp_a_ns: int, stamp_b_ns: int) -> BaseMotion | NoScale:
        """How the base moved between two images. Waits as ``scaled`` does."""
        with self._arrived:
            self._wait_until_reached(max(stamp_a_ns, stamp_b_ns))
            return self._track.motion(stamp_a_ns, stamp_b_ns)

    def finding(self, answer: PairAnswer) -> ScaleFinding | None:
        """What odometry says about an answer: a length or why there is none, and whether its turn is that of the images.

        Waits, at most for ``wait`` seconds, where odometry flows but has not reached the newer image yet.
        """
        estimate = answer.estimate
        if estimate is None:
            return None
        found = self._finding(answer, estimate)
        with self._arrived:
            if isinstance(found.length, NoScale):
                self._unscaled += 1
                self._last_reason = found.length.text
            else:
                self._scaled += 1
        return found

    def _finding(self, answer: PairAnswer, estimate: PoseEstimate) -> ScaleFinding:
        a, b = answer.keyframe_a, answer.keyframe_b
        with self._arrived:
            self._wait_until_reached(max(a.stamp_ns, b.stamp_ns))
            base = self._frames[1]
            motion = self._track.motion(a.stamp_ns, b.stamp_ns)
            T_base_camera_a, T_base_camera_b = self._extrinsic(a.frame_id), self._extrinsic(b.frame_id)
        if isinstance(motion, NoScale):
            return ScaleFinding(ScaleSource.ODOMETRY, motion)
        if T_base_camera_a is None or T_base_camera_b is None:
            missing = NoScale(
                f"/tf_static does not connect '{a.frame_id if T_base_camera_a is None else b.frame_id}' with '{base}', the "
                "child frame of the odometry: publish the camera's place on the robot, or set odometry.extrinsic"
            )
            return ScaleFinding(ScaleSource.ODOMETRY, missing)
        extrinsics = T_base_camera_a, T_base_camera_b
        length = length_from_odometry(estimate, motion, *extrinsics, self._config)
        angle, size = turn_disagreement(estimate, motion, *extrinsics, self._config)
        about = f"odometry's turn differs from that of the images by {math.degrees(angle):.1f} degrees"
        if isinstance(length, NoScale) and length.contradiction > size:
            size, about = length.contradiction, length.text
        return ScaleFinding(ScaleSource.ODOMETRY, length, size, about)

    def _wait_until_reached(self, stamp_ns: int) -> None:
        def reached() -> bool:
            newest = self._track.newest_ns
            return self._is_stopped or newest is None or newest >= stamp_ns

        # Odometry that has ended is not waited for again and again.
        if time.monotonic() - self._last_arrival < self._config.wait:
            self._arrived.wait_for(reached, self._config.wait)

    def _extrinsic(self, camera_frame: str) -> Float[np.ndarray, "4 4"] | None:
        T_base_camera = self._config.T_base_camera
        return self._statics.between(self._frames[1], camera_frame) if T_base_camera is None else T_base_camera


def _read(message: Odometry) -> tuple[int, Float[np.ndarray, "4 4"], Float[np.ndarray, "3 3"]]:
    if message.header.stamp.nanosec >= NANOSECONDS:
        raise ValueError(f"header.stamp.nanosec is {message.header.stamp.nanosec}: it must be below {NANOSECONDS}")
    if not message.child_frame_id:
        raise ValueError("child_frame_id is empty: it must name the frame whose motion this is, such as base_link")
    p, q = message.pose.pose.position, message.pose.pose.orientation
    R = rotation_from_quaternion_xyzw(np.array([q.x, q.y, q.z, q.w]))
    T_odom_base = transform_from_rotation_translation(R, np.array([p.x, p.y, p.z]))
    covariance = np.array(message.pose.covariance, dtype=np.float64).reshape(6, 6)[:3, :3]
    return nanoseconds_from_stamp(message.header.stamp), T_odom_base, covariance
