"""What one estimate reports while it works, when it must end, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from interpose_ros.selection.budget import Budget

Progress = Callable[[str, float], None]
"""Called with the stage ("overlap", "clips", "clip_poses", "selection") and the fraction of the whole, 0 to 1."""


class EstimateRun:
    """One estimate under way: its progress, its limits and its clock."""

    def __init__(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        budget: Budget | None = None,
    ) -> None:
        """The budget's seconds count from here."""
        self._progress, self._cancelled = progress, cancelled
        self._fraction = 0.0
        self.budget = (budget or Budget()).started()
        self.stage_seconds: dict[str, float] = {}
        self.cut_short: str | None = None

    def report(self, stage: str, fraction: float) -> None:
        """Say how far the work is; a fraction below an earlier one is raised to it."""
        self._fraction = max(self._fraction, min(fraction, 1.0))
        if self._progress is not None:
            self._progress(stage, self._fraction)

    def share_of_rest(self, stage: str, start: float, share: float) -> Callable[[float], None]:
        """Progress of one piece of work that takes a share of what is left after ``start``."""
        return lambda fraction: self.report(stage, start + share * fraction * (1.0 - start))

    def must_end(self) -> bool:
        """Whether somebody cancelled or the time is up, which ``cut_short`` then says."""
        if self.cut_short is None:
            if self._cancelled is not None and self._cancelled():
                self.cut_short = "cancelled"
            elif self.budget.time_is_up:
                self.cut_short = "out of time"
        return self.cut_short is not None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the wall-clock seconds inside to those of the stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + time.perf_counter() - start
