"""Who may use a worker next."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from interpose_ros.engine.worker_status import CancelledJob

LOOK = 0.05
"""Seconds between two looks at whether a caller still wants what it waits for."""


class Turns:
    """One caller after another, in the order in which they came; those in a hurry before all others."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._urgent: deque[object] = deque()
        self._others: deque[object] = deque()
        self._taken = False

    @contextmanager
    def turn(self, is_urgent: bool, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Wait for the turn and have it.

        Raises:
            CancelledJob: ``cancelled`` said so before it came.
        """
        ticket, line = object(), self._urgent if is_urgent else self._others
        with self._condition:
            line.append(ticket)
            try:
                while self._taken or self._first() is not ticket:
                    if cancelled():
                        raise CancelledJob
                    self._condition.wait(LOOK)
                self._taken = True
            finally:
                line.remove(ticket)
        try:
            yield
        finally:
            with self._condition:
                self._taken = False
                self._condition.notify_all()

    def _first(self) -> object:
        return self._urgent[0] if self._urgent else self._others[0]
