"""A process of its own for heavy work, started again whenever it is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from interpose_ros.engine.channel import Channel, GarbledMessage
from interpose_ros.engine.job_record import JobRecord
from interpose_ros.engine.messages import (
    FROM_WORKER,
    Alive,
    Asked,
    BestSoFar,
    Cancel,
    Checked,
    Done,
    FailureKind,
    Leaving,
    LoadFailed,
    Note,
    Progressed,
    Ready,
    Reply,
    Work,
    WorkFailed,
)
from interpose_ros.engine.outbox import Outbox
from interpose_ros.engine.view_ledger import ViewLedger
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerLimits, WorkerState, WorkerStatus
from interpose_ros.engine.worker_turns import LOOK, Turns
from interpose_ros.engine.workload import Workload

Job = TypeVar("Job")
Result = TypeVar("Result")

CANCEL_PATIENCE = 0.5
"""Seconds that a caller who cancels waits for the worker's best result."""

LOADING_PATIENCE = 4.0
"""How much longer a worker may be silent while it loads: importing a library keeps all its threads waiting."""

_PERIOD = 0.1
# Without the working directory, where a folder may have any module's name.
_PROGRAM = "import sys; sys.path[:] = filter(None, sys.path); from interpose_ros.engine.worker_main import main; main()"


