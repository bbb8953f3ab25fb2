"""How a worker process is, how long it is waited for, and what a job gets that it did not finish."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from interpose_ros.engine.messages import FailureKind


class WorkerState(str, Enum):
    """Where a worker process is between its start and its end."""

    STOPPED = "stopped"
    LOADING = "loading"
    READY = "ready"
    BUSY = "busy"
    RESTARTING = "restarting"
    FAILED = "failed"


@dataclass(frozen=True)
class WorkerStatus:
    """A worker process at one moment.

    Attributes:
        state: where it is.
        text: why it restarts or has failed; empty otherwise.
        models: names of what it loaded.
        reduced: what was made smaller for lack of memory; empty for nothing.
        checked: whether all files have been found readable.
        process_id: of the process; 0 where there is none.
        restarts: how often it had to be started again.
        resident_bytes: memory that it has.
        last_failure: why it was last started again; empty for never.
    """

    state: WorkerState = WorkerState.STOPPED
    text: str = ""
    models: str = ""
    reduced: str = ""
    checked: bool = False
    process_id: int = 0
    restarts: int = 0
    resident_bytes: int = 0
    last_failure: str = ""


@dataclass(frozen=True)
class WorkerLimits:
    """How long a worker is waited for, in seconds, and what it may hold.

    Attributes:
        heartbeat: without a sign of life.
        load: for its models.
        stall: without progress of a job.
        cancel: from a cancellation until the process is killed. Who cancelled waits ``CANCEL_PATIENCE`` at most.
        first_restart: before a restart; doubles with every failure in a row.
        last_restart: most before a restart.
        view_bytes: images that it holds for later jobs.
    """

    heartbeat: float = 30.0
    load: float = 1800.0
    stall: float = 600.0
    cancel: float = 5.0
    first_restart: float = 0.5
    last_restart: float = 30.0
    view_bytes: float = 256e6


class WorkerFailure(RuntimeError):
    """A job has no result.

    Attributes:
        kind: for programs; the text is for people.
    """

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class CancelledJob(Exception):
    """The caller of a job does not want it any more.

    Attributes:
        best: the best result so far; None where there was none.
    """

    def __init__(self, best: Any = None) -> None:
        super().__init__("cancelled")
        self.best = best
