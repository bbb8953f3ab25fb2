"""From keyframes to answers about pairs of them and edges on /tf. Lives from activation to deactivation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from interpose_ros.answer import PairAnswer
from interpose_ros.engine.messages import FailureKind
from interpose_ros.engine.pair_worker import PairWorker
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.msg import RelativePose
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.bounded_worker import BoundedWorker
from interpose_ros.ros.image_intake import NO_KEYFRAME, ImageIntake
from interpose_ros.ros.keyframe_choice import KeyframeChoice
from interpose_ros.ros.keyframes import KeyframeStore, tf_frame_name
from interpose_ros.ros.late_policy import victim_from
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.pair_choice import Pair, pair_choice_from
from interpose_ros.ros.publication import edge_of_answer
from interpose_ros.ros.relative_pose import inverse_answer, message_from_answer, refusal_message
from interpose_ros.ros.tf_tree import Offer, TfEdge, TfTree
from interpose_ros.views import KeyframeId, View


@runtime_checkable
class SessionOutput(Protocol):
    """Where results go. Called from the session's threads."""

    def relative_pose(self, message: RelativePose) -> None:
        """Every answer, refused or not."""

    def edges_changed(self) -> None:
        """There is a new edge to send."""

    def keyframe_added(self, view: View) -> None:
        """A new keyframe is held."""

    def answered(self, answer: PairAnswer, view_a: View, view_b: View) -> None:
        """An answer of the pipeline, after its message has gone to ``relative_pose``."""

    def warn(self, text: str) -> None:
        """A sentence for the log."""

    def foreign_parent(self, frame: str) -> str | None:
        """The parent that somebody else gives a frame on /tf."""


@dataclass(frozen=True)
class _PairJob:
    pair: Pair
    generation: int


