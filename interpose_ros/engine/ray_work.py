"""Work in a Ray cluster instead of here, so that a robot without a GPU uses a workstation's. Ray is an optional
dependency: ``pip install interpose-ros[ray]``."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import socket
from collections.abc import Callable, Iterator
from typing import Any, Generic

from interpose_ros import __version__
from interpose_ros.engine.messages import Asked, BestSoFar, Checked, Progressed, Reply
from interpose_ros.engine.ray_engine import EngineError
from interpose_ros.engine.ray_views import FetchedViews, SentViews
from interpose_ros.engine.workload import (
    Job_contra,
    JobCancelled,
    JobContext,
    QuestionFailed,
    Result_co,
    Unreachable,
    Workload,
)

CONNECTION_PATIENCE = 5.0
"""Seconds until a cluster must have taken a connection."""

_THREADS = 4  # of the actor: one works, one tells news, two for what is short
_LISTEN = 0.25


class _Actor:
    """Runs in a process of its own on the cluster and does the jobs. Calls that may take long have a number each."""

    def __init__(self, version: str, work: Workload[Any, Any]) -> None:
        import ray

        self._version, self._work = version, work
        self._news: queue.SimpleQueue[bytes | int] = queue.SimpleQueue()
        self._views = FetchedViews(ray.get)
        self._context: JobContext | None = None

    def load(self, call: int) -> str:
        """Load the models; returns their names.

        Raises:
            EngineError: another version of this package is installed here.
            Exception: as the workload says.
        """
        try:
            if self._version != __version__:
                raise EngineError(
                    f"the cluster has interpose_ros {__version__}, and this is {self._version}: install one version"
                )
            self._work.load(lambda: self._tell(Checked()))
            return self._work.models
        finally:
            self._news.put(call)

    def reduce(self, call: int) -> tuple[str | None, str]:
        """Use less memory; returns what has changed and the models' names."""
        try:
            return self._work.reduce(), self._work.models
        finally:
            self._news.put(call)

    def work(self, call: int, number: int, packed: bytes, references: dict[int, Any]) -> bytes:
        """Do a job."""
        context = self._context = JobContext(number, self._tell)
        try:
            return self._views.pack(self._work.work(self._views.unpack(packed, references), context))
        finally:
            self._news.put(call)

    def news(self) -> tuple[list[bytes], list[int]]:
        """What the calls under way have to say, and which have ended; waits a moment where there is nothing."""
        said, ended = [], []
        with contextlib.suppress(queue.Empty):
            found = self._news.get(timeout=_LISTEN)
            while True:
                if isinstance(found, int):
                    ended.append(found)
                else:
                    said.append(found)
                found = self._news.get_nowait()
        return said, ended

    def cancel(self, number: int) -> None:
        """Tell a job that nobody waits for it."""
        if self._context is not None and self._context.number == number:
            self._context.cancel()

    def reply(self, packed: bytes, references: dict[int, Any]) -> None:
        """Hand an answer to the job that asked."""
        message: Reply = self._views.unpack(packed, references)
        if self._context is not None and self._context.number == message.number:
            self._context.reply(message)

    def _tell(self, message: Any) -> None:
        self._news.put(self._views.pack(message))


