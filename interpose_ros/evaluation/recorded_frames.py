"""The real frames that a pair file names between two images."""

from __future__ import annotations

from pathlib import Path

from interpose_ros.evaluation.images import load_view
from interpose_ros.evaluation.pair_files import LabelledPair
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.views import KeyframeId, View


def recorded_frames(pair: LabelledPair) -> list[LazyView]:
    """The frames of a pair in order from A to B, with the intrinsics of its first image and stamps from 1 on.

    Raises:
        ImageError: when a frame is looked at whose file cannot be used.
    """
    return [_lazy(path, pair, number) for number, path in enumerate(pair.frames, 1)]


def _lazy(path: Path, pair: LabelledPair, stamp_ns: int) -> LazyView:
    def load() -> View:
        return load_view(path, pair.intrinsics_a, pair.distortion_a, stamp_ns)

    return LazyView(KeyframeId("camera", stamp_ns), load)
