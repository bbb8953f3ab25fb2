"""A worker process from its start to its end. Nothing of ROS is imported here."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from interpose_ros.engine.channel import Channel
from interpose_ros.engine.messages import (
    Alive,
    Cancel,
    Checked,
    Done,
    Drop,
    FailureKind,
    Hold,
    Leaving,
    LoadFailed,
    Note,
    Ready,
    Reply,
    Work,
    WorkFailed,
)
from interpose_ros.engine.process_settings import keep_freed_blocks
from interpose_ros.engine.view_ledger import HeldViews
from interpose_ros.engine.workload import JobCancelled, JobContext, Unreachable, Workload

HEARTBEAT_PERIOD = 0.5
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main() -> None:
    """Do jobs until the owner closes the pipe or ends. Arguments: the pipe's file number, the owner's process, a name."""
    number, owner, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _tie_to(owner, name)
    keep_freed_blocks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches every process; the owner ends this one
    views = HeldViews()
    channel = Channel(Connection(number), views.number_of, views.view_of)
    workload: Workload[Any, Any] = channel.receive()
    worker = _Worker(channel, views, workload)
    worker.receive()
    # Threads of libraries may be anywhere; there is nothing to save.
    os._exit(0)


class _Worker:
    def __init__(self, channel: Channel, views: HeldViews, workload: Workload[Any, Any]) -> None:
        self._channel = channel
        self._views = views
        self._workload = workload
        self._jobs: queue.SimpleQueue[tuple[Any, JobContext]] = queue.SimpleQueue()
        self._context: JobContext | None = None
        logging.getLogger().addHandler(_NoteHandler(self._send))
        for target in (self._beat, self._work):
            threading.Thread(target=target, daemon=True).start()

    def receive(self) -> None:
        """Take messages in until the pipe is closed."""
        while True:
            try:
                message = self._channel.receive()
            except (EOFError, OSError):
                return
            context = self._context
            if isinstance(message, Hold):
                self._views.hold(message)
            elif isinstance(message, Drop):
                self._views.drop(message)
            elif isinstance(message, Work):
                self._context = JobContext(message.number, self._send)
                self._jobs.put((message.job, self._context))
            elif context is not None and isinstance(message, (Cancel, Reply)) and message.number == context.number:
                if isinstance(message, Cancel):
                    context.cancel()
                else:
                    context.reply(message)

    def _send(self, message: Any) -> None:
        try:
            self._channel.send(message)
        except OSError:  # the owner is gone
            os._exit(0)

    def _beat(self) -> None:
        while True:
            self._send(Alive(_resident_bytes()))
            threading.Event().wait(HEARTBEAT_PERIOD)

    def _work(self) -> None:
        try:
            reduced = self._load()
        except Unreachable as error:
            self._leave(error)
        except Exception as error:
            self._send(LoadFailed(str(error) or type(error).__name__))
            return
        self._send(Ready(self._workload.models, reduced))
        while True:
            job, context = self._jobs.get()
            try:
                outcome = self._outcome(job, context)
            except Unreachable as error:
                self._leave(error)
            try:
                packed = self._channel.pack(outcome)
            except Exception as error:
                text = f"the result cannot be sent: {type(error).__name__}: {error}"
                packed = self._channel.pack(WorkFailed(context.number, FailureKind.ERROR, text))
            self._channel.send_packed(packed)

    def _leave(self, error: Unreachable) -> NoReturn:
        self._send(Leaving(str(error)))
        os._exit(0)

    def _load(self) -> str:
        """Load the models; returns what had to be made smaller for them."""
        try:
            self._workload.load(lambda: self._send(Checked()))
            return ""
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = _first_line(error)
            traceback.clear_frames(error.__traceback__)
        reduced = self._workload.reduce()
        if reduced is None:
            raise MemoryError(reason)
        self._send(Note(f"out of memory ({reason}): {reduced}"))
        return reduced

    def _outcome(self, job: Any, context: JobContext) -> Done | WorkFailed:
        try:
            try:
                return Done(context.number, self._workload.work(job, context))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                reason = _first_line(error)
                # The traceback keeps alive what the memory is wanted for.
                traceback.clear_frames(error.__traceback__)
            reduced = self._workload.reduce()
            if reduced is None:
                return WorkFailed(context.number, FailureKind.OUT_OF_MEMORY, f"out of memory: {reason}")
            self._send(Note(f"out of memory ({reason}): {reduced}"))
            self._send(Ready(self._workload.models, reduced))
            return Done(context.number, self._workload.work(job, context))
        except JobCancelled:
            return WorkFailed(context.number, FailureKind.STOPPED, "cancelled")
        except Unreachable:
            raise
        except Exception as error:
            kind = FailureKind.OUT_OF_MEMORY if is_out_of_memory(error) else FailureKind.ERROR
            self._send(Note(f"a job failed:\n{traceback.format_exc()}"))
            return WorkFailed(context.number, kind, f"{type(error).__name__}: {_first_line(error)}")


class _NoteHandler(logging.Handler):
    """Warnings of the core reach the owner's log."""

    def __init__(self, send: Any) -> None:
        super().__init__(logging.WARNING)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send(Note(record.getMessage()))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is a lack of memory: Python's, NumPy's, or torch's on any device (which need not be imported)."""
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "VideoMemoryError"):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)  # torch on the CPU


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _tie_to(owner: int, name: str) -> None:
    """End with the owner, even where this process is too busy to see its pipe closed. Linux only; elsewhere the pipe."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    if os.getppid() != owner:  # it ended before the lines above
        os._exit(0)
    with contextlib.suppress(OSError):
        # Where the machine runs out of memory, this process goes before the one that owns the robot's interfaces.
        Path("/proc/self/oom_score_adj").write_text("500")


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0
