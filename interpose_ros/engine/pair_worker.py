"""The process that answers pairs, as the rest of this program uses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from interpose_ros.answer import PairAnswer
from interpose_ros.config import DecisionConfig, InterposeConfig
from interpose_ros.engine.pair_work import PairJob, PairWork, loads_quickly
from interpose_ros.engine.ray_engine import uses_gpu
from interpose_ros.engine.ray_work import RayWork
from interpose_ros.engine.worker_process import WorkerProcess
from interpose_ros.engine.worker_status import WorkerLimits, WorkerState, WorkerStatus
from interpose_ros.engine.workload import Workload
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.selection.budget import Budget
from interpose_ros.views import View

MOST_DEATHS = 3
"""Processes that may die while they load, before loading counts as failed."""

QUICK = 5.0
"""Seconds that slow models are waited for when the worker is made; they go on loading afterwards."""


class PairWorker:
    """Answers pairs in a process of its own, which is started again when it is lost."""

    def __init__(
        self, config: InterposeConfig, limits: WorkerLimits, log: Callable[[str], None], ray_address: str = ""
    ) -> None:
        """Start the process.

        Args:
            config: what it loads.
            limits: how long it is waited for.
            log: told sentences for people.
            ray_address: of a Ray cluster that does the work; the process then only has the connection. Empty for none.
        """
        self._decision = config.decision
        self._is_quick = loads_quickly(config)
        self._limits = limits
        self._process: WorkerProcess[PairJob, PairAnswer] = WorkerProcess(
            "interpose_pairs", _work(config, limits, ray_address), limits, log
        )
        self._process.start()

    @property
    def status(self) -> WorkerStatus:
        """How the process is."""
        return self._process.status

    def reconfigure(self, decision: DecisionConfig) -> None:
        """Hold the answers of later pairs against other thresholds."""
        self._decision = decision

    def wait_until_usable(self) -> WorkerStatus:
        """Wait until all files have been found readable and the models are loaded; of slow ones, only for ``QUICK``.

        Raises:
            ValueError: they cannot be loaded; the message says why.
            TimeoutError: even looking at the files took longer than loading may take.
        """
        status = self._process.wait_until(lambda now: now.checked or _is_over(now), self._limits.load)
        if not _is_over(status):
            status = self._process.wait_until(_is_over, self._limits.load if self._is_quick else QUICK)
        if status.state is WorkerState.FAILED or status.restarts >= MOST_DEATHS:
            raise ValueError(status.text or status.last_failure)
        if not status.checked:
            raise TimeoutError(f"the models were not loaded within {self._limits.load:g} s: {status.text}")
        return status

    def wait_while(self, states: Collection[WorkerState], timeout: float) -> WorkerStatus:
        """The status as soon as it is none of these states, or after ``timeout`` seconds."""
        return self._process.wait_until(lambda now: now.state not in states, timeout)

    def estimate(
        self,
        view_a: View,
        view_b: View,
        frames: Sequence[LazyView] = (),
        *,
        budget: Budget | None = None,
        progress: Callable[[str, float], None] = lambda stage, fraction: None,
        best: Callable[[PairAnswer], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        is_urgent: bool = False,
    ) -> PairAnswer:
        """Pose of B with respect to A.

        Args:
            view_a, view_b: the keyframes.
            frames: what their camera saw in between, oldest first; each is loaded here when the worker needs it.
            budget: what may be spent; no limit by default.
            progress: told the stage and the fraction of the whole.
            best: told the best answer so far; None where nobody wants to hear it before the end.
            cancelled: asked all the time; True ends the work within a second.
            is_urgent: goes before pairs that are not.

        Raises:
            WorkerFailure: there is no answer; its kind and text say why.
            CancelledJob: ``cancelled`` said so; holds the best answer so far, where that was to be told.
        """
        names = tuple(frame.keyframe_id for frame in frames)
        job = PairJob(view_a, view_b, names, budget or Budget(), self._decision, tells_best=best is not None)
        return self._process.run(
            job,
            progress=progress,
            best=best or _untold,
            answer=lambda index: frames[index].load(),
            cancelled=cancelled,
            is_urgent=is_urgent,
        )

    def stop(self, timeout: float) -> bool:
        """End the process. True when it has ended within ``timeout`` seconds."""
        return self._process.stop(timeout)


def _work(config: InterposeConfig, limits: WorkerLimits, ray_address: str) -> Workload[PairJob, PairAnswer]:
    if not ray_address:
        return PairWork(config)
    return RayWork(PairWork(config), ray_address, int(uses_gpu(config)), limits.heartbeat)


def _untold(_answer: PairAnswer) -> None:
    pass


def _is_over(status: WorkerStatus) -> bool:
    ends = (WorkerState.READY, WorkerState.BUSY, WorkerState.FAILED, WorkerState.STOPPED)
    return status.state in ends or status.restarts >= MOST_DEATHS
