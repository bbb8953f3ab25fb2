"""Metric lengths from registered depth: listens to depth images, and keeps those that belong to keyframes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from cv_bridge import CvBridge, CvBridgeError
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from interpose_ros.answer import PairAnswer, ScaleSource
from interpose_ros.depth_image import DepthImage
from interpose_ros.geometry.camera import Camera
from interpose_ros.odometry import NoScale
from interpose_ros.ros.conversions import keyframe_id_from_header
from interpose_ros.ros.scale_config import NodeDepthConfig
from interpose_ros.ros.subscriptions import MeetingSubscription
from interpose_ros.scale_depth import DepthMatches, length_from_depth
from interpose_ros.scale_sources import ScaleFinding, normal_from_chi
from interpose_ros.views import MAX_IMAGE_PIXELS, KeyframeId, View

METRES_PER_UNIT = {"32FC1": 1.0, "16UC1": 0.001, "mono16": 0.001}
"""REP 118: floats are metres; OpenNI's integers are millimetres."""

MAX_CAMERAS_REMEMBERED = 10_000
LATEST_SHARE = 0.25
"""Of the memory, for depth images that no keyframe has asked for yet."""

BEND_FREEDOM = 5


class DepthScale:
    """Gives answers a length from depth. Lives from activation to deactivation.

    Args:
        node: owns the subscriptions.
        topics: depth images, registered to the images of the keyframes.
        config: settings.
    """

    def __init__(self, node: Node, topics: Sequence[str], config: NodeDepthConfig) -> None:
        self._config = config
        self._arrived = threading.Condition()
        self._latest: OrderedDict[KeyframeId, Image] = OrderedDict()
        self._kept: OrderedDict[KeyframeId, Image] = OrderedDict()
        self._cameras: OrderedDict[KeyframeId, Camera] = OrderedDict()
        self._last_arrival: dict[str, float] = {}
        self._is_stopped = False
        self._received, self._refused, self._scaled = 0, 0, 0
        self._last_problem, self._last_reason, self._last_result = "", "", ""
        self._subscriptions = [
            MeetingSubscription(node, Image, topic, self._on_depth, ReliabilityPolicy.BEST_EFFORT, patience=None)
            for topic in topics
        ]
        self._node = node

    # --- on the executor's thread

    def check(self) -> None:
        """To be called by a timer: meets the publishers' quality of service."""
        for subscription in self._subscriptions:
            subscription.check()

    def destroy(self) -> None:
        """End the subscriptions, and every wait."""
        with self._arrived:
            self._is_stopped = True
            self._arrived.notify_all()
        for subscription in self._subscriptions:
            subscription.destroy()

    def clear(self) -> None:
        """Forget keyframes and depth."""
        with self._arrived:
            self._latest.clear()
            self._kept.clear()
            self._cameras.clear()

    def status(self, node_name: str) -> DiagnosticStatus:
        """For ``/diagnostics``."""
        with self._arrived:
            values = {
                "depth_images_received": str(self._received),
                "depth_images_refused": str(self._refused),
                "depth_images_of_keyframes": str(len(self._kept)),
                "answers_with_scale_from_depth": str(self._scaled),
                "last_result": self._last_result,
                "last_refused_image": self._last_problem,
                "last_reason_for_no_scale": self._last_reason,
            }
            status = DiagnosticStatus(name=f"{node_name}: depth", hardware_id="none", message="listening")
            status.level = DiagnosticStatus.OK
            if self._refused:
                status.level, status.message = DiagnosticStatus.WARN, "depth images were refused"
        status.values = [KeyValue(key=key, value=value) for key, value in values.items() if value]
        return status

    def _on_depth(self, message: Image) -> None:
        try:
            name = keyframe_id_from_header(message.header)
            _check(message)
        except ValueError as error:
            with self._arrived:
                self._refused += 1
                is_first = not self._last_problem
                self._last_problem = str(error)
            if is_first:
                self._node.get_logger().warning(f"depth refused: {error}; further ones are counted in /diagnostics")
            return
        with self._arrived:
            self._received += 1
            self._latest[name] = message
            self._last_arrival[name.frame_id] = time.monotonic()
            for keyframe in reversed(self._cameras):
                if keyframe not in self._kept and self._belongs(name, keyframe):
                    self._kept[keyframe] = message
                    break
            self._drop_old()
            self._arrived.notify_all()

    # --- on the threads that take images in and estimate

    def keyframe_added(self, view: View) -> None:
        """Keep the depth of a new keyframe, now or when it comes."""
        name = view.keyframe_id
        with self._arrived:
            self._cameras[name] = view.camera
            if len(self._cameras) > MAX_CAMERAS_REMEMBERED:
                self._cameras.popitem(last=False)
            found = min(
                (other for other in self._latest if self._belongs(other, name)),
                key=lambda other: abs(other.stamp_ns - name.stamp_ns),
                default=None,
            )
            if found is not None:
                self._kept[name] = self._latest[found]
                self._drop_old()

    def finding(self, answer: PairAnswer) -> ScaleFinding | None:
        """What depth says about an answer; None where nobody publishes any.

        Waits, at most for ``wait`` seconds, where depth flows but that of the newer image has not come yet.
        """
        estimate, names = answer.estimate, (answer.keyframe_a, answer.keyframe_b)
        if estimate is None:
            return None
        with self._arrived:
            if not self._received:
                return None
            self._wait_for(names)
            messages = [self._kept.get(name) for name in names]
            cameras = [self._cameras.get(name) for name in names]
        found = self._length(answer, messages, cameras)
        with self._arrived:
            if isinstance(found.length, NoScale):
                self._last_reason = found.length.text
            else:
                self._scaled += 1
        return found

    def _length(self, answer: PairAnswer, messages: list[Image | None], cameras: list[Camera | None]) -> ScaleFinding:
        def none(reason: NoScale) -> ScaleFinding:
            return ScaleFinding(ScaleSource.DEPTH, reason, reason.contradiction, "depth does not fit the pose")

        camera_a, camera_b = cameras
        if camera_a is None or camera_b is None or answer.matched_pixels is None:
            return none(NoScale("a keyframe is not held any more"))
        if messages == [None, None]:
            apart = self._config.max_time_difference
            return none(
                NoScale(f"no depth image has come within {apart:g} s of either keyframe, in its camera's frame")
            )
        depths, problems = [], []
        for message, camera, pixels in zip(messages, (camera_a, camera_b), answer.matched_pixels, strict=True):
            depth, problem = _depths_at(message, camera, pixels)
            depths.append(depth)
            problems += [problem] if problem else []
        if len(problems) == sum(message is not None for message in messages):
            return none(NoScale("; ".join(problems)))
        estimate = answer.estimate
        assert estimate is not None
        matches = DepthMatches(*answer.matched_pixels, depths[0], depths[1], camera_a, camera_b)
        result = length_from_depth(estimate, matches, self._config)
        if isinstance(result, NoScale):
            return none(result)
        bend = normal_from_chi(result.bend, BEND_FREEDOM)
        with self._arrived:
            self._last_result = (
                f"{result.scale.metres:.3f} m +- {result.scale.stddev:.3f} m, {result.agreeing} of {result.matches} depths "
                f"agree, residual {result.residual:.2f} px, pose bent by {bend:.1f} standard deviations"
            )
        return ScaleFinding(ScaleSource.DEPTH, result.scale, bend, "depth asks for another rotation or direction")

    def _wait_for(self, names: Sequence[KeyframeId]) -> None:
        def arrived() -> bool:
            return self._is_stopped or all(name in self._kept or not self._flows(name.frame_id) for name in names)

        self._arrived.wait_for(arrived, self._config.wait)

    def _flows(self, frame_id: str) -> bool:
        return time.monotonic() - self._last_arrival.get(frame_id, -float("inf")) < max(1.0, self._config.wait)

    def _belongs(self, depth: KeyframeId, keyframe: KeyframeId) -> bool:
        apart = abs(depth.stamp_ns - keyframe.stamp_ns) * 1e-9
        return depth.frame_id == keyframe.frame_id and apart <= self._config.max_time_difference

    def _drop_old(self) -> None:
        for held, share in ((self._latest, LATEST_SHARE), (self._kept, 1.0 - LATEST_SHARE)):
            size = sum(len(message.data) for message in held.values())
            while size > share * self._config.megabytes * 1e6 and len(held) > 2:
                size -= len(held.popitem(last=False)[1].data)


