"""Frames of camera streams, kept as JPEG within a bound of bytes, for use between keyframes."""

from __future__ import annotations

import bisect
from collections import OrderedDict
from dataclasses import dataclass

from interpose_ros.views import KeyframeId


@dataclass(frozen=True)
class StreamFrame:
    """One frame as a compressed file's content, with the format that its message named and its size in pixels."""

    keyframe_id: KeyframeId
    data: bytes
    format: str
    width: int
    height: int


class FrameRing:
    """The frames of each camera by stamp, at most ``max_bytes`` per camera and ``max_cameras`` cameras, the latest ones.

    Where space runs out, the frame goes whose neighbours are closest in time: what stays is spread evenly.
    """

    def __init__(self, max_bytes: int, max_cameras: int) -> None:
        self._max_bytes, self._max_cameras = max_bytes, max_cameras
        self._frames: OrderedDict[str, list[StreamFrame]] = OrderedDict()
        self._bytes: dict[str, int] = {}

    def add(self, frame: StreamFrame) -> None:
        """Keep a frame; a second one of the same stamp is ignored."""
        camera = frame.keyframe_id.frame_id
        frames = self._frames.setdefault(camera, [])
        self._frames.move_to_end(camera)
        if len(self._frames) > self._max_cameras:
            gone, _ = self._frames.popitem(last=False)
            self._bytes.pop(gone, None)
        stamp = frame.keyframe_id.stamp_ns
        index = bisect.bisect_left(frames, stamp, key=_stamp)
        if index < len(frames) and _stamp(frames[index]) == stamp:
            return
        frames.insert(index, frame)
        self._bytes[camera] = self._bytes.get(camera, 0) + len(frame.data)
        while frames and self._bytes[camera] > self._max_bytes:
            self._bytes[camera] -= len(frames.pop(_least_missed(frames)).data)

    def between(self, frame_id: str, first_ns: int, last_ns: int) -> list[StreamFrame]:
        """Frames of one camera with stamps strictly between two stamps, oldest first."""
        frames = self._frames.get(frame_id, [])
        first = bisect.bisect_right(frames, first_ns, key=_stamp)
        return frames[first : bisect.bisect_left(frames, last_ns, key=_stamp)]

    def forget_before(self, frame_id: str, stamp_ns: int) -> None:
        """Drop the frames of one camera that are older than a stamp."""
        frames = self._frames.get(frame_id, [])
        count = bisect.bisect_left(frames, stamp_ns, key=_stamp)
        if count:
            self._bytes[frame_id] -= sum(len(frame.data) for frame in frames[:count])
            del frames[:count]

    def clear(self) -> None:
        """Drop every frame."""
        self._frames.clear()
        self._bytes.clear()


def _stamp(frame: StreamFrame) -> int:
    return frame.keyframe_id.stamp_ns


def _least_missed(frames: list[StreamFrame]) -> int:
    """Index of the frame whose absence leaves the smallest gap; both ends stay while there is anything between."""
    if len(frames) <= 2:
        return 0
    return min(range(1, len(frames) - 1), key=lambda i: _stamp(frames[i + 1]) - _stamp(frames[i - 1]))
