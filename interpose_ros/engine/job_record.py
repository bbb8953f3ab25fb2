"""A job as its owner keeps it while a worker does it."""

from __future__ import annotations

import queue
import time
from typing import Any

from interpose_ros.engine.messages import Asked, BestSoFar, Done, FailureKind, Progressed, WorkFailed


class JobRecord:
    """One job in a worker's hands: what came from the worker, for the thread that waits.

    Attributes:
        number: of the job.
        payload: the job; holds its views as long as the worker may name them.
        news: what the worker sent about it, oldest first.
        lent: views that answered the worker's questions; held for the same reason.
        last_news: when the worker last sent anything about it, on ``time.monotonic()``.
        abandoned_at: when its caller stopped waiting; None while it waits.
    """

    def __init__(self, number: int, payload: Any) -> None:
        self.number = number
        self.payload = payload
        self.news: queue.SimpleQueue[Progressed | BestSoFar | Asked | Done | WorkFailed] = queue.SimpleQueue()
        self.lent: list[Any] = []
        self.last_news = time.monotonic()
        self.abandoned_at: float | None = None

    def tell(self, message: Progressed | BestSoFar | Asked | Done | WorkFailed) -> None:
        """Take a message of the worker in."""
        self.last_news = time.monotonic()
        self.news.put(message)

    def lose(self, kind: FailureKind, text: str) -> None:
        """The worker will not send anything any more."""
        self.news.put(WorkFailed(self.number, kind, text))
