"""Which images of a stream become keyframes, once their time has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.odometry import BaseMotion, NoScale
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.views import View


@runtime_checkable
class KeyframeChoice(Protocol):
    """Decides on images that are at least ``keyframe_period`` apart. Used by one thread, but for ``clear``."""

    def wants(self, view: View) -> bool:
        """Whether this image becomes a keyframe. One that does is what later ones are compared with."""
        ...

    def clear(self) -> None:
        """Forget earlier keyframes."""
        ...


class EveryImage:
    """Time alone decides."""

    def wants(self, view: View) -> bool:
        """Always."""
        return True

    def clear(self) -> None:
        """Nothing is remembered."""


class LittleOverlap:
    """Images that share less than ``max_overlap`` with the last keyframe of their camera.

    Args:
        overlap: share, 0 to 1, of two images that verified matches cover.
        max_overlap: the limit.
    """

    def __init__(self, overlap: Callable[[View, View], float], max_overlap: float) -> None:
        self._overlap = overlap
        self._max_overlap = max_overlap
        self._last: dict[str, View] = {}

    def wants(self, view: View) -> bool:
        """Whether little of the last keyframe is left in the image."""
        camera = view.keyframe_id.frame_id
        last = self._last.get(camera)
        if last is not None and self._overlap(last, view) >= self._max_overlap:
            return False
        self._last[camera] = view
        return True

    def clear(self) -> None:
        """The next image of each camera becomes a keyframe."""
        self._last.clear()


class EnoughMotion:
    """Images whose base has moved or turned far enough since the last keyframe of their camera, as odometry says.

    Args:
        motion: of the base between two stamps in nanoseconds.
        min_distance: metres that are enough.
        min_rotation: radians that are enough.
        warn: told once why the motion is unknown, until it is known again.
    """

    def __init__(
        self,
        motion: Callable[[int, int], BaseMotion | NoScale],
        min_distance: float,
        min_rotation: float,
        warn: Callable[[str], None],
    ) -> None:
        self._motion = motion
        self._min_distance, self._min_rotation = min_distance, min_rotation
        self._warn = warn
        self._has_warned = False
        self._last: dict[str, int] = {}

    def wants(self, view: View) -> bool:
        """Whether the motion is enough. An image of unknown motion is taken: rather too many keyframes than none."""
        name = view.keyframe_id
        last = self._last.get(name.frame_id)
        if last is not None and not self._is_enough(self._motion(last, name.stamp_ns)):
            return False
        self._last[name.frame_id] = name.stamp_ns
        return True

    def clear(self) -> None:
        """The next image of each camera becomes a keyframe."""
        self._last.clear()

    def _is_enough(self, motion: BaseMotion | NoScale) -> bool:
        if isinstance(motion, NoScale):
            if not self._has_warned:
                self._warn(f"keyframes are chosen by time, not by motion: {motion.text}")
            self._has_warned = True
            return True
        self._has_warned = False
        angle = rotation_distance(motion.T_odom_base_a[:3, :3], motion.T_odom_base_b[:3, :3])
        return bool(np.linalg.norm(motion.displacement) >= self._min_distance or angle >= self._min_rotation)


def keyframe_choice_from(
    config: NodeConfig,
    overlap: Callable[[View, View], float],
    motion: Callable[[int, int], BaseMotion | NoScale],
    warn: Callable[[str], None],
) -> KeyframeChoice:
    """The choice that the settings name; ``overlap`` as for ``LittleOverlap``, ``motion`` and ``warn`` as for
    ``EnoughMotion``."""
    if config.keyframe_choice == "time":
        return EveryImage()
    if config.keyframe_choice == "motion":
        return EnoughMotion(motion, config.keyframe_distance, config.keyframe_rotation, warn)
    return LittleOverlap(overlap, config.keyframe_overlap)