class RayWork(Generic[Job_contra, Result_co]):
    """Does with jobs what another workload does, in an actor of a Ray cluster. A ``Workload``.

    It belongs into a worker process, which has the connection: where the cluster or the actor is lost, that process is
    ended, and started again after a while.

    Args:
        work: what is done there; files that it names are the cluster's.
        address: ``ray://HOST:PORT`` of the cluster, or ``HOST:PORT`` where this machine is part of it.
        gpus: that the actor needs.
        patience: seconds without a sign of life after which the cluster counts as lost.

    Attributes:
        models: names of the models that are loaded there.
    """

    def __init__(self, work: Workload[Job_contra, Result_co], address: str, gpus: int, patience: float) -> None:
        self._work, self._address, self._gpus, self._patience = work, address, gpus, patience
        self.models = ""
        self._calls = itertools.count(1)
        self._ray: Any = None
        self._actor: Any = None
        self._views: SentViews

    def load(self, checked: Callable[[], None]) -> None:
        """Connect, and load the models there.

        Raises:
            EngineError: Ray is not installed, or another version of this package there.
            Unreachable: the cluster does not answer, or has no place.
            Exception: as the workload there says.
        """
        try:
            import ray
        except ImportError as error:
            raise EngineError(
                f"worker.engine is ray, and Ray cannot be imported ({error}): pip install 'interpose-ros[ray]', in the "
                "version that the cluster has"
            ) from error
        self._ray = ray
        self._connect()
        self._views = SentViews(ray.put)

        def take(message: Any) -> None:
            if isinstance(message, Checked):
                checked()

        with self._reached():
            actor = ray.remote(_Actor).options(num_cpus=1, num_gpus=self._gpus, max_concurrency=_THREADS)
            self._actor = actor.remote(__version__, self._work)
            self.models = self._outcome(self._actor.load, take)

    def reduce(self) -> str | None:
        """Use less memory there."""
        with self._reached():
            text, self.models = self._outcome(self._actor.reduce, lambda message: None)
        return text

    def work(self, job: Job_contra, context: JobContext) -> Result_co:
        """Do one job there.

        Raises:
            Unreachable: the cluster or the actor is lost.
            Exception: as the workload there says.
        """
        number = context.number
        told = False

        def take(message: Any) -> None:
            nonlocal told
            if context.cancelled():
                if not told:
                    self._actor.cancel.remote(number)
                    told = True
            elif isinstance(message, Progressed):
                context.progress(message.stage, message.fraction)
            elif isinstance(message, BestSoFar):
                context.best(message.result)
            elif isinstance(message, Asked):
                self._answer(message, context)

        with self._reached():
            return self._views.unpack(self._outcome(self._actor.work, take, number, *self._views.pack(job)))

    def _answer(self, message: Asked, context: JobContext) -> None:
        try:
            reply = Reply(message.number, context.ask(message.question))
        except QuestionFailed as failure:
            reply = Reply(message.number, None, str(failure))
        except JobCancelled:
            return
        self._actor.reply.remote(*self._views.pack(reply))

    def _outcome(self, method: Any, take: Callable[[Any], None], *arguments: Any) -> Any:
        """What a method of the actor returns or raises; its news go to ``take``, which is called with None now and then."""
        number = next(self._calls)
        call = method.remote(number, *arguments)
        while True:
            is_done = bool(self._ray.wait([call], timeout=0)[0])
            said, ended = self._get(self._actor.news.remote())
            for packed in said:
                take(self._views.unpack(packed))
            take(None)
            if is_done or number in ended:
                return self._get(call)

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference, timeout=self._patience)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Whatever asks the cluster; any call to Ray may find out that there is none any more."""
        errors = self._ray.exceptions
        try:
            yield
        except errors.GetTimeoutError as error:
            where = "a free GPU" if self._gpus else "a free processor"
            raise Unreachable(
                f"the Ray cluster at {self._address} gave no sign of life for {self._patience:g} s: is there {where}?"
            ) from error
        except (errors.RayError, ConnectionError) as error:
            raise Unreachable(f"the Ray cluster at {self._address} has lost the work: {_first_line(error)}") from error

    def _connect(self) -> None:
        host, _, port = self._address.removeprefix("ray://").rpartition(":")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        # An actor of a process that was killed would go on to hold its GPU.
        os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "2")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), CONNECTION_PATIENCE):
                pass
            self._ray.init(address=self._address, log_to_driver=False, logging_level=logging.WARNING)
        except (OSError, RuntimeError) as error:
            raise Unreachable(f"no Ray cluster answers at {self._address}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