class Session:
    """Keyframes, pairs and answers. Its methods that ROS callbacks call only store and return.

    Args:
        config: settings of the node.
        worker: makes the answers.
        output: where they go.
        keyframe_choice: which images of a stream become keyframes.
        scaled: gives an answer its length, or returns it as it is. Called on the thread that estimates, and may wait.

    Attributes:
        intake: takes image and camera info messages in, and hands keyframes to this session.
    """

    def __init__(
        self,
        config: NodeConfig,
        worker: PairWorker,
        output: SessionOutput,
        keyframe_choice: KeyframeChoice,
        scaled: Callable[[PairAnswer], PairAnswer],
    ) -> None:
        self._config = config
        self._worker = worker
        self._output = output
        self._scaled = scaled
        self._lock = threading.RLock()
        self._store = KeyframeStore(config.max_keyframes, config.keyframe_megabytes * 1e6)
        self._pair_choice = pair_choice_from(config)
        self._tree = TfTree(self.frame_name, output.foreign_parent)
        self._conflicts: dict[str, None] = {}
        # As messages, both ways round: an answer of the core holds the images of the frames that it rests on.
        self._answers: dict[Pair, RelativePose] = {}
        self._pending: set[Pair] = set()
        self._generation = 0
        self._counts: Counter[str] = Counter()
        self._last_seconds = float("nan")
        self._last_stage_seconds: Mapping[str, float] = {}
        self._last_refusal = ""
        self._out_of_order = 0
        self._pairs_dropped = 0
        self._pairs: BoundedWorker[_PairJob] = BoundedWorker(
            "interpose_pairs",
            config.max_pending_pairs,
            self._estimate,
            self._pair_dropped,
            self._pair_failed,
            victim=victim_from(config),
        )
        self.intake = ImageIntake(config, self, keyframe_choice)

    # --- what the node calls

    def reset(self, reason: str) -> None:
        """Forget keyframes, answers, edges and what is under way. Camera infos stay."""
        self.intake.clear()
        self._pairs.clear()
        with self._lock:
            self._generation += 1
            given_up = list(self._pending)
            self._pending.clear()
            self._store.forget_all()
            self._tree.clear()
            self._conflicts.clear()
            self._answers.clear()
        for pair in given_up:
            self._publish_refusal(pair, Refusal(RefusalReason.CANCELLED, f"given up: {reason}"))

    def foreign_parents_heard(self, frames: Sequence[str]) -> None:
        """Somebody else gives these frames a parent on /tf: they may not be children of this node any more."""
        with self._lock:
            gone = [self.frame_name(edge.child) for edge in self._tree.remove_children(frames)]
        for frame in gone:
            self._note_conflict(frame)

    def reconfigure(self, config: NodeConfig) -> None:
        """Go on with other settings; only those that may change while the node is active differ."""
        with self._lock:
            self._config = config
            self._pair_choice = pair_choice_from(config)
        self.intake.reconfigure(config)

    def stop(self, timeout: float) -> bool:
        """End the threads, giving up the pair in hand. True when they have ended within ``timeout`` seconds."""
        with self._lock:
            self._generation += 1
        ended = self.intake.stop(timeout)
        return self._pairs.stop(timeout) and ended

    # --- what is known

    @property
    def edges(self) -> list[TfEdge]:
        """The live edges of /tf."""
        with self._lock:
            return self._tree.edges

    @property
    def conflicts(self) -> list[str]:
        """Frames of keyframes that are not sent on /tf, because somebody else gives them a parent."""
        with self._lock:
            return list(self._conflicts)

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

    @property
    def last_stage_seconds(self) -> Mapping[str, float]:
        """The same by stage; empty before the first."""
        return self._last_stage_seconds

    @property
    def last_refusal(self) -> str:
        """The latest refusal: its status, which keyframes, and why; empty before the first."""
        return self._last_refusal

    def keyframes(self) -> list[tuple[KeyframeId, bool]]:
        """Names of the keyframes held, oldest first, and whether each has a live edge."""
        with self._lock:
            return [(name, self._tree.is_connected(name)) for name in self._store.names]

    @property
    def out_of_order(self) -> int:
        """How many keyframes were older than one of their camera that came before."""
        return self._out_of_order

    @property
    def pairs_dropped(self) -> int:
        """How many pairs were refused because too many waited."""
        return self._pairs_dropped

    @property
    def keyframe_bytes(self) -> int:
        """Bytes of the images of the keyframes held."""
        with self._lock:
            return self._store.nbytes

    def is_held(self, name: KeyframeId) -> bool:
        """Whether a keyframe is held."""
        return self.view(name) is not None

    def view(self, name: KeyframeId) -> View | None:
        """A keyframe; None where it is not held."""
        with self._lock:
            return self._store.get(name)

    def was_evicted(self, name: KeyframeId) -> bool:
        """Whether a keyframe was held and has been dropped."""
        with self._lock:
            return self._store.was_evicted(name)

    def is_pending(self, pair: Pair) -> bool:
        """Whether a pair waits or is being worked on, in this order."""
        with self._lock:
            return pair in self._pending

    def answer(self, pair: Pair) -> RelativePose | None:
        """The latest answer for a pair, in whichever order it was estimated; None where there is none."""
        with self._lock:
            found = self._answers.get(pair)
            if found is None:
                return None
            message = copy(found)
            message.published_on_tf = self.is_edge(pair)
            return message

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

    # --- what the intake calls, on its thread

    def add_keyframe(self, view: View) -> None:
        """Hold a keyframe and queue its pairs.

        Raises:
            ValueError: another image of this name is held.
        """
        name = view.keyframe_id
        with self._lock:
            is_new = self._store.get(name) is None
            newest = max((other for other in self._store.names if other.frame_id == name.frame_id), default=name)
            for gone in self._store.add(view):
                self._forget(gone)
            if not is_new:
                return
            self._output.keyframe_added(view)
            pairs = self._pair_choice.pairs(name, self._store)
            self._pending.update(pairs)
            generation = self._generation
            self._out_of_order += name < newest
        if name < newest:
            self.warn(f"keyframe {name} is older than {newest}, which came before: did stamps jump back?")
        for pair in pairs:
            self._pairs.put(_PairJob(pair, generation))

    def refuse_image(self, name: KeyframeId, refusal: Refusal) -> None:
        """Say that a keyframe image cannot be used."""
        with self._lock:
            previous = self._store.previous(name)
        self.warn(f"keyframe image {name} refused: {refusal.text}")
        self._publish_refusal((previous or NO_KEYFRAME, name), refusal)

    def warn(self, text: str) -> None:
        """A sentence for the log."""
        self._output.warn(text)

    def _forget(self, name: KeyframeId) -> None:
        self._tree.remove(name)
        self._conflicts.pop(self.frame_name(name), None)
        self._answers = {pair: answer for pair, answer in self._answers.items() if name not in pair}
        stamps = [other.stamp_ns for other in self._store.names if other.frame_id == name.frame_id]
        self.intake.forget_stream_before(name.frame_id, min(stamps, default=name.stamp_ns))

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
        try:
            answer = self._worker.estimate(
                view_a,
                view_b,
                self.frames_between(view_a, view_b),
                budget=self._config.budget.as_budget(),
                cancelled=lambda: job.generation != self._generation,
            )
        except CancelledJob:
            return  # reset has already published the refusal
        except WorkerFailure as failure:
            self._output.warn(f"pair {job.pair[0]} {job.pair[1]} failed: {failure}")
            self._finish_with_refusal(job, refusal_of_failure(failure))
            return
        answer = self.scaled(answer, view_a, view_b)
        with self._lock:
            if job.generation != self._generation:
                return
            self._last_seconds = time.monotonic() - start
            self._pending.discard(job.pair)
        self.accept(answer, view_a, view_b)

    def frames_between(self, view_a: View, view_b: View) -> list[LazyView]:
        """What the camera of two keyframes saw between them, oldest first; nothing where ``use_frames`` is false."""
        a, b = view_a.keyframe_id, view_b.keyframe_id
        if not self._config.use_frames or a.frame_id != b.frame_id:
            return []
        first, last = sorted((a.stamp_ns, b.stamp_ns))
        with self._lock:
            found = {view.keyframe_id: _loaded(view) for view in self._store.between(a.frame_id, first, last)}
        for frame in self.intake.stream_between(a.frame_id, first, last):
            found.setdefault(frame.keyframe_id, frame)
        return [found[name] for name in sorted(found)]

    def scaled(self, answer: PairAnswer, view_a: View, view_b: View) -> PairAnswer:
        """The answer with its length, where something tells it; may wait for odometry."""
        return self._scaled(answer)

    def accept(self, answer: PairAnswer, view_a: View, view_b: View) -> None:
        """Publish an answer, and keep it, with its edge, where both keyframes are held."""
        pair = (answer.keyframe_a, answer.keyframe_b)
        with self._lock:  # whoever hears of the answer and asks for it waits until it is kept
            self._last_stage_seconds = answer.stage_seconds
            is_held = all(self._store.get(name) is not None for name in pair)
            edge = edge_of_answer(answer, self._config) if is_held else None
            is_new_edge = edge is not None and self._offer(edge)
            message = self.message(answer)
            self._publish(message)
            if is_held:
                self._answers[pair[::-1]] = self.message(inverse_answer(answer))
                self._answers[pair] = message
        self._output.answered(answer, view_a, view_b)
        if is_new_edge:
            self._output.edges_changed()

    def _offer(self, edge: TfEdge) -> bool:
        offer = self._tree.offer(edge)
        if offer is Offer.FOREIGN_PARENT:
            self._note_conflict(self.frame_name(edge.child))
        return offer is Offer.TAKEN

    def _note_conflict(self, frame: str) -> None:
        with self._lock:
            if frame in self._conflicts:
                return
            self._conflicts[frame] = None
        parent = self._output.foreign_parent(frame)
        self.warn(f"/tf: not sending '{frame}', since somebody else gives it the parent '{parent}'; see tf_frame")

    def _pair_dropped(self, job: _PairJob) -> None:
        with self._lock:
            self._pairs_dropped += 1
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
            for pair in (job.pair[::-1], job.pair):
                self._answers[pair] = self._refusal_message(pair, refusal)
        self._publish_refusal(job.pair, refusal)

    def _publish_refusal(self, pair: Pair, refusal: Refusal) -> None:
        self._publish(self._refusal_message(pair, refusal))

    def _refusal_message(self, pair: Pair, refusal: Refusal) -> RelativePose:
        return refusal_message(*pair, refusal, self.frame_name(pair[0]), self.frame_name(pair[1]))

    def _publish(self, message: RelativePose) -> None:
        status = _STATUS_NAMES[message.status]
        with self._lock:
            self._counts[status] += 1
            if message.status != RelativePose.STATUS_OK:
                self._last_refusal = f"{status}: {message.parent_frame_id} {message.child_frame_id}: {message.reason}"
        self._output.relative_pose(message)


_STATUS_NAMES = {
    getattr(RelativePose, name): name.removeprefix("STATUS_").lower()
    for name in ("STATUS_OK", *(f"STATUS_REFUSED_{reason.name}" for reason in RefusalReason))
}


def refusal_of_failure(failure: WorkerFailure) -> Refusal:
    """What a pair is answered that the worker has no result for."""
    reason = RefusalReason.MODEL if failure.kind is FailureKind.MODEL else RefusalReason.INTERNAL
    return Refusal(reason, str(failure))


def _loaded(view: View) -> LazyView:
    return LazyView(view.keyframe_id, lambda: view)
