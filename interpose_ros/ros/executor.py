"""The node's executor, and a thread that spins one."""

from __future__ import annotations

import threading
import time
from typing import Any

from rclpy.event_handler import EventHandler
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.task import Future

PERIOD = 0.5
"""Seconds between two looks at the middleware's events, at least."""

LOOK = 0.02
"""Seconds that one look takes."""


class ImageExecutor(MultiThreadedExecutor):
    """Looks at the middleware's events (of quality of service, types and losses) twice a second, if it is awake, and not at
    every message.

    rclpy's executor gathers all that may happen anew before and after each callback. Half of a node's entities are such
    events, and with images at 30 Hz gathering them took a sixth of a core, during which all other threads waited.
    """

    def __init__(self, num_threads: int) -> None:
        super().__init__(num_threads=num_threads)
        self._next_look = self._end_of_look = 0.0

    def can_execute(self, entity: Any) -> bool:
        """Whether to wait for an entity now."""
        return super().can_execute(entity) and (not isinstance(entity, EventHandler) or self._is_looking())

    def _is_looking(self) -> bool:
        now = time.monotonic()
        if now > self._end_of_look:
            if now < self._next_look:
                return False
            self._next_look, self._end_of_look = now + PERIOD, now + LOOK
        return True


class SpinThread:
    """Spins an executor on a thread of its own until it is stopped, or the context ends.

    A signal that ends the context wakes each executor once, which may be just before the context has ended: such an executor
    would wait for a message for ever.

    Args:
        executor: with its nodes; nobody else spins it.
        name: of the thread.
    """

    def __init__(self, executor: Executor, name: str) -> None:
        self._executor = executor
        self._told_to_stop: Future = Future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop, and wait for the callbacks in hand. True when the thread has ended within ``timeout`` seconds."""
        self._told_to_stop.set_result(None)  # wakes the executor, also one that missed the end of the context
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._executor.spin_until_future_complete(self._told_to_stop)
        except ExternalShutdownException:
            pass
        except RuntimeError:
            if self._executor.context.ok():  # it may end while the executor prepares to wait
                raise
