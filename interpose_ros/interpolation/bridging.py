"""Choosing the few frames of a long clip that bridge two keyframes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interpose_ros.config import FramesConfig
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.matching.store import MatchStore
from interpose_ros.views import View


def choose_bridging_frames(
    view_a: View,
    view_b: View,
    frames: Sequence[LazyView],
    store: MatchStore,
    config: FramesConfig,
    progress: Callable[[float], None] = lambda fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[View]:
    """The frames between A and B such that neighbours are strongly linked, in order, at most ``max_frames``.

    Halves the clip where two neighbours are weakly linked, and then where next neighbours are: only points seen in three
    frames carry the length of one step over to the next. A stream of hundreds of frames costs a few dozen matches.
    """
    path: list[tuple[int, View]] = [(-1, view_a), (len(frames), view_b)]
    position = 0
    while position + 1 < len(path) and not cancelled():
        (left, left_view), (right, right_view) = path[position], path[position + 1]
        if (
            right - left < 2
            or len(path) - 2 >= config.max_frames
            or is_strong_link(left_view, right_view, store, config)
        ):
            position += 1
            progress(position / len(path))
            continue
        middle = (left + right) // 2
        path.insert(position + 1, (middle, frames[middle].load()))
    position = 0
    while position + 2 < len(path) and len(path) - 2 < config.max_frames and not cancelled():
        (left, left_view), (middle, _), (right, right_view) = path[position : position + 3]
        wider, gap = (position, middle - left) if middle - left >= right - middle else (position + 1, right - middle)
        if gap < 2 or is_strong_link(left_view, right_view, store, config):
            position += 1
            continue
        between = path[wider][0] + gap // 2
        path.insert(wider + 1, (between, frames[between].load()))
        position = max(position - 1, 0)
    return [view for _, view in path[1:-1]]


def is_strong_link(view_a: View, view_b: View, store: MatchStore, config: FramesConfig) -> bool:
    """Whether two views share so much that nothing is gained by a frame between them."""
    pair = store.pair(view_a, view_b)
    return pair.inlier_count >= config.strong_link_inliers and min(pair.coverage()) >= config.strong_link_coverage
