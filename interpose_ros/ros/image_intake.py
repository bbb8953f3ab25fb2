"""From image and camera info messages to views: decoding, waiting for camera infos, the ring of stream frames."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.bounded_worker import BoundedWorker
from interpose_ros.ros.conversions import (
    camera_from_message,
    image_from_message,
    keyframe_id_from_header,
    nanoseconds_from_stamp,
    rectified_camera_from_message,
)
from interpose_ros.ros.frame_ring import FrameRing, FreshFrame, StreamFrame
from interpose_ros.ros.image_pixels import rgb_from_file, size_of_file
from interpose_ros.ros.keyframe_choice import KeyframeChoice
from interpose_ros.ros.keyframes import MAX_CAMERAS, CameraInfoCache
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.views import KeyframeId, View

INCOMING_CAPACITY = 100
MAX_WAITING_IMAGES = 32
MAX_JPEG_SIDE = 65500
NO_KEYFRAME = KeyframeId("", 0)


@runtime_checkable
class KeyframeReceiver(Protocol):
    """Where keyframes go, and images that are none. Called on the intake's thread."""

    def add_keyframe(self, view: View) -> None:
        """A keyframe with its camera. May raise ``ValueError``: it is refused for that reason."""

    def refuse_image(self, name: KeyframeId, refusal: Refusal) -> None:
        """A keyframe image that cannot be used."""

    def warn(self, text: str) -> None:
        """A sentence for the log."""


@dataclass(frozen=True)
class _IncomingImage:
    message: Image | CompressedImage
    is_keyframe: bool
    is_stream: bool


@dataclass(frozen=True)
class _LookAgain:
    """Camera info came, or time passed: see which waiting images can go on."""


@dataclass(frozen=True)
class _WaitingImage:
    name: KeyframeId
    image: np.ndarray
    deadline: float
    is_stream: bool


