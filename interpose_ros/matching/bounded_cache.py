"""A cache that forgets what was least recently used once its memory budget is spent."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key, with a size in bytes each. A value larger than the whole budget is not kept."""

    def __init__(self, max_bytes: float) -> None:
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Sum of the sizes of all entries."""
        return self._bytes

    def get(self, key: Key) -> Value | None:
        """The value of a key, which becomes the most recently used; None if it is not held."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, nbytes: int) -> None:
        """Hold a value, at the cost of those used least recently."""
        old = self._entries.pop(key, None)
        if old is not None:
            self._bytes -= old[1]
        if nbytes > self._max_bytes:
            return
        self._entries[key] = (value, nbytes)
        self._bytes += nbytes
        while self._bytes > self._max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0
