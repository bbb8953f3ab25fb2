"""What happens between an image's arrival and the answers about it. Lives from activation to deactivation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.answer import PairAnswer
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.interpolation.recorded import RecordedInterpolator
from interpose_ros.msg import RelativePose
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.bounded_worker import BoundedWorker
from interpose_ros.ros.conversions import (
    camera_from_message,
    image_from_message,
    keyframe_id_from_header,
    nanoseconds_from_stamp,
    rgb_from_file_bytes,
)
from interpose_ros.ros.frame_ring import FrameRing, StreamFrame
from interpose_ros.ros.keyframes import CameraInfoCache, KeyframeStore, ordered_pair, tf_frame_name
from interpose_ros.ros.parameters import NodeConfig
from interpose_ros.ros.publication import edge_of_answer
from interpose_ros.ros.relative_pose import message_from_answer, refusal_message
from interpose_ros.ros.tf_tree import TfEdge, TfTree
from interpose_ros.views import KeyframeId, View

INCOMING_CAPACITY = 100
MAX_WAITING_IMAGES = 32
NO_KEYFRAME = KeyframeId("", 0)

Pair = tuple[KeyframeId, KeyframeId]


class SessionOutput(Protocol):
    """Where results go. Called from the session's threads."""

    def relative_pose(self, message: RelativePose) -> None:
        """Every answer, refused or not."""

    def edges_changed(self) -> None:
        """There is a new edge to send."""

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


@dataclass(frozen=True)
class _PairJob:
    pair: Pair
    generation: int


