"""Views on the way to a Ray cluster and back: the pixels of each go there once, and none come back that are here already."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from interpose_ros.engine.channel import ViewPickler, ViewUnpickler
from interpose_ros.views import View


class SentViews:
    """The side that has the views. Each is in the cluster's store for as long as it is held here.

    Args:
        put: stores an object in the cluster, and returns the reference to it.
    """

    def __init__(self, put: Callable[[View], Any]) -> None:
        self._put = put
        self._next = itertools.count(1)
        self._numbers: WeakKeyDictionary[View, int] = WeakKeyDictionary()
        self._views: WeakValueDictionary[int, View] = WeakValueDictionary()
        self._references: WeakKeyDictionary[View, Any] = WeakKeyDictionary()

    def pack(self, message: Any) -> tuple[bytes, dict[int, Any]]:
        """The message with numbers in the place of views, and references to those."""
        used: dict[int, Any] = {}

        def number_of(view: View) -> int:
            if view not in self._numbers:
                self._references[view] = self._put(view)
                number = self._numbers[view] = next(self._next)
                self._views[number] = view
            number = self._numbers[view]
            used[number] = self._references[view]
            return number

        file = io.BytesIO()
        ViewPickler(file, number_of).dump(message)
        return file.getvalue(), used

    def unpack(self, packed: bytes) -> Any:
        """A message of the other side."""
        return ViewUnpickler(io.BytesIO(packed), self._views.__getitem__).load()


class FetchedViews:
    """The cluster's side.

    Args:
        get: fetches an object by its reference.
    """

    def __init__(self, get: Callable[[Any], View]) -> None:
        self._get = get
        self._numbers: WeakKeyDictionary[View, int] = WeakKeyDictionary()
        self._views: WeakValueDictionary[int, View] = WeakValueDictionary()

    def pack(self, message: Any) -> bytes:
        """The message with numbers in the place of views that came from the other side."""
        file = io.BytesIO()
        ViewPickler(file, self._numbers.get).dump(message)
        return file.getvalue()

    def unpack(self, packed: bytes, references: Mapping[int, Any]) -> Any:
        """A message of the other side; what it names is held for as long as the message is."""

        def view_of(number: int) -> View:
            view = self._views.get(number)
            if view is None:
                view = self._views[number] = self._get(references[number])
                self._numbers[view] = number
            return view

        return ViewUnpickler(io.BytesIO(packed), view_of).load()
