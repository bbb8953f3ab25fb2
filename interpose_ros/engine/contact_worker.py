"""The process that refines bodies, as the rest of this program uses it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from interpose_ros.contact.result import ContactResult
from interpose_ros.engine.contact_work import ContactJob, ContactWork
from interpose_ros.engine.worker_process import WorkerProcess
from interpose_ros.engine.worker_status import CancelledJob, WorkerLimits, WorkerState, WorkerStatus

GRACE = 6.0
"""Seconds after a deadline that a worker may need for the step in hand, before it is given up."""


class ContactWorker:
    """Refines bodies in a process of its own, which is started again when it is lost. Starts with the first request."""

    def __init__(self, work: ContactWork, limits: WorkerLimits, log: Callable[[str], None]) -> None:
        """Start nothing yet; ``log`` is told sentences for people."""
        self._process: WorkerProcess[ContactJob, ContactResult] = WorkerProcess("interpose_touch", work, limits, log)
        self._starting = threading.Lock()
        self._started = False

    @property
    def status(self) -> WorkerStatus:
        """How the process is; ``STOPPED`` before the first request."""
        return self._process.status

    def start(self) -> None:
        """Start the process, if it has not been; returns at once."""
        with self._starting:
            if not self._started:
                self._started = True
                self._process.start()

    def answer(self, job: ContactJob, cancelled: Callable[[], bool]) -> ContactResult:
        """Answer a request, by its deadline with the best so far.

        Raises:
            WorkerFailure: there is no answer; its kind and text say why.
            CancelledJob: ``cancelled`` said so, or there was nothing in time: models are loading, or the process hangs.
        """
        self.start()

        def is_over() -> bool:
            patience = GRACE if self.status.state is WorkerState.BUSY else 0.0
            return cancelled() or time.monotonic() > job.deadline + patience

        try:
            return self._process.run(job, cancelled=is_over)
        except CancelledJob as ended:
            if isinstance(ended.best, ContactResult):  # what there was when it was told to end
                return ended.best
            raise

    def stop(self, timeout: float) -> bool:
        """End the process. True when it has ended within ``timeout`` seconds."""
        with self._starting:
            self._started = True
        return self._process.stop(timeout)
