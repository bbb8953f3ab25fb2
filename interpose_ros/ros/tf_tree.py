"""The edges between keyframes that go out on /tf: one parent each, never a cycle."""

from __future__ import annotations

from dataclasses import dataclass

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


class TfTree:
    """A forest of keyframes. Not thread-safe: its owner holds the lock."""

    def __init__(self) -> None:
        self._edge_of_child: dict[KeyframeId, TfEdge] = {}

    @property
    def edges(self) -> list[TfEdge]:
        """Every live edge, in the order in which the children were first connected."""
        return list(self._edge_of_child.values())

    def offer(self, edge: TfEdge) -> bool:
        """Take an edge where it gives its child a parent, or a better one, without closing a cycle."""
        present = self._edge_of_child.get(edge.child)
        if present is not None and present.parent != edge.parent and present.quality >= edge.quality:
            return False
        if self._descends_from(edge.parent, edge.child):
            return False
        self._edge_of_child[edge.child] = edge
        return True

    def is_connected(self, keyframe: KeyframeId) -> bool:
        """Whether a live edge starts or ends at the keyframe."""
        return any(keyframe in (edge.parent, edge.child) for edge in self._edge_of_child.values())

    def remove(self, keyframe: KeyframeId) -> None:
        """Drop every edge at the keyframe; its children become roots."""
        self._edge_of_child = {
            child: edge for child, edge in self._edge_of_child.items() if keyframe not in (child, edge.parent)
        }

    def clear(self) -> None:
        """Drop every edge."""
        self._edge_of_child.clear()

    def _descends_from(self, keyframe: KeyframeId, ancestor: KeyframeId) -> bool:
        while keyframe != ancestor:
            edge = self._edge_of_child.get(keyframe)
            if edge is None:
                return False
            keyframe = edge.parent
        return True
