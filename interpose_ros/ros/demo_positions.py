"""Camera positions that /tf says, placed in the world to be drawn beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import inverse
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp


@dataclass(frozen=True, eq=False)
class PlacedKeyframes:
    """Keyframes that /tf connects to the first one with truth.

    Attributes:
        T_world_camera: by stamp, through /tf from the first keyframe, which is placed at its true pose.
        true_lengths: some edges had no metric scale, and took their length from the truth.
    """

    T_world_camera: dict[int, Float[np.ndarray, "4 4"]]
    true_lengths: bool


def placed_keyframes(
    answers: Mapping[tuple[int, int], RelativePose],
    tf_edges: Mapping[str, tuple[str, Float[np.ndarray, "4 4"]]],
    truth: Trajectory,
) -> PlacedKeyframes:
    """Chain the edges of /tf from the first keyframe that the truth knows.

    Args:
        answers: by stamps of both keyframes; they say which frame is which keyframe, and whether lengths are metric.
        tf_edges: parent frame and ``T_parent_child`` by child frame.
        truth: of the camera.
    """
    stamp_of_frame, has_scale = _frames(answers)
    relative: dict[int, list[tuple[int, Float[np.ndarray, "4 4"]]]] = {}
    true_lengths = False
    for child_frame, (parent_frame, T_parent_child) in tf_edges.items():
        if child_frame not in stamp_of_frame or parent_frame not in stamp_of_frame:
            continue
        parent, child = stamp_of_frame[parent_frame], stamp_of_frame[child_frame]
        T = T_parent_child.copy()
        if not has_scale.get((parent, child), False):
            T_true = truth.relative_pose(parent, child)
            if T_true is None:
                continue
            T[:3, 3] *= np.linalg.norm(T_true[:3, 3])
            true_lengths = True
        relative.setdefault(parent, []).append((child, T))
        relative.setdefault(child, []).append((parent, inverse(T)))
    known = [(stamp, pose) for stamp in sorted(relative) if (pose := truth.pose_at(stamp)) is not None]
    if not known:
        return PlacedKeyframes({}, true_lengths)
    first, T_world_first = known[0]
    placed = {first: T_world_first}
    open_ends = [first]
    while open_ends:
        stamp = open_ends.pop()
        for neighbour, T in relative[stamp]:
            if neighbour not in placed:
                placed[neighbour] = placed[stamp] @ T
                open_ends.append(neighbour)
    return PlacedKeyframes(dict(sorted(placed.items())), true_lengths)


def _frames(answers: Mapping[tuple[int, int], RelativePose]) -> tuple[dict[str, int], dict[tuple[int, int], bool]]:
    """Stamps by /tf frame, and which pairs came with a metric length."""
    stamp_of_frame, has_scale = {}, {}
    for stamps, message in answers.items():
        stamp_of_frame[message.parent_frame_id] = nanoseconds_from_stamp(message.keyframe_a.stamp)
        stamp_of_frame[message.child_frame_id] = nanoseconds_from_stamp(message.keyframe_b.stamp)
        has_scale[stamps] = message.scale_source != RelativePose.SCALE_NONE
    return stamp_of_frame, has_scale
