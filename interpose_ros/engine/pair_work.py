"""What the worker of the pairs does: the pipeline, in a process of its own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from interpose_ros.answer import PairAnswer
from interpose_ros.config import InterposeConfig
from interpose_ros.engine.smaller import smaller_config
from interpose_ros.engine.workload import JobContext
from interpose_ros.interpolation.clip import LazyView
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
    """

    view_a: View
    view_b: View
    frames: tuple[KeyframeId, ...] = ()
    budget: Budget = field(default_factory=Budget)


class PairWork:
    """Builds the pipeline and answers pairs. A ``Workload``."""

    def __init__(self, config: InterposeConfig) -> None:
        self._config = config
        self._pipeline: InterposePipeline | None = None
        self._is_reduced = False

    def load(self, checked: Callable[[], None]) -> str:
        """Build the pipeline; returns the names of the networks.

        Raises:
            FileNotFoundError: weights are not there; the message says how to get them.
            ValueError, RuntimeError: they or the device cannot be used; the message says why.
        """
        check_files(self._config)
        checked()
        return self._build()

    def reduce(self) -> str | None:
        """Build the pipeline anew, once, with settings that need less memory."""
        if self._is_reduced:
            return None
        self._is_reduced = True
        self._config, text = smaller_config(self._config)
        self._pipeline = None
        _release_memory()
        self._build()
        return text

    def work(self, job: PairJob, context: JobContext) -> PairAnswer:
        """Answer a pair. Cut short, it is answered by the best so far, or by a refusal where nothing had been found."""
        pipeline = self._pipeline
        assert pipeline is not None
        recorded = RecordedInterpolator(lambda camera, first, last: _asked_frames(job.frames, context))
        return pipeline.estimate(
            job.view_a,
            job.view_b,
            interpolators=(recorded,) if job.frames else (),
            progress=context.progress,
            cancelled=context.cancelled,
            budget=job.budget,
            best=context.best,
        )

    def _build(self) -> str:
        from interpose_ros.pipeline import InterposePipeline

        self._pipeline = InterposePipeline.from_config(self._config)
        return self._pipeline.store.name


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


def loads_quickly(config: InterposeConfig) -> bool:
    """Whether all that is configured is loaded within seconds."""
    return config.estimator == "features"


def _asked_frames(names: Sequence[KeyframeId], context: JobContext) -> list[LazyView]:
    return [LazyView(name, partial(context.ask, index)) for index, name in enumerate(names)]


def _release_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
