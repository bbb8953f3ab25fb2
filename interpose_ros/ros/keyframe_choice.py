"""Which images of a stream become keyframes, once their time has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from interpose_ros.config import InterposeConfig
from interpose_ros.matching.store import MatchStore
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


def keyframe_choice_from(config: NodeConfig, core_config: InterposeConfig) -> KeyframeChoice:
    """The choice that the settings name.

    Raises:
        FileNotFoundError: it needs weights that are not installed.
    """
    if config.keyframe_choice == "time":
        return EveryImage()
    # A store belongs to one thread, and the one that estimates pairs is busy for seconds at a time.
    store = MatchStore.with_default_networks(core_config)
    return LittleOverlap(lambda last, view: min(store.pair(last, view).coverage()), config.keyframe_overlap)
