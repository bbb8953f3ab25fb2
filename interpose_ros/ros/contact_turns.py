"""One request is answered at a time, a few wait for their turn, more are turned away."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum


class Turn(Enum):
    """What came of waiting."""

    MINE = "mine"
    FULL = "full"
    TOO_LATE = "too late"
    CLOSED = "closed"


class Turns:
    """A line of callers; those who wait do so in their own threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting = 0

    @contextlib.contextmanager
    def turn(self, most_waiting: int, deadline: float, is_open: Callable[[], bool]) -> Iterator[Turn]:
        """Wait for the turn, and have it for the time of the context where MINE is given.

        Args:
            most_waiting: callers that may wait; one more gets FULL at once.
            deadline: on `time.monotonic`; TOO_LATE after it.
            is_open: asked whenever `recheck` is called; CLOSED where it says no.
        """
        outcome = self._wait(most_waiting, deadline, is_open)
        try:
            yield outcome
        finally:
            if outcome is Turn.MINE:
                with self._changed:
                    self._taken = False
                    self._changed.notify_all()

    def recheck(self) -> None:
        """Let those who wait ask whether they still may."""
        with self._changed:
            self._changed.notify_all()

    def _wait(self, most_waiting: int, deadline: float, is_open: Callable[[], bool]) -> Turn:
        with self._changed:
            if self._taken and self._waiting >= most_waiting:
                return Turn.FULL
            self._waiting += 1
            try:
                while self._taken and is_open():
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return Turn.TOO_LATE
                    self._changed.wait(left)
                if not is_open():
                    return Turn.CLOSED
                self._taken = True
                return Turn.MINE
            finally:
                self._waiting -= 1
