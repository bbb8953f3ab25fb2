"""Frames of camera streams, kept as JPEG within a bound of bytes, for use between keyframes."""

from __future__ import annotations

import bisect
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from interpose_ros.views import KeyframeId


@dataclass(frozen=True)
class StreamFrame:
    """One frame as a compressed file's content, with the format that its message named and its size in pixels."""

    keyframe_id: KeyframeId
    data: bytes
    format: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


@dataclass(frozen=True, eq=False)
class FreshFrame:
    """A frame's RGB pixels. Encoding them takes longer than all else that is done with a frame."""

    keyframe_id: KeyframeId
    image: UInt8[np.ndarray, "h w 3"]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height


@dataclass
class _Camera:
    frames: list[StreamFrame | FreshFrame] = field(default_factory=list)
    nbytes: int = 0
    """Of the encoded ones."""


class FrameRing:
    """The frames of each camera by stamp, at most ``max_bytes`` per camera and ``max_cameras`` cameras, the latest ones.

    Where space runs out, the frame goes whose neighbours are closest in time: what stays is spread evenly. So most frames
    of a stream are only kept until the next one comes. Those that come as pixels are encoded when they stay longer; until
    then the newest one of a camera is held beside the bound.
    """

    def __init__(self, max_bytes: int, max_cameras: int) -> None:
        self._max_bytes, self._max_cameras = max_bytes, max_cameras
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()

    def add(self, frame: StreamFrame | FreshFrame) -> FreshFrame | None:
        """Keep a frame; a second one of the same stamp is ignored.

        Returns:
            The fresh frame before this one, if it is to stay: its owner encodes it, and says ``replace``.
        """
        if self._max_bytes <= 0:
            return None
        camera = self._camera_of(frame.keyframe_id)
        waiting = next((held for held in camera.frames if isinstance(held, FreshFrame)), None)
        if not _insert(camera.frames, frame):
            return None
        if isinstance(frame, StreamFrame):
            camera.nbytes += len(frame.data)
        expected = _usual_bytes(camera) if waiting is not None else 0
        self._thin(camera, waiting, expected)
        return waiting if waiting is not None and _place(camera.frames, waiting) is not None else None

    def replace(self, fresh: FreshFrame, stored: StreamFrame) -> None:
        """The encoded frame instead of its pixels, unless it has gone in the meantime."""
        camera = self._cameras.get(fresh.keyframe_id.frame_id)
        place = None if camera is None else _place(camera.frames, fresh)
        if camera is None or place is None:
            return
        camera.frames[place] = stored
        camera.nbytes += len(stored.data)
        self._thin(camera, None, 0)

    def between(self, frame_id: str, first_ns: int, last_ns: int) -> list[StreamFrame | FreshFrame]:
        """Frames of one camera with stamps strictly between two stamps, oldest first."""
        frames = self._cameras[frame_id].frames if frame_id in self._cameras else []
        first = bisect.bisect_right(frames, first_ns, key=_stamp)
        return frames[first : bisect.bisect_left(frames, last_ns, key=_stamp)]

    def forget_before(self, frame_id: str, stamp_ns: int) -> None:
        """Drop the frames of one camera that are older than a stamp."""
        camera = self._cameras.get(frame_id)
        if camera is None:
            return
        count = bisect.bisect_left(camera.frames, stamp_ns, key=_stamp)
        camera.nbytes -= sum(map(_nbytes, camera.frames[:count]))
        del camera.frames[:count]

    def clear(self) -> None:
        """Drop every frame."""
        self._cameras.clear()

    def _camera_of(self, name: KeyframeId) -> _Camera:
        camera = self._cameras.setdefault(name.frame_id, _Camera())
        self._cameras.move_to_end(name.frame_id)
        if len(self._cameras) > self._max_cameras:
            self._cameras.popitem(last=False)
        return camera

    def _thin(self, camera: _Camera, waiting: FreshFrame | None, expected: int) -> None:
        """Make room, where ``waiting`` would need about ``expected`` bytes if it stayed."""
        while camera.frames and camera.nbytes + expected > self._max_bytes:
            gone = camera.frames.pop(_least_missed(camera.frames))
            camera.nbytes -= _nbytes(gone)
            if gone is waiting:
                expected = 0


def _insert(frames: list[StreamFrame | FreshFrame], frame: StreamFrame | FreshFrame) -> bool:
    index = bisect.bisect_left(frames, _stamp(frame), key=_stamp)
    if index < len(frames) and _stamp(frames[index]) == _stamp(frame):
        return False
    frames.insert(index, frame)
    return True


def _place(frames: list[StreamFrame | FreshFrame], frame: StreamFrame | FreshFrame) -> int | None:
    index = bisect.bisect_left(frames, _stamp(frame), key=_stamp)
    return index if index < len(frames) and frames[index] is frame else None


def _usual_bytes(camera: _Camera) -> int:
    """What a frame of this camera needs, going by those that are encoded; 0 while there is none."""
    count = sum(isinstance(frame, StreamFrame) for frame in camera.frames)
    return camera.nbytes // count if count else 0


def _nbytes(frame: StreamFrame | FreshFrame) -> int:
    return len(frame.data) if isinstance(frame, StreamFrame) else 0


def _stamp(frame: StreamFrame | FreshFrame) -> int:
    return frame.keyframe_id.stamp_ns


def _least_missed(frames: list[StreamFrame | FreshFrame]) -> int:
    """Index of the frame whose absence leaves the smallest gap; both ends stay while there is anything between."""
    if len(frames) <= 2:
        return 0
    return min(range(1, len(frames) - 1), key=lambda i: _stamp(frames[i + 1]) - _stamp(frames[i - 1]))
