"""The node's executor."""

from __future__ import annotations

import time
from typing import Any

from rclpy.event_handler import EventHandler
from rclpy.executors import MultiThreadedExecutor

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