class Session:
    """Keyframes, pairs and answers. Its methods that ROS callbacks call only store and return."""

    def __init__(self, config: NodeConfig, pipeline: InterposePipeline, output: SessionOutput) -> None:
        self._config = config
        self._pipeline = pipeline
        self._output = output
        self._lock = threading.RLock()
        self._cameras = CameraInfoCache()
        self._store = KeyframeStore(config.max_keyframes)
        self._ring = FrameRing(int(config.stream_megabytes * 1e6))
        self._tree = TfTree()
        self._answers: dict[Pair, PairAnswer | Refusal] = {}
        self._pending: set[Pair] = set()
        self._waiting: list[_WaitingImage] = []
        self._last_chosen: dict[str, int] = {}
        self._generation = 0
        self._counts: Counter[str] = Counter()
        self._last_seconds = float("nan")
        self._incoming: BoundedWorker[_IncomingImage | _LookAgain] = BoundedWorker(
            "interpose_incoming", INCOMING_CAPACITY, self._take_in, self._incoming_dropped, self._incoming_failed
        )
        self._pairs: BoundedWorker[_PairJob] = BoundedWorker(
            "interpose_pairs", config.max_pending_pairs, self._estimate, self._pair_dropped, self._pair_failed
        )

    # --- what callbacks call

    def add_keyframe_image(self, message: Image | CompressedImage) -> None:
        """An image on the keyframe topic."""
        self._incoming.put(_IncomingImage(message, is_keyframe=True, is_stream=False))

    def add_stream_image(self, message: Image | CompressedImage) -> None:
        """An image of the camera stream."""
        self._incoming.put(_IncomingImage(message, is_keyframe=self._is_due(message), is_stream=True))

    def add_camera_info(self, message: CameraInfo) -> None:
        """A camera info, of keyframes or of the stream."""
        frame_id = message.header.frame_id
        try:
            camera = camera_from_message(message)
        except ValueError as error:
            with self._lock:
                self._cameras.add_problem(frame_id, str(error))
            self._output.warn(f"camera info of frame '{frame_id}' refused: {error}")
            return
        with self._lock:
            self._cameras.add(frame_id, camera)
        self.look_again()

    def look_again(self) -> None:
        """Let images go on that waited for a camera info, and refuse those that waited too long."""
        if self._waiting:  # a stream of camera infos must not crowd images out of the queue
            self._incoming.put(_LookAgain())

    def reset(self, reason: str) -> None:
        """Forget keyframes, answers, edges and what is under way. Camera infos stay."""
        self._incoming.clear()
        self._pairs.clear()
        with self._lock:
            self._generation += 1
            given_up = list(self._pending)
            self._pending.clear()
            self._store = KeyframeStore(self._config.max_keyframes)
            self._ring.clear()
            self._tree.clear()
            self._answers.clear()
            self._waiting = []
            self._last_chosen.clear()
        for pair in given_up:
            self._publish_refusal(pair, Refusal(RefusalReason.CANCELLED, f"given up: {reason}"))

    def stop(self, timeout: float) -> bool:
        """End the threads, giving up the pair in hand. True when they have ended within ``timeout`` seconds."""
        with self._lock:
            self._generation += 1
        ended = self._incoming.stop(timeout)
        return self._pairs.stop(timeout) and ended

    # --- what is known

    @property
    def edges(self) -> list[TfEdge]:
        """The live edges of /tf."""
        with self._lock:
            return self._tree.edges

    @property
    def pending_pairs(self) -> int:
        """Pairs that wait or are being worked on."""
        with self._lock:
            return len(self._pending)

    @property
    def counts(self) -> dict[str, int]:
        """How often each status was answered, by name."""
        with self._lock:
            return dict(self._counts)

    @property
    def last_seconds(self) -> float:
        """Wall-clock time of the latest estimate; NaN before the first."""
        return self._last_seconds

    def keyframes(self) -> list[tuple[KeyframeId, bool]]:
        """Names of the keyframes held, oldest first, and whether each has a live edge."""
        with self._lock:
            return [(name, self._tree.is_connected(name)) for name in self._store.names]

    def is_held(self, name: KeyframeId) -> bool:
        """Whether a keyframe is held."""
        with self._lock:
            return self._store.get(name) is not None

    def was_evicted(self, name: KeyframeId) -> bool:
        """Whether a keyframe was held and has been dropped."""
        with self._lock:
            return self._store.was_evicted(name)

    def is_pending(self, pair: Pair) -> bool:
        """Whether a pair waits or is being worked on, in this order."""
        with self._lock:
            return pair in self._pending

    def answer(self, pair: Pair) -> PairAnswer | Refusal | None:
        """The latest answer for a pair in this order."""
        with self._lock:
            return self._answers.get(pair)

    def frame_name(self, name: KeyframeId) -> str:
        """The keyframe's frame on /tf."""
        return tf_frame_name(self._config.tf_frame, name)

    def is_edge(self, pair: Pair) -> bool:
        """Whether A is B's parent on /tf."""
        with self._lock:
            return any((edge.parent, edge.child) == pair for edge in self._tree.edges)

    def message(self, answer: PairAnswer) -> RelativePose:
        """The message of an answer."""
        pair = (answer.keyframe_a, answer.keyframe_b)
        return message_from_answer(answer, self.frame_name(pair[0]), self.frame_name(pair[1]), self.is_edge(pair))

    # --- the thread that takes images in

    def _is_due(self, message: Image | CompressedImage) -> bool:
        if self._config.keyframe_source != "stream":
            return False
        frame_id, stamp = message.header.frame_id, nanoseconds_from_stamp(message.header.stamp)
        with self._lock:
            last = self._last_chosen.get(frame_id)
            if last is not None and stamp - last < self._config.keyframe_period * 1e9:
                return False
            self._last_chosen[frame_id] = stamp
            return True

    def _take_in(self, item: _IncomingImage | _LookAgain) -> None:
        if isinstance(item, _LookAgain):
            self._look_at_waiting()
            return
        try:
            name = keyframe_id_from_header(item.message.header)
        except ValueError as error:
            self._refuse_image(NO_KEYFRAME, RefusalReason.BAD_INPUT, str(error))
            return
        try:
            image = image_from_message(item.message)
        except ValueError as error:
            if item.is_keyframe:
                self._refuse_image(name, RefusalReason.BAD_INPUT, str(error))
            else:
                self._output.warn(f"stream image {name} left out: {error}")
            return
        height, width = image.shape[:2]
        if item.is_stream:
            data = _file_bytes(item.message, image)
            with self._lock:
                self._ring.add(StreamFrame(name, data, width, height))
        if item.is_keyframe:
            self._waiting.append(_WaitingImage(name, image, time.monotonic() + self._config.camera_info_timeout))
            if len(self._waiting) > MAX_WAITING_IMAGES:
                first = self._waiting.pop(0)
                self._refuse_for_camera_info(first, "too many images wait")
            self._look_at_waiting()

    def _look_at_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            height, width = item.image.shape[:2]
            with self._lock:
                camera = self._cameras.get(item.name.frame_id, width, height)
            if camera is not None:
                try:
                    self._add_keyframe(View(item.image, camera, item.name))
                except ValueError as error:
                    self._refuse_image(item.name, RefusalReason.BAD_INPUT, str(error))
            elif time.monotonic() >= item.deadline:
                self._refuse_for_camera_info(item, f"waited {self._config.camera_info_timeout:g} s")
            else:
                self._waiting.append(item)

    def _add_keyframe(self, view: View) -> None:
        name = view.keyframe_id
        with self._lock:
            is_new = self._store.get(name) is None
            for gone in self._store.add(view):
                self._forget(gone)
            if not is_new:
                return
            if self._config.pair_choice == "previous":
                previous = self._store.previous(name)
                partners = [] if previous is None else [previous]
            else:
                partners = self._store.last_before(name, self._config.pair_window)
            pairs = [ordered_pair(name, partner) for partner in partners]
            self._pending.update(pairs)
            generation = self._generation
        for pair in pairs:
            self._pairs.put(_PairJob(pair, generation))

    def _forget(self, name: KeyframeId) -> None:
        self._tree.remove(name)
        self._answers = {pair: answer for pair, answer in self._answers.items() if name not in pair}
        stamps = [other.stamp_ns for other in self._store.names if other.frame_id == name.frame_id]
        self._ring.forget_before(name.frame_id, min(stamps, default=name.stamp_ns))

    def _refuse_for_camera_info(self, item: _WaitingImage, what: str) -> None:
        height, width = item.image.shape[:2]
        with self._lock:
            why = self._cameras.why_missing(item.name.frame_id, width, height)
        self._refuse_image(item.name, RefusalReason.CAMERA_INFO, f"{what}: {why}")

    def _refuse_image(self, name: KeyframeId, reason: RefusalReason, text: str) -> None:
        with self._lock:
            previous = self._store.previous(name)
        self._output.warn(f"keyframe image {name} refused: {text}")
        self._publish_refusal((previous or NO_KEYFRAME, name), Refusal(reason, text))

    def _incoming_dropped(self, item: _IncomingImage | _LookAgain) -> None:
        if isinstance(item, _IncomingImage) and item.is_keyframe:
            header = item.message.header
            name = KeyframeId(header.frame_id, nanoseconds_from_stamp(header.stamp))
            self._refuse_image(
                name, RefusalReason.CANCELLED, f"more than {INCOMING_CAPACITY} images wait to be decoded"
            )

    def _incoming_failed(self, item: _IncomingImage | _LookAgain, error: Exception) -> None:
        self._refuse_image(NO_KEYFRAME, RefusalReason.INTERNAL, f"{type(error).__name__}: {error}")

    # --- the thread that estimates

    def _estimate(self, job: _PairJob) -> None:
        with self._lock:
            if job.generation != self._generation:
                return
            view_a, view_b = (self._store.get(name) for name in job.pair)
        if view_a is None or view_b is None:
            self._finish_with_refusal(job, Refusal(RefusalReason.CANCELLED, "a keyframe was dropped before its turn"))
            return
        start = time.monotonic()
        answer = self._pipeline.estimate(
            view_a,
            view_b,
            interpolators=(RecordedInterpolator(self._frames_between),),
            cancelled=lambda: job.generation != self._generation,
        )
        with self._lock:
            if job.generation != self._generation:
                return  # reset has already published the refusal
            self._last_seconds = time.monotonic() - start
            self._pending.discard(job.pair)
            if all(self._store.get(name) is not None for name in job.pair):
                self._answers[job.pair] = answer
                edge = edge_of_answer(answer, self._config)
                is_new_edge = edge is not None and self._tree.offer(edge)
            else:
                is_new_edge = False
        self._publish(self.message(answer))
        if is_new_edge:
            self._output.edges_changed()

    def _frames_between(self, frame_id: str, first_ns: int, last_ns: int) -> list[LazyView]:
        """Stream frames and other keyframes of one camera between two stamps, oldest first."""
        with self._lock:
            found = {view.keyframe_id: _loaded(view) for view in self._store.between(frame_id, first_ns, last_ns)}
            for frame in self._ring.between(frame_id, first_ns, last_ns):
                camera = self._cameras.get(frame_id, frame.width, frame.height)
                if camera is not None and frame.keyframe_id not in found:
                    found[frame.keyframe_id] = LazyView(frame.keyframe_id, _decoder(frame, camera))
        return [found[name] for name in sorted(found)]

    def _pair_dropped(self, job: _PairJob) -> None:
        text = f"more than {self._config.max_pending_pairs} pairs wait: raise max_pending_pairs or send fewer keyframes"
        self._output.warn(f"pair {job.pair[0]} {job.pair[1]} refused: {text}")
        self._finish_with_refusal(job, Refusal(RefusalReason.CANCELLED, text))

    def _pair_failed(self, job: _PairJob, error: Exception) -> None:
        self._output.warn(f"pair {job.pair[0]} {job.pair[1]} failed: {type(error).__name__}: {error}")
        self._finish_with_refusal(job, Refusal(RefusalReason.INTERNAL, f"{type(error).__name__}: {error}"))

    def _finish_with_refusal(self, job: _PairJob, refusal: Refusal) -> None:
        with self._lock:
            if job.generation != self._generation:
                return
            self._pending.discard(job.pair)
            self._answers[job.pair] = refusal
        self._publish_refusal(job.pair, refusal)

    def _publish_refusal(self, pair: Pair, refusal: Refusal) -> None:
        self._publish(refusal_message(*pair, refusal, self.frame_name(pair[0]), self.frame_name(pair[1])))

    def _publish(self, message: RelativePose) -> None:
        with self._lock:
            self._counts[_status_name(message.status)] += 1
        self._output.relative_pose(message)


_STATUS_NAMES = {
    getattr(RelativePose, name): name.removeprefix("STATUS_").lower()
    for name in ("STATUS_OK", *(f"STATUS_REFUSED_{reason.name}" for reason in RefusalReason))
}


def _status_name(status: int) -> str:
    return _STATUS_NAMES[status]


def _file_bytes(message: Image | CompressedImage, image: np.ndarray) -> bytes:
    """The frame as a file: as it came, or as JPEG."""
    if isinstance(message, CompressedImage):
        return bytes(message.data)
    encoded, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    if not encoded:
        raise ValueError(f"stream image of {image.shape[1]}x{image.shape[0]} cannot be stored as JPEG")
    return data.tobytes()


def _loaded(view: View) -> LazyView:
    return LazyView(view.keyframe_id, lambda: view)


def _decoder(frame: StreamFrame, camera) -> Callable[[], View]:
    return lambda: View(rgb_from_file_bytes(frame.data), camera, frame.keyframe_id)
