"""Jobs on the workers of a Ray cluster. Ray is an optional dependency: ``pip install interpose-ros[ray]``."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from interpose_ros import __version__
from interpose_ros.config import InterposeConfig
from interpose_ros.engine.protocol import Finished, Lost, Result, Task

MOST_DEATHS_PER_JOB = 3
"""A job that so many workers died of is lost: it would take every worker with it."""

MOST_DEATHS_IN_A_ROW = 5
"""So many workers that die one after another while they load will not be followed by one that lives."""


class EngineError(ValueError):
    """The engine cannot work; the message says what to do."""


class _Worker:
    """Runs in a process of its own on the cluster, as a Ray actor."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._tools: Any = None
        self._task: Task[Any, Any, Any] | None = None

    def load(self, task: Task[Any, Any, Any]) -> None:
        """Build the tools, once.

        Raises:
            EngineError: another version of this package is installed here.
        """
        if self._version != __version__:
            raise EngineError(
                f"a worker has interpose_ros {__version__}, and {self._version} asks: install one version"
            )
        self._task, self._tools = task, task.build(task.config)

    def work(self, job: Any) -> Any:
        """The result of one job."""
        assert self._task is not None
        return self._task.work(self._tools, job)


@dataclass
class _Pool:
    """Which worker is at what.

    Attributes:
        idle: workers that have loaded.
        busy: per call that is under way its worker, and the job's number; None while it loads.
    """

    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, int | None]] = field(default_factory=dict)


class RayEngine:
    """Does jobs on a Ray cluster, one at a time per worker; every worker builds its tools once.

    A worker or node that dies costs no job: what it was doing goes to another, and a new worker takes its place.
    """

    name = "ray"

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        """
        Args:
            address: ``ray://HOST:PORT`` of a running cluster; None starts one on this machine, which ends with the run.
            workers: how many; None for as many as the cluster has processors, or GPUs where the jobs use one.

        Raises:
            EngineError: Ray is not installed, or fewer than one worker is asked for.
        """
        try:
            import ray
        except ImportError as error:
            raise EngineError("the engine ray needs Ray: pip install 'interpose-ros[ray]'") from error
        if workers is not None and workers < 1:
            raise EngineError(f"at least one worker is needed, not {workers}")
        self._ray, self._address, self._workers = ray, address, workers

    def run(self, task: Task[Any, Any, Result], jobs: Sequence[Any]) -> Iterator[Finished[Result] | Lost]:
        """Every job's outcome, as they finish.

        Raises:
            EngineError: the cluster is not there, or no worker of it lives long enough to load.
        """
        if not jobs:
            return
        started_here = self._connect()
        try:
            yield from self._outcomes(task, jobs)
        finally:
            if started_here:
                self._ray.shutdown()

    def _connect(self) -> bool:
        if self._ray.is_initialized():
            return False
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        try:
            self._ray.init(
                address=self._address or "local",
                include_dashboard=None if self._address else False,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except (ConnectionError, RuntimeError, ImportError) as error:
            raise EngineError(f"no Ray cluster answers at {self._address or 'this machine'}: {error}") from error
        return True

    def _outcomes(self, task: Task[Any, Any, Result], jobs: Sequence[Any]) -> Iterator[Finished[Result] | Lost]:
        ray = self._ray
        died = (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError, ray.exceptions.ObjectLostError)
        waiting, deaths = deque(range(len(jobs))), dict.fromkeys(range(len(jobs)), 0)
        task_there = ray.put(task)
        pool, deaths_while_loading = _Pool(), 0
        for _ in range(min(self._count(task), len(jobs))):
            self._hire(pool, task, task_there)
        left = len(jobs)
        while left:
            while pool.idle and waiting:
                worker, number = pool.idle.pop(), waiting.popleft()
                pool.busy[worker.work.remote(jobs[number])] = (worker, number)
            (call,), _ = ray.wait(list(pool.busy), num_returns=1)
            worker, done = pool.busy.pop(call)
            try:
                result = ray.get(call)
            except died as error:
                if done is None:
                    deaths_while_loading += 1
                    if deaths_while_loading >= MOST_DEATHS_IN_A_ROW:
                        raise EngineError(f"workers die while they load, the last: {_first_line(error)}") from error
                else:
                    deaths[done] += 1
                    if deaths[done] < MOST_DEATHS_PER_JOB:
                        waiting.append(done)
                    else:
                        left -= 1
                        yield Lost(
                            done, f"{MOST_DEATHS_PER_JOB} workers died of this pair, the last: {_first_line(error)}"
                        )
                if len(waiting) > len(pool.idle):
                    self._hire(pool, task, task_there)
                continue
            pool.idle.append(worker)
            if done is None:
                deaths_while_loading = 0
            else:
                left -= 1
                yield Finished(done, result)

    def _hire(self, pool: _Pool, task: Task[Any, Any, Any], task_there: Any) -> None:
        actor: Any = self._ray.remote(_Worker)
        worker = actor.options(num_cpus=1, num_gpus=int(uses_gpu(task.config))).remote(__version__)
        pool.busy[worker.load.remote(task_there)] = (worker, None)

    def _count(self, task: Task[Any, Any, Any]) -> int:
        if self._workers is not None:
            return self._workers
        return max(1, int(self._ray.cluster_resources().get("GPU" if uses_gpu(task.config) else "CPU", 1)))


def uses_gpu(config: InterposeConfig) -> bool:
    """Whether any network is to run on a GPU."""
    devices = (
        config.features.device,
        config.dust3r.device,
        *([config.video.runtime.device] if config.video.preset else []),
    )
    return any(device.startswith("cuda") for device in devices)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
