"""What the worker of the pairs does: the pipeline, in a process of its own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from interpose_ros.answer import PairAnswer
from interpose_ros.config import DecisionConfig, InterposeConfig
from interpose_ros.engine.smaller import smaller_config
from interpose_ros.engine.workload import JobContext
from interpose_ros.interpolation.clip import Interpolator, LazyView
from interpose_ros.interpolation.recorded import RecordedInterpolator
from interpose_ros.selection.budget import Budget
from interpose_ros.views import KeyframeId, View

if TYPE_CHECKING:
    from interpose_ros.pipeline import InterposePipeline


@dataclass(frozen=True, eq=False)
class PairJob:
    """One pair of keyframes.

    Attributes:
        view_a, view_b: the keyframes.
        frames: names of the frames that their camera saw in between, oldest first; asked for by index when they are needed.
        budget: what may be spent.
        decision: what an answer must show; None for the settings that the pipeline was built with.
        tells_best: whether its owner hears the best answer so far.
    """

    view_a: View
    view_b: View
    frames: tuple[KeyframeId, ...] = ()
    budget: Budget = field(default_factory=Budget)
    decision: DecisionConfig | None = None
    tells_best: bool = True


class PairWork:
    """Builds the pipeline and answers pairs. A ``Workload``.

    Attributes:
        models: names of the networks that are loaded.
    """

    def __init__(self, config: InterposeConfig) -> None:
        self._config = config
        self.models = ""
        self._pipeline: InterposePipeline | None = None
        self._generators: Sequence[Interpolator] = ()
        self._is_reduced = False

    def load(self, checked: Callable[[], None]) -> None:
        """Build the pipeline.

        Raises:
            FileNotFoundError: weights are not there; the message says how to get them.
            ValueError, RuntimeError: they or the device cannot be used; the message says why.
        """
        check_files(self._config)
        checked()
        self._build()

    def reduce(self) -> str | None:
        """Build the pipeline anew, once, with settings that need less memory."""
        if self._is_reduced:
            return None
        self._is_reduced = True
        self._config, text = smaller_config(self._config)
        self._pipeline, self._generators = None, ()
        _release_memory()
        self._build()
        return text

    def work(self, job: PairJob, context: JobContext) -> PairAnswer:
        """Answer a pair. Cut short, it is answered by the best so far, or by a refusal where nothing had been found."""
        assert self._pipeline is not None
        if job.decision is not None and job.decision != self._pipeline.config.decision:
            self._pipeline = self._pipeline.with_decision(job.decision)
        pipeline = self._pipeline
        stages = _Stages(context)
        recorded = RecordedInterpolator(lambda camera, first, last: _asked_frames(job.frames, context))
        generated = [
            generator.observed(stages.clip, context.cancelled) if isinstance(generator, Observable) else generator
            for generator in self._generators
        ]
        return pipeline.estimate(
            job.view_a,
            job.view_b,
            interpolators=[*((recorded,) if job.frames else ()), *generated],
            progress=stages.pipeline,
            cancelled=context.cancelled,
            budget=job.budget,
            best=context.best if job.tells_best else None,
        )

    def _build(self) -> None:
        from interpose_ros.interpolation.from_config import interpolators_from_config
        from interpose_ros.pipeline import InterposePipeline

        pipeline = InterposePipeline.from_config(self._config)
        names = [pipeline.store.name]
        self._generators = interpolators_from_config(self._config, pipeline.store)
        for generator in self._generators:
            if isinstance(generator, Observable):
                generator.load()
            names.append(generator.name)
        self._pipeline, self.models = pipeline, " ".join(names)


@runtime_checkable
class Observable(Protocol):
    """An interpolator that makes its clips, which takes long."""

    def load(self) -> None:
        """Bring its model into memory."""

    def observed(self, progress: Callable[[Any], None], cancelled: Callable[[], bool]) -> Interpolator:
        """The same for one request, which is told about every step."""
        ...


class _Stages:
    """Every step of a clip is a sign of progress, though the pipeline's fraction stays where it is."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._fraction = 0.0

    def pipeline(self, stage: str, fraction: float) -> None:
        self._fraction = fraction
        self._context.progress(stage, fraction)

    def clip(self, _progress: Any) -> None:
        self._context.progress("clips", self._fraction)


def check_files(config: InterposeConfig) -> None:
    """Look for the large files that are configured, and at what is in them, without loading them.

    Raises:
        FileNotFoundError: one is not there; the message says how to get it.
        ValueError: one is not what it should be; the message says what it is.
    """
    if config.estimator == "dust3r":
        from interpose_ros.dust3r.checkpoint import read_checkpoint
        from interpose_ros.models.registry import locate_weights

        read_checkpoint(locate_weights(config.dust3r.weights))
    if config.video.preset:
        from interpose_ros.interpolation.diffusion.model import VideoModel

        VideoModel.from_config(config.video)


def loads_quickly(config: InterposeConfig) -> bool:
    """Whether all that is configured is loaded within seconds."""
    return config.estimator == "features" and not config.video.preset


def _asked_frames(names: Sequence[KeyframeId], context: JobContext) -> list[LazyView]:
    return [LazyView(name, partial(context.ask, index)) for index, name in enumerate(names)]


def _release_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
