"""The edges between keyframes that go out on /tf: one parent each, never a cycle."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float

from interpose_ros.views import KeyframeId


@dataclass(frozen=True, eq=False)
class TfEdge:
    """Pose of a child keyframe's camera in its parent's: ``p_parent = R_parent_child p_child + t_parent_child``.

    ``quality`` ranks edges to one child; the higher one stays.
    """

    parent: KeyframeId
    child: KeyframeId
    R_parent_child: Float[np.ndarray, "3 3"]
    t_parent_child: Float[np.ndarray, "3"]
    quality: float


class Offer(Enum):
    """What became of an edge that was offered."""

    TAKEN = "taken"
    WORSE = "worse"
    CYCLE = "cycle"
    FOREIGN_PARENT = "foreign parent"


class TfTree:
    """A forest of keyframes. Not thread-safe: its owner holds the lock.

    Args:
        frame_name: name of a keyframe on /tf.
        foreign_parent: the parent that somebody else gives a frame on /tf, None where nobody does.
    """

    def __init__(self, frame_name: Callable[[KeyframeId], str], foreign_parent: Callable[[str], str | None]) -> None:
        self._frame_name = frame_name
        self._foreign_parent = foreign_parent
        self._edge_of_child: dict[KeyframeId, TfEdge] = {}
        self._parent_frames: dict[str, str] = {}

    @property
    def edges(self) -> list[TfEdge]:
        """Every live edge, in the order in which the children were first connected."""
        return list(self._edge_of_child.values())

    def offer(self, edge: TfEdge) -> Offer:
        """Take an edge where it gives its child a parent, or a better one, without closing a cycle on /tf.

        A frame that somebody else gives a parent is never a child here: tf2 would jump between the two.
        """
        if self._foreign_parent(self._frame_name(edge.child)) is not None:
            return Offer.FOREIGN_PARENT
        present = self._edge_of_child.get(edge.child)
        if present is not None and present.parent != edge.parent and present.quality >= edge.quality:
            return Offer.WORSE
        if self._descends_from(self._frame_name(edge.parent), self._frame_name(edge.child)):
            return Offer.CYCLE
        self._edge_of_child[edge.child] = edge
        self._parent_frames[self._frame_name(edge.child)] = self._frame_name(edge.parent)
        return Offer.TAKEN

    def is_connected(self, keyframe: KeyframeId) -> bool:
        """Whether a live edge starts or ends at the keyframe."""
        return any(keyframe in (edge.parent, edge.child) for edge in self._edge_of_child.values())

    def remove(self, keyframe: KeyframeId) -> None:
        """Drop every edge at the keyframe; its children become roots."""
        self._keep(edge for edge in self.edges if keyframe not in (edge.child, edge.parent))

    def remove_children(self, frames: Collection[str]) -> list[TfEdge]:
        """Drop the edges to frames of these names; returns them."""
        gone = [edge for edge in self.edges if self._frame_name(edge.child) in frames]
        self._keep(edge for edge in self.edges if edge not in gone)
        return gone

    def clear(self) -> None:
        """Drop every edge."""
        self._keep(())

    def _keep(self, edges) -> None:
        self._edge_of_child = {edge.child: edge for edge in edges}
        self._parent_frames = {
            self._frame_name(edge.child): self._frame_name(edge.parent) for edge in self._edge_of_child.values()
        }

    def _descends_from(self, frame: str, ancestor: str) -> bool:
        seen = set()
        while frame != ancestor:
            seen.add(frame)
            parent = self._parent_frames.get(frame) or self._foreign_parent(frame)
            if parent is None or parent in seen:  # others may have made a cycle of their own
                return False
            frame = parent
        return True