class WorkerProcess(Generic[Job, Result]):
    """Starts a process, keeps it alive, and does jobs in it, one at a time.

    A process that is killed, hangs, or sends what is no message costs the job in its hands: that caller gets a
    ``WorkerFailure``, and the process is started again, later after every failure in a row. It ends with its owner.

    Args:
        name: of the process, up to 15 letters, and of it in the log.
        workload: what it does; travels there by pickle.
        limits: how long it is waited for.
        log: told sentences for people, from a thread of its own.
    """

    def __init__(
        self, name: str, workload: Workload[Job, Result], limits: WorkerLimits, log: Callable[[str], None]
    ) -> None:
        self._name, self._workload, self._limits, self._log = name, workload, limits, log
        self._turns = Turns()
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._status = WorkerStatus()
        self._stopping = False
        self._record: JobRecord | None = None
        self._outbox: Outbox | None = None
        self._has_worked = False
        self._thread: threading.Thread | None = None

    # --- what its owner calls

    @property
    def status(self) -> WorkerStatus:
        """How it is."""
        return self._status

    def start(self) -> None:
        """Start the process; returns at once. To be called once."""
        self._set(state=WorkerState.LOADING)
        self._thread = threading.Thread(target=self._supervise, name=f"{self._name}_owner", daemon=True)
        self._thread.start()

    def wait_until(self, condition: Callable[[WorkerStatus], bool], timeout: float) -> WorkerStatus:
        """The status as soon as a condition on it holds, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: condition(self._status), timeout)
            return self._status

    def stop(self, timeout: float) -> bool:
        """End the process, failing the job in hand. True when it has ended within ``timeout`` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def run(
        self,
        job: Job,
        *,
        progress: Callable[[str, float], None] = lambda stage, fraction: None,
        best: Callable[[Result], None] = lambda result: None,
        answer: Callable[[Any], Any] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        is_urgent: bool = False,
    ) -> Result:
        """Do a job; waits for the turn, for models that load, and for the result. Callbacks are called on this thread.

        Args:
            job: travels to the process by pickle; views that it holds already are not sent again.
            progress: told the stage and the fraction of the whole.
            best: told the best result so far.
            answer: answers what the job asks; may raise.
            cancelled: asked all the time; True ends the wait within a second.
            is_urgent: goes before jobs that are not.

        Raises:
            WorkerFailure: there is no result; its kind and text say why.
            CancelledJob: ``cancelled`` said so; holds the best result so far.
        """
        with self._turns.turn(is_urgent, cancelled):
            record = self._hand_over(job, cancelled)
            return self._wait_for(record, progress, best, answer, cancelled)

    # --- a job, on its caller's thread

    def _hand_over(self, job: Job, cancelled: Callable[[], bool]) -> JobRecord:
        with self._changed:
            while self._status.state is not WorkerState.READY:
                if cancelled():
                    raise CancelledJob
                if self._status.state is WorkerState.FAILED:
                    raise WorkerFailure(FailureKind.MODEL, self._status.text)
                if self._stopping or self._status.state is WorkerState.STOPPED:
                    raise WorkerFailure(FailureKind.STOPPED, f"{self._name} has been stopped")
                self._changed.wait(LOOK)
            assert self._outbox is not None
            self._record = record = JobRecord(next(self._numbers), job)  # the worker may speak of it at once
            try:
                self._outbox.put(Work(record.number, job))
            except Exception:  # it cannot be pickled, and was not sent
                self._record = None
                raise
            self._set(state=WorkerState.BUSY)
            return record

    def _wait_for(
        self,
        record: JobRecord,
        progress: Callable[[str, float], None],
        best: Callable[[Result], None],
        answer: Callable[[Any], Any] | None,
        cancelled: Callable[[], bool],
    ) -> Result:
        best_so_far: Result | None = None
        gives_up_at: float | None = None
        while True:
            if gives_up_at is None and cancelled():
                gives_up_at = time.monotonic() + CANCEL_PATIENCE
                record.abandoned_at = time.monotonic()
                self._send(Cancel(record.number))
            if gives_up_at is not None and time.monotonic() >= gives_up_at:
                raise CancelledJob(best_so_far)
            try:
                message = record.news.get(timeout=LOOK)
            except queue.Empty:
                continue
            if isinstance(message, Done):
                if gives_up_at is not None:
                    raise CancelledJob(message.result)
                return message.result
            if isinstance(message, WorkFailed):
                if gives_up_at is not None:
                    raise CancelledJob(best_so_far)
                raise WorkerFailure(message.kind, message.text)
            if isinstance(message, BestSoFar):
                best_so_far = message.result
                best(message.result)
            elif isinstance(message, Progressed):
                progress(message.stage, message.fraction)
            else:
                self._send(_reply(record, message, answer))

    def _send(self, message: Cancel | Reply) -> None:
        outbox = self._outbox
        if outbox is None:  # the process is gone; whoever waits for its answer will hear so
            return
        try:
            outbox.put(message)
        except Exception as error:
            outbox.put(Reply(message.number, None, f"the answer cannot be sent: {type(error).__name__}: {error}"))

    # --- the process, on a thread of its own

    def _supervise(self) -> None:
        delay = self._limits.first_restart
        while not self._stopping:
            self._has_worked = False
            kind, reason = self._live_once()
            if self._stopping:
                self._leave(kind, reason, WorkerState.STOPPED)
                return
            if kind is FailureKind.MODEL:
                self._log(f"{self._name}: its models cannot be loaded: {reason}")
                self._leave(kind, reason, WorkerState.FAILED)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping)
                break
            if self._has_worked:
                delay = self._limits.first_restart
            self._log(f"{self._name}: {reason}; it is started again in {delay:g} s")
            self._leave(kind, reason, WorkerState.RESTARTING)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, delay)
            delay = min(2.0 * delay, self._limits.last_restart)
        self._set(state=WorkerState.STOPPED)

    def _leave(self, kind: FailureKind, reason: str, state: WorkerState) -> None:
        """The process is gone: say so to whoever waits for the job in its hands."""
        with self._changed:
            restarts = self._status.restarts + (state is WorkerState.RESTARTING)
            self._set(state=state, text=reason, process_id=0, resident_bytes=0, restarts=restarts)
            if state is WorkerState.RESTARTING:
                self._set(last_failure=reason, reduced="")
            record, self._record = self._record, None
            if record is not None:
                record.lose(kind, reason)

    def _live_once(self) -> tuple[FailureKind, str]:
        """One process from start to end. Returns why it ended."""
        ledger = ViewLedger(self._limits.view_bytes)
        process, connection = self._spawn()
        channel = Channel(connection, ledger.number_of, ledger.view_of)
        outbox = Outbox(channel, ledger, f"{self._name}_sender")
        outbox.put(self._workload)
        with self._changed:
            self._outbox = outbox
            self._set(state=WorkerState.LOADING, text="", process_id=process.pid, checked=False)
        try:
            kind, reason = self._listen(channel)
        except GarbledMessage as error:
            kind, reason = FailureKind.GARBLED, f"the worker sent what cannot be understood: {error}"
        except BlockingIOError:
            kind, reason = (
                FailureKind.HUNG,
                f"the worker stopped in the middle of a message, {self._limits.heartbeat:g} s ago",
            )
        except (EOFError, OSError):
            kind, reason = FailureKind.DIED, ""
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        process.kill()
        status = process.wait()
        with self._changed:
            self._outbox = None
        outbox.close()
        channel.close()
        return kind, reason or f"the worker process {_how_it_ended(status)}"

    def _listen(self, channel: Channel) -> tuple[FailureKind, str]:
        started = last_sign = time.monotonic()
        while not self._stopping:
            if channel.poll(_PERIOD):
                message = channel.receive()
                last_sign = time.monotonic()
                if isinstance(message, LoadFailed):
                    return FailureKind.MODEL, message.text
                if isinstance(message, Leaving):
                    return FailureKind.DIED, message.text
                self._take_in(message)
                continue
            now, limits, record = time.monotonic(), self._limits, self._record
            is_loading = self._status.state is WorkerState.LOADING
            patience = limits.heartbeat * (LOADING_PATIENCE if is_loading else 1.0)
            if now - last_sign > patience:
                return FailureKind.HUNG, f"the worker gave no sign of life for {patience:g} s"
            if is_loading and now - started > limits.load:
                return FailureKind.HUNG, f"the worker did not load its models within {limits.load:g} s"
            if record is None:
                continue
            if record.abandoned_at is not None and now - record.abandoned_at > limits.cancel:
                return FailureKind.HUNG, f"the worker went on for {limits.cancel:g} s with a job that was cancelled"
            if now - record.last_news > limits.stall:
                return FailureKind.HUNG, f"the worker made no progress for {limits.stall:g} s"
        return FailureKind.STOPPED, f"{self._name} is being stopped"

    def _take_in(self, message: Any) -> None:
        if not isinstance(message, FROM_WORKER):
            raise GarbledMessage(f"a {type(message).__name__} is no message of a worker")
        if isinstance(message, Alive):
            self._set(resident_bytes=message.resident_bytes)
        elif isinstance(message, Checked):
            self._set(checked=True)
        elif isinstance(message, Ready):
            state = WorkerState.READY if self._record is None else WorkerState.BUSY
            self._set(state=state, text="", models=message.models, reduced=message.reduced, checked=True)
        elif isinstance(message, Note):
            self._log(f"{self._name}: {message.text}")
        elif not isinstance(message, (LoadFailed, Leaving)):
            self._tell(message)

    def _tell(self, message: Progressed | BestSoFar | Asked | Done | WorkFailed) -> None:
        record = self._record
        if record is None or message.number != record.number:
            raise GarbledMessage(f"a message about job {message.number}, which it does not have")
        record.tell(message)
        if isinstance(message, (Done, WorkFailed)):
            with self._changed:
                self._has_worked = True
                self._record = None
                self._set(state=WorkerState.READY)

    def _spawn(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = socket.socketpair()
        # A process that is stopped in the middle of a message must not stop its owner.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(self._limits.heartbeat) + 1, 0))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        number = theirs.fileno()
        command = [sys.executable, "-c", _PROGRAM, str(number), str(os.getpid()), self._name]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(number,), env=environment)
        theirs.close()
        return process, Connection(ours.detach())

    def _set(self, **changes: Any) -> None:
        with self._changed:
            self._status = replace(self._status, **changes)
            self._changed.notify_all()


def _reply(record: JobRecord, message: Asked, answer: Callable[[Any], Any] | None) -> Reply:
    if answer is None:
        return Reply(record.number, None, "nobody answers questions of this job")
    try:
        value = answer(message.question)
    except Exception as error:
        return Reply(record.number, None, f"{type(error).__name__}: {error}")
    record.lent.append(value)
    return Reply(record.number, value)


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended by itself with status {status}"
    name = signal.Signals(-status).name if -status in signal.valid_signals() else str(-status)
    return f"was killed by {name}" + (": did the machine run out of memory?" if name == "SIGKILL" else "")
