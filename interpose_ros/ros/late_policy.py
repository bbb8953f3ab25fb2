"""Which pair goes when more wait than may. Places count from the oldest, 0; the newest is the one that has just come."""

from __future__ import annotations

from collections.abc import Callable

from interpose_ros.ros.node_config import NodeConfig


def drop_oldest(count: int) -> int:
    """The one that has waited longest: answers are about what the robot sees now."""
    return 0


def drop_newest(count: int) -> int:
    """The one that has just come: what was begun is finished first."""
    return count - 1


class SkipEveryOther:
    """Every other one, from the oldest on and then again: what remains is spread evenly over the way."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, count: int) -> int:
        place = self._next if self._next < count - 1 else 0
        # What is behind moves up into the place that gets free, so the next but one is the following place.
        self._next = place + 1
        return place


def victim_from(config: NodeConfig) -> Callable[[int], int]:
    """The policy that the settings name."""
    return {"drop_oldest": drop_oldest, "drop_newest": drop_newest}.get(config.when_late) or SkipEveryOther()
