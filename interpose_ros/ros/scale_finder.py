"""Gives answers their metric length, from all sources that the node has. See ``interpose_ros.scale_sources``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from interpose_ros.answer import PairAnswer, Scale, ScaleSource
from interpose_ros.odometry import BaseMotion, NoScale
from interpose_ros.rig import Baseline
from interpose_ros.ros.depth import DepthScale
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.odometry import OdometryScale
from interpose_ros.scale_sources import ScaleFinding, with_scale
from interpose_ros.views import View


class ScaleFinder:
    """Lives from activation to deactivation.

    Args:
        node: owns the subscriptions.
        config: of the node.
        depth_topics: depth images of the cameras.
    """

    def __init__(self, node: Node, config: NodeConfig, depth_topics: Sequence[str]) -> None:
        self._config = config.scale
        self._baselines = [Baseline.parse(text) for text in config.scale.baselines]
        self._odometry = OdometryScale(node, config.odometry) if config.odometry.use else None
        self._depth = DepthScale(node, depth_topics, config.depth) if config.depth.use else None

    # --- on the executor's thread

    def check(self) -> None:
        """To be called by a timer: meets the publishers' quality of service."""
        for source in (self._odometry, self._depth):
            if source is not None:
                source.check()

    def destroy(self) -> None:
        """End subscriptions and waits."""
        for source in (self._odometry, self._depth):
            if source is not None:
                source.destroy()

    def statuses(self, node_name: str) -> list[DiagnosticStatus]:
        """For ``/diagnostics``."""
        return [source.status(node_name) for source in (self._odometry, self._depth) if source is not None]

    # --- on the threads that take images in and estimate

    def base_motion(self, stamp_a_ns: int, stamp_b_ns: int) -> BaseMotion | NoScale:
        """How the base moved between two stamps."""
        if self._odometry is None:
            return NoScale("odometry is not used")
        return self._odometry.base_motion(stamp_a_ns, stamp_b_ns)

    def keyframe_added(self, view: View) -> None:
        """Depth is kept for keyframes only."""
        if self._depth is not None:
            self._depth.keyframe_added(view)

    def forget_keyframes(self) -> None:
        """After a reset."""
        if self._depth is not None:
            self._depth.clear()

    def scaled(self, answer: PairAnswer) -> PairAnswer:
        """The answer with its length, or without where there is none. May wait for messages that are late."""
        if answer.estimate is None:
            return answer
        findings = [
            self._from_baseline(answer),
            None if self._depth is None else self._depth.finding(answer),
            None if self._odometry is None else self._odometry.finding(answer),
            self._from_model(answer),
        ]
        found = [finding for finding in findings if finding is not None]
        return with_scale(answer, found, self._config.lower_confidence)

    def _from_baseline(self, answer: PairAnswer) -> ScaleFinding | None:
        apart = self._config.baseline_max_time_difference
        lengths = (baseline.length(answer.keyframe_a, answer.keyframe_b, apart) for baseline in self._baselines)
        length = next((length for length in lengths if length is not None), None)
        if length is None or answer.estimate is None or answer.estimate.direction_b_a is None:
            return None
        return ScaleFinding(ScaleSource.BASELINE, length)

    def _from_model(self, answer: PairAnswer) -> ScaleFinding | None:
        estimate = answer.estimate
        if not self._config.use_model or estimate is None or estimate.direction_b_a is None:
            return None
        metres = estimate.length_b_a
        if not (math.isfinite(metres) and metres > 0):
            return None
        return ScaleFinding(
            ScaleSource.MODEL, Scale(ScaleSource.MODEL, metres, self._config.model_relative_stddev * metres)
        )