def _check(message: Image) -> None:
    """Bounds and type, before anything is kept.

    Raises:
        ValueError: this is no depth image; the message says why.
    """
    if message.encoding not in METRES_PER_UNIT:
        raise ValueError(
            f"depth of encoding '{message.encoding[:40]}' is unknown: publish 32FC1 (metres) or 16UC1 (millimetres)"
        )
    if not 0 < message.width * message.height <= MAX_IMAGE_PIXELS:
        raise ValueError(f"depth image of {message.width}x{message.height} is empty or too large")
    if len(message.data) < message.step * message.height:
        raise ValueError("depth image is truncated")


def _depths_at(message: Image | None, camera: Camera, pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """Depths [m] at pixels of the camera's image, and why there are none."""
    nothing = np.full(len(pixels), np.nan)
    if message is None:
        return nothing, ""
    try:
        values = CvBridge().imgmsg_to_cv2(message, desired_encoding="passthrough")
    except (CvBridgeError, TypeError, ValueError) as error:
        return nothing, f"the depth image of '{message.header.frame_id}' cannot be read: {error}"
    depth = DepthImage(values, METRES_PER_UNIT[message.encoding])
    if not depth.fits(camera.width, camera.height):
        return nothing, (
            f"the depth image is {message.width}x{message.height} and the image {camera.width}x{camera.height}: register "
            "the depth to the colour camera"
        )
    return depth.at(pixels, camera.width, camera.height), ""
