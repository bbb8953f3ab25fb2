"""Pairs of keyframes by the overlap that their matches show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interpose_ros.evaluation.images import load_view
from interpose_ros.evaluation.replay.selection import Pair, all_pairs
from interpose_ros.geometry.camera import Camera


def pairs_by_overlap(
    files: Sequence[Path], camera: Camera, low: float, high: float, progress: Callable[[], Any] = lambda: None
) -> list[Pair]:
    """Every two keyframes whose measured overlap, the smaller of both images' shares, is within the limits.

    Measured as the pipeline does, on verified matches; that does not see that two places without any overlap are near
    each other, so limits from 0 take all of those too.
    """
    from interpose_ros.config import InterposeConfig
    from interpose_ros.matching.store import MatchStore

    store = MatchStore.with_default_networks(InterposeConfig())
    K = camera.K
    intrinsics = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))

    def coverage(first: int, second: int) -> float:
        views = [load_view(files[k], intrinsics, camera.distortion, k) for k in (first, second)]
        progress()
        return min(store.pair(*views).coverage())

    return [pair for pair in all_pairs(len(files)) if low <= coverage(*pair) <= high]
