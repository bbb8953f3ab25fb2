"""Real frames that a camera saw between two keyframes: from memory or from a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from interpose_ros.interpolation.clip import Clip, ClipDirection, ClipOrigin, LazyView
from interpose_ros.views import KeyframeId, View


class RecordedInterpolator:
    """Offers the frames between two keyframes of one camera as a single clip.

    Args:
        frames_between: the frames with stamps strictly between two stamps of one camera, oldest first.
            Keyframes of different cameras have no frames in between that either camera saw.
    """

    name = "recorded"

    def __init__(self, frames_between: Callable[[str, int, int], Sequence[LazyView]]) -> None:
        self._frames_between = frames_between

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """One clip, or none where no frame was seen between the two keyframes."""
        a, b = view_a.keyframe_id, view_b.keyframe_id
        if a.frame_id != b.frame_id:
            return
        first, last = sorted((a.stamp_ns, b.stamp_ns))
        frames = list(self._frames_between(a.frame_id, first, last))
        if not frames:
            return
        direction = ClipDirection.FORWARD
        if a.stamp_ns > b.stamp_ns:
            frames.reverse()
            direction = ClipDirection.BACKWARD
        yield recorded_clip(frames, direction)


class ListedFramesInterpolator:
    """Offers given frames, already in order from A to B: a folder, a pair file's ``frames``, a cut of a bag."""

    name = "recorded"

    def __init__(self, frames: Sequence[LazyView]) -> None:
        self._frames = frames

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """One clip, or none where the list is empty."""
        if self._frames:
            yield recorded_clip(self._frames, ClipDirection.FORWARD)


def recorded_clip(frames: Sequence[LazyView], direction: ClipDirection) -> Clip:
    """A clip of real frames, named by the frames in it."""
    return Clip(frames, ClipOrigin(RecordedInterpolator.name, _clip_id([f.keyframe_id for f in frames]), direction))


def _clip_id(names: Sequence[KeyframeId]) -> str:
    return hashlib.blake2b("\n".join(str(name) for name in names).encode(), digest_size=8).hexdigest()
