"""In which order clips are judged: as they come, and of those that are at hand together the most promising first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from interpose_ros.interpolation.clip import Clip, Interpolator
from interpose_ros.selection.first_look import by_promise
from interpose_ros.views import View

MOST_AT_HAND = 32
"""Clips that are looked at together at most: their frames are in memory meanwhile."""


LITTLE_PROMISE = 0.5
"""A clip that promises less than this share of the best one beside it is unlikely to change an answer that is there, or to
decide between two that contradict each other."""

NO_PROMISE = 0.05
"""And one that promises less than this, to give one where the others did not."""


def clips_in_turn(
    interpolators: Sequence[Interpolator], view_a: View, view_b: View, may_go_on: Callable[[], bool]
) -> Iterator[tuple[Clip, float]]:
    """The interpolators' clips with their promise, 0 to 1, relative to the most promising of those at hand together.

    A clip is made when it is asked for, which may cost much more than to judge it; so none is made before the ones that
    are there have been judged. ``may_go_on`` is asked before each.
    """
    for interpolator in interpolators:
        clips = iter(interpolator.clips(view_a, view_b))
        while may_go_on():
            together = _at_hand(clips)
            if not together:
                break
            ranked = by_promise(together, view_a, view_b)
            best = max(promise for _, promise in ranked)
            for clip, promise in ranked:
                if not may_go_on():
                    return
                yield clip, promise / best if best > 0.0 else 1.0


def _at_hand(clips: Iterator[Clip]) -> list[Clip]:
    """The next clip, and those after it that cost nothing more to have."""
    together: list[Clip] = []
    for clip in clips:
        together.append(clip)
        if not clip.next_at_hand or len(together) == MOST_AT_HAND:
            break
    return together
