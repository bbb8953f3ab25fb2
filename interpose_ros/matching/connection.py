"""Whether verified matches lead through a clip from A to B, asked with as few matches as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Connection:
    """How far verified matches reach into a clip from either end.

    Views are numbered along the clip: 0 is A, ``count - 1`` is B.

    Attributes:
        count: views, A and B among them.
        from_a: the farthest view that was reached from A.
        from_b: the farthest view that was reached from B, going back; ``from_a + 1`` or less only where nothing is left
            between.
        connected: whether A and B are connected, across left-out views if there are any.
    """

    count: int
    from_a: int
    from_b: int
    connected: bool

    @property
    def kept(self) -> list[int]:
        """The views that a path may use: those that do not lie in a stretch that it has to jump over."""
        return [n for n in range(self.count) if n <= self.from_a or n >= self.from_b]

    @property
    def left_out(self) -> int:
        """Views in the stretch that has to be jumped over."""
        return self.count - len(self.kept)


def connect(count: int, linked: Callable[[int, int], bool]) -> Connection:
    """Follow links from A as far as they lead, and from B, halving the steps where views are not linked.

    A clip with a cut costs about twice the logarithm of its length in matches, and one that leads through about as many as
    its path has steps. A stretch of foreign frames in between may be jumped over by one link.

    Args:
        count: views, A and B among them; at least 2.
        linked: whether two views share verified matches; asked once per pair at most.
    """
    known: dict[tuple[int, int], bool] = {}

    def ask(i: int, j: int) -> bool:
        pair = (min(i, j), max(i, j))
        if pair not in known:
            known[pair] = linked(*pair)
        return known[pair]

    last = count - 1
    from_a = _follow(0, last, ask)[-1]
    if from_a == last:
        return Connection(count, last, last, True)
    back = _follow(last, from_a, ask)
    if back[-1] == from_a:  # a step back has jumped over what the way from A could not enter
        return Connection(count, from_a, back[-2], True)
    return Connection(count, from_a, back[-1], ask(from_a, back[-1]))


def _follow(start: int, goal: int, ask: Callable[[int, int], bool]) -> list[int]:
    """The views that links lead over towards the goal, as far as they do."""
    if ask(start, goal):
        return [start, goal]
    if abs(goal - start) == 1:
        return [start]
    middle = (start + goal) // 2
    path = _follow(start, middle, ask)
    return [*path, *_follow(middle, goal, ask)[1:]] if path[-1] == middle else path
