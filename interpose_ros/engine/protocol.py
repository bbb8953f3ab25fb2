"""What every engine does: jobs in, results out as they finish, whatever happens to the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from interpose_ros.config import InterposeConfig

Tools = TypeVar("Tools")
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Task(Generic[Tools, Job, Result]):
    """What is done with every job. All of it is picklable, so that it can travel to a worker.

    Attributes:
        build: a worker's tools, most often a pipeline with its networks, from the configuration; called once per worker.
        work: the result of one job.
        config: what ``build`` gets.
    """

    build: Callable[[InterposeConfig], Tools]
    work: Callable[[Tools, Job], Result]
    config: InterposeConfig


@dataclass(frozen=True)
class Finished(Generic[Result]):
    """A job that was done.

    Attributes:
        job: its number in the sequence of jobs.
        result: what ``work`` returned.
    """

    job: int
    result: Result


@dataclass(frozen=True)
class Lost:
    """A job that every worker that took it died of.

    Attributes:
        job: its number in the sequence of jobs.
        reason: a sentence for people.
    """

    job: int
    reason: str


@runtime_checkable
class Engine(Protocol):
    """A place where jobs are done."""

    name: str

    def run(self, task: Task[Any, Any, Result], jobs: Sequence[Any]) -> Iterator[Finished[Result] | Lost]:
        """Every job's outcome exactly once, in the order in which they finish.

        A worker that dies costs no job: what it was doing is done again by another, and is ``Lost`` only after several
        workers died of it. An exception that ``build`` or ``work`` raises is no death: it is raised here.
        """
        ...
