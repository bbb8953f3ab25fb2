"""Which views a worker holds, so that the pixels of a keyframe are sent once, however many pairs it is in."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import fields
from weakref import WeakKeyDictionary, WeakValueDictionary

from interpose_ros.engine.messages import Drop, Hold
from interpose_ros.views import View


class ViewLedger:
    """The owner's side. Decides what the worker holds. Its owner holds a lock, but for ``view_of``.

    Args:
        max_bytes: most bytes of images that the worker holds. What one message needs is held in any case.
    """

    def __init__(self, max_bytes: float) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._next = itertools.count(1)
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self._numbers: WeakKeyDictionary[View, int] = WeakKeyDictionary()
        self._views: WeakValueDictionary[int, View] = WeakValueDictionary()
        self._unsent: list[Hold] = []

    @property
    def nbytes(self) -> int:
        """Bytes of the images that the worker holds."""
        return self._bytes

    def number_of(self, view: View) -> int:
        """The view's number; one that the worker lacks is on the list of ``before`` from now on."""
        number = self._numbers.get(view)
        if number is None or number not in self._sizes:
            number = next(self._next)
            self._numbers[view] = number
            self._views[number] = view
            self._sizes[number] = view.image.nbytes
            self._bytes += view.image.nbytes
            self._unsent.append(Hold(number, {field.name: getattr(view, field.name) for field in fields(view)}))
        self._sizes.move_to_end(number)
        return number

    def view_of(self, number: int) -> View:
        """The view of a number.

        Raises:
            KeyError: nobody holds that view any more.
        """
        return self._views[number]

    def before(self) -> list[Hold | Drop]:
        """What the worker must be told before a message whose views were numbered since the last call."""
        unsent, self._unsent = self._unsent, []
        needed = {hold.number for hold in unsent}
        gone = []
        while self._bytes > self._max_bytes and len(self._sizes) > max(len(needed), 2):
            number = next(iter(self._sizes))
            if number in needed:
                break
            self._bytes -= self._sizes.pop(number)
            gone.append(number)
        drops: list[Hold | Drop] = [Drop(tuple(gone))] if gone else []
        return [*drops, *unsent]


class HeldViews:
    """The worker's side: holds what it is told to, and forgets what it is told to."""

    def __init__(self) -> None:
        self._views: dict[int, View] = {}
        self._numbers: WeakKeyDictionary[View, int] = WeakKeyDictionary()

    def hold(self, message: Hold) -> None:
        """Take a view."""
        view = View(**message.parts)
        self._views[message.number] = view
        self._numbers[view] = message.number

    def drop(self, message: Drop) -> None:
        """Let views go; a job that uses one keeps it alive."""
        for number in message.numbers:
            self._views.pop(number, None)

    def number_of(self, view: View) -> int | None:
        """The number by which the owner knows a view; None for a view that was made here."""
        return self._numbers.get(view)

    def view_of(self, number: int) -> View:
        """The view of a number.

        Raises:
            KeyError: it was never sent.
        """
        return self._views[number]
