"""Messages over a pipe: pickled, with large arrays beside the pickle instead of copied into it, and bounded in size."""

from __future__ import annotations

import io
import pickle
import struct
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from interpose_ros.views import View

MAX_MESSAGE_BYTES = 2 * 2**30
"""More than the frames of the longest clip; what claims to be larger is not even allocated."""

MAX_BUFFERS = 10_000


class GarbledMessage(ValueError):
    """What came over the pipe is no message."""


class Channel:
    """Both ends of a pipe between processes of one program that trust each other. ``send`` may be called by any thread.

    Args:
        connection: a duplex pipe's end.
        number_of: the number by which the other side knows a view; None where it does not.
        view_of: the view that the other side means by a number; raises ``KeyError`` for an unknown one.
    """

    def __init__(
        self,
        connection: Connection,
        number_of: Callable[[View], int | None],
        view_of: Callable[[int], View],
    ) -> None:
        self._connection = connection
        self._number_of = number_of
        self._view_of = view_of
        self._sending = threading.Lock()

    def send(self, message: Any) -> None:
        """Send a message; blocks while the pipe is full.

        Raises:
            OSError: the other side is gone.
        """
        self.send_packed(self.pack(message))

    def pack(self, message: Any) -> list[Any]:
        """The message as it travels, without copies of its arrays."""
        buffers: list[pickle.PickleBuffer] = []
        file = io.BytesIO()
        _Pickler(file, buffers, self._number_of).dump(message)
        raw = [buffer.raw() for buffer in buffers]
        sizes = [len(part) for part in raw]
        return [struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes), file.getbuffer(), *raw]

    def send_packed(self, parts: list[Any]) -> None:
        """Send what ``pack`` returned."""
        with self._sending:
            for part in parts:
                self._connection.send_bytes(part)

    def receive(self) -> Any:
        """The next message; waits for it.

        Raises:
            EOFError, OSError: the other side is gone.
            GarbledMessage: what came is no message.
        """
        head = self._receive_bytes(4 + 8 * MAX_BUFFERS)
        if len(head) < 4:
            raise GarbledMessage(f"a message begins with {len(head)} bytes")
        (count,) = struct.unpack_from("<I", head)
        if count > MAX_BUFFERS or len(head) != 4 + 8 * count:
            raise GarbledMessage(f"a message's head of {len(head)} bytes says that {count} arrays follow")
        sizes = struct.unpack_from(f"<{count}Q", head, 4)
        if sum(sizes) > MAX_MESSAGE_BYTES:
            raise GarbledMessage(f"a message claims {sum(sizes)} bytes of arrays")
        pickled = self._receive_bytes(MAX_MESSAGE_BYTES)
        buffers = []
        for size in sizes:
            buffer = bytearray(size)
            if size:
                self._connection.recv_bytes_into(buffer)
            else:
                self._connection.recv_bytes(0)
            buffers.append(buffer)
        try:
            return _Unpickler(pickled, buffers, self._view_of).load()
        except Exception as error:  # a damaged pickle can raise anything
            raise GarbledMessage(f"a message cannot be read: {type(error).__name__}: {error}") from error

    def poll(self, timeout: float) -> bool:
        """Whether ``receive`` would not wait, asked for up to ``timeout`` seconds.

        Raises:
            OSError: the other side is gone.
        """
        return self._connection.poll(timeout)

    def close(self) -> None:
        """End this side."""
        self._connection.close()

    def _receive_bytes(self, most: int) -> bytes:
        try:
            return self._connection.recv_bytes(most)
        except OSError as error:
            if error.errno is None:  # "bad message length": raised without a number
                raise GarbledMessage(f"a message has a wrong length: {error}") from error
            raise


class _Pickler(pickle.Pickler):
    def __init__(
        self, file: io.BytesIO, buffers: list[pickle.PickleBuffer], number_of: Callable[[View], int | None]
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffers.append)
        self._number_of = number_of

    def persistent_id(self, obj: Any) -> int | None:
        return self._number_of(obj) if isinstance(obj, View) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, buffers: list[bytearray], view_of: Callable[[int], View]) -> None:
        super().__init__(io.BytesIO(pickled), buffers=buffers)
        self._view_of = view_of

    def persistent_load(self, pid: Any) -> View:
        return self._view_of(pid)
