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
from interpose_ros.ros.demo_listener import DemoListener


@dataclass(frozen=True, eq=False)
class PlacedKeyframes:
    """Keyframes that /tf connects to the first one with truth.

    Attributes:
        T_world_camera: by stamp, through /tf from the first keyframe, which is placed at its true pose.
        true_lengths: some edges had no metric scale, and took their length from the truth.
    """

    T_world_camera: dict[int, Float[np.ndarray, "4 4"]]
    true_lengths: bool


def placed_keyframes(listener: DemoListener, truth: Trajectory) -> PlacedKeyframes:
    """Chain the edges of /tf from the first keyframe that the truth knows."""
    stamp_of_frame, has_scale = _frames(listener.answers)
    relative: dict[int, list[tuple[int, Float[np.ndarray, "4 4"]]]] = {}
    true_lengths = False
    for child_frame, (parent_frame, T_parent_child) in listener.tf_edges.items():
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
    known = [stamp for stamp in sorted(relative) if truth.pose_at(stamp) is not None]
    if not known:
        return PlacedKeyframes({}, true_lengths)
    placed = {known[0]: truth.pose_at(known[0])}
    open_ends = [known[0]]
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
