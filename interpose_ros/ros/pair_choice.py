"""Which pairs a new keyframe makes with those that are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from interpose_ros.ros.keyframes import KeyframeStore, ordered_pair
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.pair_list import ListedPair, parse_pair
from interpose_ros.views import KeyframeId

Pair = tuple[KeyframeId, KeyframeId]
"""Keyframes A and B."""


@runtime_checkable
class PairChoice(Protocol):
    """Chooses pairs. Asked once for every keyframe, when it has been put into the store."""

    def pairs(self, name: KeyframeId, store: KeyframeStore) -> list[Pair]:
        """Pairs of the new keyframe with others that are held."""
        ...


class PreviousKeyframe:
    """The latest older keyframe of the same camera."""

    def pairs(self, name: KeyframeId, store: KeyframeStore) -> list[Pair]:
        """At most one pair."""
        previous = store.previous(name)
        return [] if previous is None else [ordered_pair(name, previous)]


class LastKeyframes:
    """The last ``window`` keyframes of any camera."""

    def __init__(self, window: int) -> None:
        self._window = window

    def pairs(self, name: KeyframeId, store: KeyframeStore) -> list[Pair]:
        """The pair with the newest first."""
        return [ordered_pair(name, partner) for partner in store.last_before(name, self._window)]


class ListedPairs:
    """Pairs that were named beforehand; A and B are as listed."""

    def __init__(self, listed: Sequence[ListedPair]) -> None:
        self._listed = listed

    def pairs(self, name: KeyframeId, store: KeyframeStore) -> list[Pair]:
        """Listed pairs whose second keyframe to arrive is this one."""
        found: dict[Pair, None] = {}
        for a, b in self._listed:
            for other in store.names:
                if other == name:
                    continue
                if a.matches(name) and b.matches(other):
                    found[name, other] = None
                elif a.matches(other) and b.matches(name):
                    found[other, name] = None
        return list(found)


def pair_choice_from(config: NodeConfig) -> PairChoice:
    """The choice that the settings name."""
    if config.pair_choice == "previous":
        return PreviousKeyframe()
    if config.pair_choice == "window":
        return LastKeyframes(config.pair_window)
    return ListedPairs([parse_pair(text) for text in config.pair_list])
