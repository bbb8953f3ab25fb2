"""What a worker process does: the part that is its own, beside starting, talking and ending."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from interpose_ros.engine.messages import Asked, BestSoFar, Progressed, Reply

Job_contra = TypeVar("Job_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

PROGRESS_PERIOD = 0.05
"""Least seconds between two reports of one stage."""

_LOOK = 0.05


class JobCancelled(Exception):
    """Nobody waits for the job any more."""


class QuestionFailed(RuntimeError):
    """The job's owner cannot answer what was asked."""


class Unreachable(Exception):
    """What a workload works with is not there at the moment: its process is ended, and started again after a while."""


class JobContext:
    """What a job may say and ask while it runs. Made by the worker for each job."""

    def __init__(self, number: int, send: Callable[[Any], None]) -> None:
        self._number = number
        self._send = send
        self._cancelled = threading.Event()
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self._last: tuple[str, float] = ("", 0.0)

    def progress(self, stage: str, fraction: float) -> None:
        """Say how far the job is, by stage and as a fraction of the whole."""
        now = time.monotonic()
        if stage == self._last[0] and now - self._last[1] < PROGRESS_PERIOD:
            return
        self._last = (stage, now)
        self._send(Progressed(self._number, stage, fraction))

    def best(self, result: Any) -> None:
        """Say what the result would be if the job ended now."""
        self._send(BestSoFar(self._number, result))

    def cancelled(self) -> bool:
        """Whether nobody waits for the job any more."""
        return self._cancelled.is_set()

    def ask(self, question: Any) -> Any:
        """Ask the job's owner, and wait for the answer.

        Raises:
            JobCancelled: nobody is there to answer.
            QuestionFailed: there is no answer; the message says why.
        """
        self._send(Asked(self._number, question))
        while not self.cancelled():
            try:
                reply = self._replies.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if reply.error:
                raise QuestionFailed(reply.error)
            return reply.value
        raise JobCancelled

    # --- what the worker calls

    @property
    def number(self) -> int:
        """The job's number."""
        return self._number

    def cancel(self) -> None:
        """Tell the job that nobody waits for it."""
        self._cancelled.set()

    def reply(self, message: Reply) -> None:
        """Hand an answer to the job."""
        self._replies.put(message)


@runtime_checkable
class Workload(Protocol, Generic[Job_contra, Result_co]):
    """Travels to the worker process, and is used there by one thread. Light until it is loaded."""

    @property
    def models(self) -> str:
        """Names of the models that are loaded."""
        ...

    def load(self, checked: Callable[[], None]) -> None:
        """Load the models.

        Args:
            checked: to be called when all files are found to be readable, before what takes long.

        Raises:
            Unreachable: a restart after a while may help.
            Exception: they cannot be loaded; a restart would not help. The message says why.
        """
        ...

    def work(self, job: Job_contra, context: JobContext) -> Result_co:
        """Do one job.

        Raises:
            Unreachable: the job has no result, and the process is to be started again.
            Exception: the job has no result; the message says why.
        """
        ...

    def reduce(self) -> str | None:
        """After a lack of memory: use less from now on, and say what; None where nothing is left to reduce."""
        ...
