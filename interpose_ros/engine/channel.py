"""Messages over a pipe: pickled, with large arrays beside the pickle instead of copied into it, and bounded in size."""

from __future__ import annotations

import io
import os
import pickle
import struct
import threading
from collections.abc import Callable, Iterable
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
        ViewPickler(file, self._number_of, buffers.append).dump(message)
        raw = [buffer.raw() for buffer in buffers]
        sizes = [len(part) for part in raw]
        return [struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes), file.getbuffer(), *raw]

    def send_packed(self, parts: list[Any]) -> None:
        """Send what ``pack`` returned."""
        head, pickled, *arrays = parts
        with self._sending:
            self._connection.send_bytes(head)
            self._connection.send_bytes(pickled)
            for array in arrays:
                self._write(array)

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
            self._read_into(buffer)
            buffers.append(buffer)
        try:
            return ViewUnpickler(io.BytesIO(pickled), self._view_of, buffers).load()
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

    # Connection's own methods gather what comes in pieces and copy it twice: 5 ms more for an image of 2 megapixels.

    def _write(self, array: memoryview) -> None:
        rest = array
        while rest:
            rest = rest[os.write(self._connection.fileno(), rest) :]

    def _read_into(self, buffer: bytearray) -> None:
        rest = memoryview(buffer)
        while rest:
            count = os.readv(self._connection.fileno(), [rest])
            if count == 0:
                raise EOFError
            rest = rest[count:]

    def _receive_bytes(self, most: int) -> bytes:
        try:
            return self._connection.recv_bytes(most)
        except OSError as error:
            if error.errno is None:  # "bad message length": raised without a number
                raise GarbledMessage(f"a message has a wrong length: {error}") from error
            raise


class ViewPickler(pickle.Pickler):
    """Pickles with numbers in the place of views.

    Args:
        file: what is written.
        number_of: the number by which the other side knows a view; None for one that is pickled as it is.
        buffer_callback: takes the arrays, which are then beside the pickle; None leaves them in it.
    """

    def __init__(
        self,
        file: io.BytesIO,
        number_of: Callable[[View], int | None],
        buffer_callback: Callable[[pickle.PickleBuffer], None] | None = None,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._number_of = number_of

    def persistent_id(self, obj: Any) -> int | None:
        return self._number_of(obj) if isinstance(obj, View) else None


class ViewUnpickler(pickle.Unpickler):
    """Reads what ``ViewPickler`` wrote; ``view_of`` gives the view that the other side means by a number."""

    def __init__(
        self, file: io.BytesIO, view_of: Callable[[int], View], buffers: Iterable[bytearray] | None = None
    ) -> None:
        super().__init__(file, buffers=buffers)
        self._view_of = view_of

    def persistent_load(self, pid: Any) -> View:
        return self._view_of(pid)