class ImageIntake:
    """Takes messages in on a thread of its own. What ROS callbacks call only stores and returns."""

    def __init__(self, config: NodeConfig, receiver: KeyframeReceiver, choice: KeyframeChoice) -> None:
        self._config = config
        self._receiver = receiver
        self._choice = choice
        self._lock = threading.Lock()
        self._cameras = CameraInfoCache()
        self._ring = FrameRing(int(config.stream_megabytes * 1e6), MAX_CAMERAS)
        self._waiting: list[_WaitingImage] = []
        self._last_look: OrderedDict[str, int] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._max_bytes = config.keyframe_megabytes * 1e6 / 2  # encoded images, and as much of decoded ones
        self._worker: BoundedWorker[_IncomingImage | _LookAgain] = BoundedWorker(
            "interpose_incoming",
            INCOMING_CAPACITY,
            self._take_in,
            self._dropped,
            self._failed,
            _bytes_of,
            self._max_bytes,
        )

    # --- what callbacks call

    def add_keyframe_image(self, message: Image | CompressedImage) -> None:
        """An image on the keyframe topic."""
        self._counts["keyframe_images_received"] += 1
        self._worker.put(_IncomingImage(message, is_keyframe=True, is_stream=False))

    def add_stream_image(self, message: Image | CompressedImage) -> None:
        """An image of the camera stream."""
        self._counts["stream_images_received"] += 1
        self._worker.put(_IncomingImage(message, is_keyframe=self._is_due(message), is_stream=True))

    def add_camera_info(self, message: CameraInfo) -> None:
        """A camera info, of keyframes or of the stream."""
        frame_id = message.header.frame_id
        try:
            is_rectified = self._config.is_rectified(frame_id)
            camera = rectified_camera_from_message(message) if is_rectified else camera_from_message(message)
        except ValueError as error:
            with self._lock:
                is_new = self._cameras.add_problem(frame_id, str(error))
            if is_new:  # cameras repeat it with every image
                self._receiver.warn(f"camera info of frame '{frame_id}' refused: {error}")
            return
        with self._lock:
            self._cameras.add(frame_id, camera)
        self.look_again()

    def look_again(self) -> None:
        """Let images go on that waited for a camera info, and refuse those that waited too long."""
        if self._waiting:  # a stream of camera infos must not crowd images out of the queue
            self._worker.put(_LookAgain())

    # --- what the owner calls

    @property
    def load(self) -> int:
        """Images that wait to be decoded, or for their camera info."""
        return self._worker.load + len(self._waiting)

    def reconfigure(self, config: NodeConfig) -> None:
        """Go on with other settings."""
        self._config = config

    @property
    def counts(self) -> dict[str, int]:
        """Images received, left out and dropped since the activation."""
        return dict(self._counts)

    def clear(self) -> None:
        """Forget images, waiting or not. Camera infos stay."""
        self._worker.clear()
        with self._lock:
            self._ring.clear()
            self._waiting = []
            self._last_look.clear()
            self._choice.clear()

    def stop(self, timeout: float) -> bool:
        """End the thread. True when it has ended within ``timeout`` seconds."""
        return self._worker.stop(timeout)

    def forget_stream_before(self, frame_id: str, stamp_ns: int) -> None:
        """Drop the stream frames of one camera that are older than a stamp."""
        with self._lock:
            self._ring.forget_before(frame_id, stamp_ns)

    def stream_between(self, frame_id: str, first_ns: int, last_ns: int) -> list[LazyView]:
        """Stream frames of one camera with stamps strictly between two stamps, oldest first."""
        found = []
        with self._lock:
            for frame in self._ring.between(frame_id, first_ns, last_ns):
                camera = self._cameras.get(frame_id, *frame.size)
                if camera is not None:
                    found.append(LazyView(frame.keyframe_id, _loader(frame, camera)))
        return found

    # --- the thread that takes images in

    def _is_due(self, message: Image | CompressedImage) -> bool:
        if self._config.keyframe_source != "stream":
            return False
        frame_id, stamp = message.header.frame_id, nanoseconds_from_stamp(message.header.stamp)
        with self._lock:
            last = self._last_look.get(frame_id)
            # A camera that starts again with older stamps goes on, too.
            if last is not None and abs(stamp - last) < self._config.keyframe_period * 1e9:
                return False
            self._last_look[frame_id] = stamp
            if len(self._last_look) > MAX_CAMERAS:
                self._last_look.popitem(last=False)
            return True

    def _take_in(self, item: _IncomingImage | _LookAgain) -> None:
        if isinstance(item, _LookAgain):
            self._look_at_waiting()
            return
        try:
            name = keyframe_id_from_header(item.message.header)
        except ValueError as error:
            text = f"image of frame '{item.message.header.frame_id}': {error}"
            self._receiver.refuse_image(NO_KEYFRAME, Refusal(RefusalReason.BAD_INPUT, text))
            return
        try:
            if isinstance(item.message, CompressedImage) and not item.is_keyframe:
                # Most frames of a stream are never looked at: they are decoded when they are.
                file = _stored_file(name, item.message)
                if self._config.use_frames:
                    self._keep_frame(file)
                return
            image = image_from_message(item.message)
            if item.is_stream and self._config.use_frames:
                is_file = isinstance(item.message, CompressedImage)
                self._keep_frame(_stored_file(name, item.message) if is_file else _fresh_frame(name, image))
        except ValueError as error:
            if item.is_keyframe:
                self._receiver.refuse_image(name, Refusal(RefusalReason.BAD_INPUT, str(error)))
            else:
                self._counts["stream_images_left_out"] += 1
                self._receiver.warn(f"stream image {name} left out: {error}")
            return
        if item.is_keyframe:
            deadline = time.monotonic() + self._config.camera_info_timeout
            self._waiting.append(_WaitingImage(name, image, deadline, item.is_stream))
            while len(self._waiting) > 1 and (
                len(self._waiting) > MAX_WAITING_IMAGES
                or sum(waiting.image.nbytes for waiting in self._waiting) > self._max_bytes
            ):
                self._refuse_for_camera_info(self._waiting.pop(0), "too many images wait")
            self._look_at_waiting()

    def _keep_frame(self, frame: StreamFrame | FreshFrame) -> None:
        with self._lock:
            to_encode = self._ring.add(frame)
        if to_encode is not None:
            stored = _encoded(to_encode)  # takes long; callbacks must not wait for the lock
            with self._lock:
                self._ring.replace(to_encode, stored)

    def _look_at_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            height, width = item.image.shape[:2]
            with self._lock:
                camera = self._cameras.get(item.name.frame_id, width, height)
            if camera is not None:
                try:
                    view = View(item.image, camera, item.name)
                    if not item.is_stream or self._choice.wants(view):
                        self._receiver.add_keyframe(view)
                except ValueError as error:
                    self._receiver.refuse_image(item.name, Refusal(RefusalReason.BAD_INPUT, str(error)))
            elif time.monotonic() >= item.deadline:
                self._refuse_for_camera_info(item, f"waited {self._config.camera_info_timeout:g} s")
            else:
                self._waiting.append(item)

    def _refuse_for_camera_info(self, item: _WaitingImage, what: str) -> None:
        height, width = item.image.shape[:2]
        with self._lock:
            why = self._cameras.why_missing(item.name.frame_id, width, height)
        self._receiver.refuse_image(item.name, Refusal(RefusalReason.CAMERA_INFO, f"{what}: {why}"))

    def _dropped(self, item: _IncomingImage | _LookAgain) -> None:
        if not isinstance(item, _IncomingImage):
            return
        self._counts["keyframe_images_dropped" if item.is_keyframe else "stream_images_dropped"] += 1
        if item.is_keyframe:
            header = item.message.header
            name = KeyframeId(header.frame_id, nanoseconds_from_stamp(header.stamp))
            text = f"more than {INCOMING_CAPACITY} images, or {self._max_bytes / 1e6:g} MB, wait to be decoded"
            self._receiver.refuse_image(name, Refusal(RefusalReason.CANCELLED, text))

    def _failed(self, item: _IncomingImage | _LookAgain, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        self._receiver.refuse_image(NO_KEYFRAME, Refusal(RefusalReason.INTERNAL, text))


def _bytes_of(item: _IncomingImage | _LookAgain) -> int:
    return len(item.message.data) if isinstance(item, _IncomingImage) else 0


def _stored_file(name: KeyframeId, message: CompressedImage) -> StreamFrame:
    data = bytes(message.data)
    return StreamFrame(name, data, message.format, *size_of_file(data))


def _fresh_frame(name: KeyframeId, image: np.ndarray) -> FreshFrame:
    height, width = image.shape[:2]
    if max(height, width) > MAX_JPEG_SIDE:
        raise ValueError(
            f"stream image of {width}x{height} cannot be stored as JPEG: at most {MAX_JPEG_SIDE} pixels a side"
        )
    return FreshFrame(name, image)


def _encoded(frame: FreshFrame) -> StreamFrame:
    height, width = frame.image.shape[:2]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return StreamFrame(frame.keyframe_id, data.tobytes(), "jpeg", width, height)


def _loader(frame: StreamFrame | FreshFrame, camera: Camera) -> Callable[[], View]:
    def load() -> View:
        if isinstance(frame, FreshFrame):
            return View(frame.image, camera, frame.keyframe_id)
        return View(rgb_from_file(CompressedImage(format=frame.format, data=frame.data)), camera, frame.keyframe_id)

    return load
