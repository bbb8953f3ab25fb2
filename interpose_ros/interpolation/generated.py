"""Imagined frames between two keyframes, from a video diffusion model.

InterPose (Cai et al., CVPR 2025): clips are made from A to B and from B to A, since the models have a bias to pan one way
whatever the order, and with several descriptions of the scene.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from interpose_ros.interpolation.clip import Clip, ClipDirection, ClipOrigin, LazyView
from interpose_ros.interpolation.clip_cache import CachedClip, ClipCache, clip_key, default_cache_folder
from interpose_ros.interpolation.clip_checks import distinct_frames, end_findings, leads_somewhere, seam_findings
from interpose_ros.interpolation.diffusion.errors import GenerationCancelled, GenerationFailed
from interpose_ros.interpolation.diffusion.model import ClipRequest, VideoModel
from interpose_ros.interpolation.diffusion.watch import AbandonedEarly
from interpose_ros.interpolation.keyframe_crop import PreparedKeyframe, prepare_keyframes
from interpose_ros.interpolation.video_config import VideoConfig
from interpose_ros.matching.store import MatchStore
from interpose_ros.views import KeyframeId, View

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipProgress:
    """Where generation is.

    Attributes:
        clip, clips: number of the clip from 1, and how many there may be.
        step, steps: denoising steps done and in all.
        direction: of the clip.
        cached: whether it was read from disk, without a step.
    """

    clip: int
    clips: int
    step: int
    steps: int
    direction: ClipDirection
    cached: bool = False


Captions = Callable[[View, View], tuple[str, ...]]
"""Descriptions of the scene that two keyframes show; none where nobody knows."""


@dataclass(frozen=True)
class _Task:
    """One clip to make."""

    number: int
    direction: ClipDirection
    seed: int
    prompt: str


class VideoInterpolator:
    """Offers generated clips, forward and backward in turn, each made when it is asked for.

    Args:
        model: makes the clips; loaded with the first.
        store: matches frames, for the checks.
        config: number of clips, seeds, prompts, cache.
        captions: describes the scene; by default the configured prompts do.
    """

    def __init__(
        self, model: VideoModel, store: MatchStore, config: VideoConfig, captions: Captions | None = None
    ) -> None:
        self.name = model.preset.name
        self._model, self._store, self._config, self._captions = model, store, config, captions
        folder = Path(config.cache.folder).expanduser() if config.cache.folder else default_cache_folder()
        self._cache = ClipCache(folder, 1e9 * config.cache.gigabytes)
        self._progress: Callable[[ClipProgress], None] = lambda progress: None
        self._cancelled: Callable[[], bool] = lambda: False

    def load(self) -> None:
        """Bring the model into memory before the first clip asks for it.

        Raises:
            VideoCheckpointError, VideoMemoryError: it cannot be loaded.
        """
        self._model.load()

    def observed(
        self, progress: Callable[[ClipProgress], None], cancelled: Callable[[], bool] = lambda: False
    ) -> VideoInterpolator:
        """The same interpolator for one request: told where it is, and asked between denoising steps whether to stop."""
        other = copy(self)
        other._progress, other._cancelled = progress, cancelled
        return other

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """Clips from A to B, at most as many as configured; fewer where one fails or the work is cancelled.

        Raises:
            VideoCheckpointError, VideoMemoryError: the model cannot be loaded.
        """
        a, b = prepare_keyframes(view_a, view_b, *self._model.size)
        tasks = list(self._tasks(view_a, view_b))
        for task, following in zip(tasks, [*tasks[1:], None], strict=True):
            if self._cancelled():
                return
            try:
                made = self._made(task, a, b, view_a, view_b)
            except AbandonedEarly as reason:
                _log.info("clip %d of %s: %s", task.number + 1, self.name, reason)
                continue
            except GenerationCancelled:
                return
            except GenerationFailed as error:
                _log.warning("no clip %d of %s: %s", task.number + 1, self.name, error)
                continue
            clip = self._clip(task, made, a, b, view_a, view_b)
            if clip is not None:
                at_hand = following is not None and self._cache.has(self._key(following, a, b, view_a, view_b))
                yield replace(clip, next_at_hand=at_hand)

    def _tasks(self, view_a: View, view_b: View) -> Iterator[_Task]:
        prompts = (self._captions(view_a, view_b) if self._captions else ()) or self._config.prompts
        for number in range(self._config.clips):
            pair = number // 2
            direction = ClipDirection.BACKWARD if number % 2 else ClipDirection.FORWARD
            yield _Task(number, direction, self._config.seed + pair, prompts[pair % len(prompts)])

    def _key(self, task: _Task, a: PreparedKeyframe, b: PreparedKeyframe, view_a: View, view_b: View) -> str:
        """Names a task's frames in the cache."""
        start, end = _ends(task, a, b, view_a, view_b)
        return clip_key({
            **self._model.settings, "first": start.content_id, "last": end.content_id, "seed": str(task.seed),
            "prompt": task.prompt,
        })  # fmt: skip

    def _made(self, task: _Task, a: PreparedKeyframe, b: PreparedKeyframe, view_a: View, view_b: View) -> CachedClip:
        first, last = (a, b) if task.direction is ClipDirection.FORWARD else (b, a)
        start, end = _ends(task, a, b, view_a, view_b)
        key = self._key(task, a, b, view_a, view_b)
        found = self._cache.get(key)
        if found is not None:
            self._report(task, 1, 1, cached=True)
            return found

        def judge(frames: UInt8[np.ndarray, "n h w 3"]) -> bool:
            least = self._config.last_frame_inliers
            return leads_somewhere(frames, first.camera, start, end, self._store, least)

        video = self._model.generate(
            ClipRequest(first.image, last.image, task.prompt, task.seed),
            lambda step, steps: self._report(task, step, steps),
            self._cancelled,
            judge,
        )
        made = CachedClip(video.frames, video.last_index)
        self._cache.put(key, made)
        return made

    def _report(self, task: _Task, step: int, steps: int, cached: bool = False) -> None:
        self._progress(ClipProgress(task.number + 1, self._config.clips, step, steps, task.direction, cached))

    def _clip(
        self, task: _Task, made: CachedClip, a: PreparedKeyframe, b: PreparedKeyframe, view_a: View, view_b: View
    ) -> Clip | None:
        """The frames in between, from A to B, with what was found out about them."""
        forward = task.direction is ClipDirection.FORWARD
        first, last = (a, b) if forward else (b, a)
        end = len(made.frames) if made.last_index is None else made.last_index
        between = made.frames[1:end]
        kept = distinct_frames(between, made.frames[0])
        if not kept:
            _log.info("clip %d of %s stands still; it is left out", task.number + 1, self.name)
            return None
        settings = {**self._model.settings, "seed": str(task.seed), "prompt": task.prompt}
        clip_id = clip_key(
            {**settings, "direction": task.direction.value, "a": view_a.content_id, "b": view_b.content_id}
        )
        numbers = kept if forward else kept[::-1]
        frames = [
            View(
                np.ascontiguousarray(between[number]),
                first.camera,
                KeyframeId(f"{self.name}:{clip_id[:12]}", place),
                is_calibrated=False,
            )
            for place, number in enumerate(numbers, start=1)
        ]
        wanted = last.view(view_b if forward else view_a)
        shown = made.frames[-1] if made.last_index is None else made.frames[made.last_index]
        findings = {"frames": float(len(between)), "near_duplicates": float(len(between) - len(kept))}
        if made.last_index is not None:
            findings |= end_findings(shown, wanted, self._store, self._config.last_frame_inliers)
        findings |= seam_findings([a.view(view_a), *frames, b.view(view_b)], self._store)
        origin = ClipOrigin(self.name, clip_id, task.direction, generated=True, settings=tuple(settings.items()))
        return Clip([_lazy(view) for view in frames], origin, findings)


def _ends(task: _Task, a: PreparedKeyframe, b: PreparedKeyframe, view_a: View, view_b: View) -> tuple[View, View]:
    """The two keyframes as the model is given them, in the order of a task's direction."""
    ends = a.view(view_a), b.view(view_b)
    return ends if task.direction is ClipDirection.FORWARD else ends[::-1]


def _lazy(view: View) -> LazyView:
    return LazyView(view.keyframe_id, lambda: view)
