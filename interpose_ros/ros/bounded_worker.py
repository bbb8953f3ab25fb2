"""A thread with a bounded queue, so that ROS callbacks only store and return."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedWorker(Generic[T]):
    """Handles items one after another on a thread of its own.

    Args:
        name: of the thread.
        capacity: most items that wait; beyond it one is handed to ``dropped``.
        handle: does the work.
        dropped: told of each item that was never handled, on the thread that put the newest one in.
        failed: told of an error that ``handle`` let out; the thread goes on.
        weigh: weight of an item, in bytes for instance.
        max_weight: most weight that waits; a single item may be heavier.
        victim: from the number of items, with the newest one, to the place of the one that is dropped; 0 is the oldest.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        handle: Callable[[T], None],
        dropped: Callable[[T], None],
        failed: Callable[[T, Exception], None],
        weigh: Callable[[T], float] = lambda item: 0.0,
        max_weight: float = math.inf,
        victim: Callable[[int], int] = lambda count: 0,
    ) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._max_weight = max_weight
        self._victim = victim
        self._handle = handle
        self._dropped = dropped
        self._failed = failed
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def load(self) -> int:
        """Items that wait or are being handled."""
        with self._condition:
            return len(self._items) + self._busy

    def put(self, item: T) -> None:
        """Add an item; never blocks."""
        displaced = []
        with self._condition:
            if self._stopping:
                return
            self._items.append(item)
            weight = sum(self._weigh(other) for other in self._items)
            while len(self._items) > 1 and (len(self._items) > self._capacity or weight > self._max_weight):
                place = self._victim(len(self._items))
                displaced.append(self._items[place])
                del self._items[place]
                weight -= self._weigh(displaced[-1])
            self._condition.notify()
        for other in displaced:
            self._dropped(other)

    def clear(self) -> None:
        """Forget all items that wait."""
        with self._condition:
            self._items.clear()

    def stop(self, timeout: float) -> bool:
        """Forget what waits and end after the item in hand. True when the thread has ended within ``timeout`` seconds."""
        with self._condition:
            self._stopping = True
            self._items.clear()
            self._condition.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._items or self._stopping)
                if self._stopping:
                    return
                item = self._items.popleft()
                self._busy = True
            try:
                self._handle(item)
            except Exception as error:  # one bad item must not end the thread
                self._failed(item, error)
            finally:
                with self._condition:
                    self._busy = False
