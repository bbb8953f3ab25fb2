"""Frames that are fixed to one another, from /tf_static."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Transform
from jaxtyping import Float
from tf2_msgs.msg import TFMessage

from interpose_ros.geometry.se3 import inverse, rotation_from_quaternion_xyzw, transform_from_rotation_translation


class StaticTransforms:
    """The forest that /tf_static describes. Not thread-safe: its owner holds the lock."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, Float[np.ndarray, "4 4"]]] = {}

    def add(self, message: TFMessage) -> list[str]:
        """Take transforms in; the newest of a child counts, as with tf2. Returns a sentence for each that is no pose."""
        problems = []
        for stamped in message.transforms:
            parent, child = stamped.header.frame_id.lstrip("/"), stamped.child_frame_id.lstrip("/")
            try:
                self._parents[child] = parent, _matrix(stamped.transform)
            except ValueError as error:
                problems.append(f"transform from '{parent}' to '{child}': {error}")
        return problems

    def between(self, target: str, source: str) -> Float[np.ndarray, "4 4"] | None:
        """``T_target_source``, which maps coordinates of ``source`` into ``target``; None where nothing connects them."""
        from_target, from_source = self._up(target.lstrip("/")), self._up(source.lstrip("/"))
        common = next((frame for frame in from_source if frame in from_target), None)
        if common is None:
            return None
        return inverse(from_target[common]) @ from_source[common]

    def _up(self, frame: str) -> dict[str, Float[np.ndarray, "4 4"]]:
        """``T_ancestor_frame`` for the frame itself and all its ancestors, the nearest first."""
        T_ancestor_frame = {frame: np.eye(4)}
        at = frame
        while at in self._parents:
            parent, T_parent_at = self._parents[at]
            if parent in T_ancestor_frame:  # a loop, which no tree has; what was found until here holds
                break
            T_ancestor_frame[parent] = T_parent_at @ T_ancestor_frame[at]
            at = parent
        return T_ancestor_frame


def _matrix(transform: Transform) -> Float[np.ndarray, "4 4"]:
    t, q = transform.translation, transform.rotation
    translation = np.array([t.x, t.y, t.z])
    if not np.all(np.isfinite(translation)):
        raise ValueError(f"the translation {translation.tolist()} is not finite")
    return transform_from_rotation_translation(
        rotation_from_quaternion_xyzw(np.array([q.x, q.y, q.z, q.w])), translation
    )
