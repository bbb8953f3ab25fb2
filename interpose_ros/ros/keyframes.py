"""What the node remembers: cameras by frame and image size, keyframes, and which pairs of them to estimate."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from interpose_ros.geometry.camera import Camera
from interpose_ros.ros.conversions import NANOSECONDS
from interpose_ros.views import KeyframeId, View

MAX_EVICTED_NAMES = 10000
MAX_CAMERAS = 64


class CameraInfoCache:
    """The latest camera of each frame and image size, and what was wrong with the latest unusable one."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[tuple[str, int, int], Camera] = OrderedDict()
        self._problems: OrderedDict[str, str] = OrderedDict()

    def add(self, frame_id: str, camera: Camera) -> None:
        """Keep a camera."""
        self._problems.pop(frame_id, None)
        key = (frame_id, camera.width, camera.height)
        self._cameras[key] = camera
        self._cameras.move_to_end(key)
        if len(self._cameras) > MAX_CAMERAS:
            self._cameras.popitem(last=False)

    def add_problem(self, frame_id: str, problem: str) -> bool:
        """Remember why a camera info cannot be used. It says nothing about the ones before, but they may be outdated.

        Returns:
            Whether this problem is a new one.
        """
        is_new = self._problems.get(frame_id) != problem
        for key in [key for key in self._cameras if key[0] == frame_id]:
            del self._cameras[key]
        self._problems[frame_id] = problem
        if len(self._problems) > MAX_CAMERAS:
            self._problems.popitem(last=False)
        return is_new

    def get(self, frame_id: str, width: int, height: int) -> Camera | None:
        """Camera of an image; None where no usable camera info of this frame and size has come."""
        return self._cameras.get((frame_id, width, height))

    def why_missing(self, frame_id: str, width: int, height: int) -> str:
        """A sentence on why ``get`` has nothing."""
        if frame_id in self._problems:
            return f"the camera info of frame '{frame_id}' is unusable: {self._problems[frame_id]}"
        sizes = [f"{w}x{h}" for f, w, h in self._cameras if f == frame_id]
        if sizes:
            return f"the image is {width}x{height} and the camera info of frame '{frame_id}' is for {', '.join(sizes)}"
        others = sorted({f for f, _, _ in self._cameras})
        came = f"it came for {', '.join(others)} only" if others else "none came at all"
        return f"no camera info of frame '{frame_id}': {came}"

    def clear(self) -> None:
        """Forget everything."""
        self._cameras.clear()
        self._problems.clear()


class KeyframeStore:
    """Keyframes by name, oldest arrival first.

    Args:
        capacity: most keyframes.
        max_bytes: most bytes of their images. Two keyframes are held in any case, or there would be no pair.
    """

    def __init__(self, capacity: int, max_bytes: float) -> None:
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._views: OrderedDict[KeyframeId, View] = OrderedDict()
        self._evicted: set[KeyframeId] = set()
        self._evicted_order: deque[KeyframeId] = deque()

    def __len__(self) -> int:
        return len(self._views)

    @property
    def nbytes(self) -> int:
        """Bytes of the images held."""
        return self._bytes

    @property
    def names(self) -> list[KeyframeId]:
        """Names of the keyframes held, oldest arrival first."""
        return list(self._views)

    def get(self, name: KeyframeId) -> View | None:
        """The keyframe of this name, if it is held."""
        return self._views.get(name)

    def was_evicted(self, name: KeyframeId) -> bool:
        """Whether a keyframe of this name was held and has been dropped."""
        return name in self._evicted

    def add(self, view: View) -> list[KeyframeId]:
        """Hold a keyframe; returns the names of those that had to go for it.

        Raises:
            ValueError: another image of this name is held.
        """
        name = view.keyframe_id
        present = self._views.get(name)
        if present is not None:
            if present.content_id != view.content_id:
                raise ValueError(f"keyframe {name} came twice with different content: stamps must be unique per camera")
            return []
        self._views[name] = view
        self._bytes += view.image.nbytes
        gone = []
        while len(self._views) > self._capacity or (self._bytes > self._max_bytes and len(self._views) > 2):
            oldest, dropped = self._views.popitem(last=False)
            self._bytes -= dropped.image.nbytes
            gone.append(oldest)
        self._note_evicted(gone)
        return gone

    def forget_all(self) -> None:
        """Drop every keyframe; their names are remembered as evicted."""
        names = self.names
        self._views.clear()
        self._bytes = 0
        self._note_evicted(names)

    def between(self, frame_id: str, first_ns: int, last_ns: int) -> list[View]:
        """Keyframes of one camera with stamps strictly between two stamps, unordered."""
        return [
            view
            for name, view in self._views.items()
            if name.frame_id == frame_id and first_ns < name.stamp_ns < last_ns
        ]

    def previous(self, name: KeyframeId) -> KeyframeId | None:
        """The latest keyframe of the same camera that is older than ``name``."""
        older = [other for other in self._views if other.frame_id == name.frame_id and other.stamp_ns < name.stamp_ns]
        return max(older, default=None)

    def _note_evicted(self, names: Sequence[KeyframeId]) -> None:
        for name in names:
            if name not in self._evicted:
                self._evicted.add(name)
                self._evicted_order.append(name)
        while len(self._evicted_order) > MAX_EVICTED_NAMES:
            self._evicted.discard(self._evicted_order.popleft())

    def last_before(self, name: KeyframeId, count: int) -> list[KeyframeId]:
        """The last ``count`` keyframes of any camera that arrived before ``name``, the newest first."""
        others = [other for other in self._views if other != name]
        return others[::-1][:count]


def ordered_pair(one: KeyframeId, other: KeyframeId) -> tuple[KeyframeId, KeyframeId]:
    """Both names, the older keyframe first: it is A of the pair."""
    first, second = sorted((one, other), key=lambda name: (name.stamp_ns, name.frame_id))
    return first, second


def tf_frame_name(pattern: str, name: KeyframeId) -> str:
    """The keyframe's frame on /tf. tf2 does not allow a leading slash."""
    sec, nanosec = divmod(name.stamp_ns, NANOSECONDS)
    return pattern.format(frame_id=name.frame_id, sec=sec, nanosec=nanosec).lstrip("/")
