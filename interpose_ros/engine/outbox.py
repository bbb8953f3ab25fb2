"""What waits to be sent to a worker."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any

from interpose_ros.engine.channel import Channel
from interpose_ros.engine.view_ledger import ViewLedger


class Outbox:
    """Sends on a thread of its own: a worker that hangs takes nothing in, and whoever has a message must not wait for it.

    Args:
        channel: to the worker.
        ledger: of the views that it holds.
        name: of the thread.
    """

    def __init__(self, channel: Channel, ledger: ViewLedger, name: str) -> None:
        self._channel = channel
        self._ledger = ledger
        self._packing = threading.Lock()
        self._packed: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, name=name, daemon=True)
        self._thread.start()

    def put(self, message: Any) -> None:
        """Send a message, after the views in it that the worker lacks.

        Raises:
            Exception: it cannot be pickled; nothing is sent.
        """
        with self._packing:
            packed = self._channel.pack(message)
            for first in self._ledger.before():
                self._packed.put(self._channel.pack(first))
            self._packed.put(packed)

    def close(self) -> None:
        """End the thread, once the worker is gone."""
        self._packed.put(None)
        self._thread.join()

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while (packed := self._packed.get()) is not None:
                self._channel.send_packed(packed)
