"""What a worker process and its owner say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class FailureKind(str, Enum):
    """Why a job has no result."""

    ERROR = "error"
    """The job raised an exception; the worker lives."""
    OUT_OF_MEMORY = "out_of_memory"
    DIED = "died"
    """The process ended or was killed."""
    HUNG = "hung"
    """It was killed, as it gave no sign of life or of progress."""
    GARBLED = "garbled"
    """It was killed, as what it sent was no message."""
    MODEL = "model"
    """Its models cannot be loaded."""
    STOPPED = "stopped"
    """The owner ends it."""


# --- to the worker


@dataclass(frozen=True, eq=False)
class Hold:
    """A view that later messages name by its number; in parts, since a view itself travels as its number."""

    number: int
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class Drop:
    """Views that no later message names."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Work:
    """A job."""

    number: int
    job: Any


@dataclass(frozen=True)
class Cancel:
    """Nobody waits for that job any more."""

    number: int


@dataclass(frozen=True, eq=False)
class Reply:
    """What was asked for; an error's text instead of an answer where there is none."""

    number: int
    value: Any
    error: str = ""


# --- from the worker


@dataclass(frozen=True)
class Alive:
    """Sent again and again, by a thread of its own.

    Attributes:
        resident_bytes: memory that the process has.
    """

    resident_bytes: int


@dataclass(frozen=True)
class Checked:
    """Every file is there and can be read; loading goes on."""


@dataclass(frozen=True)
class Ready:
    """Jobs can be taken. Sent again when settings had to be made smaller.

    Attributes:
        models: names of what was loaded.
        reduced: what was made smaller and why; empty for nothing.
    """

    models: str
    reduced: str = ""


@dataclass(frozen=True)
class LoadFailed:
    """The models cannot be loaded; a restart would not help."""

    text: str


@dataclass(frozen=True)
class Leaving:
    """The process ends, since what it works with is not there; a restart may help. Costs the job in hand."""

    text: str


@dataclass(frozen=True)
class Note:
    """A sentence for the log."""

    text: str


@dataclass(frozen=True)
class Progressed:
    """How far a job is."""

    number: int
    stage: str
    fraction: float


@dataclass(frozen=True, eq=False)
class BestSoFar:
    """What the result would be if the job ended now."""

    number: int
    result: Any


@dataclass(frozen=True, eq=False)
class Asked:
    """A question that the job's owner answers with a ``Reply``."""

    number: int
    question: Any


@dataclass(frozen=True, eq=False)
class Done:
    """A job's result."""

    number: int
    result: Any


@dataclass(frozen=True)
class WorkFailed:
    """A job that has no result; the worker lives."""

    number: int
    kind: FailureKind
    text: str


FROM_WORKER = (Alive, Checked, Ready, LoadFailed, Leaving, Note, Progressed, BestSoFar, Asked, Done, WorkFailed)
