"""The engine without workers: jobs are done here, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from interpose_ros.engine.protocol import Finished, Lost, Result, Task


class InProcessEngine:
    """Does the jobs in this process. There is no worker that could die alone, so no job is ever lost."""

    name = "local"

    def run(self, task: Task[Any, Any, Result], jobs: Sequence[Any]) -> Iterator[Finished[Result] | Lost]:
        """Every job's outcome, in order."""
        if not jobs:
            return
        tools = task.build(task.config)
        for number, job in enumerate(jobs):
            yield Finished(number, task.work(tools, job))
