"""Camera positions and lengths that the node says, in metres, beside the true ones and those of odometry alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.recorded_truth import RecordedDrive
from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import inverse
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp

Pair = tuple[int, int]
Pose = Float[np.ndarray, "4 4"]


def placed_keyframes(
    answers: Mapping[Pair, RelativePose], tf_edges: Mapping[str, tuple[str, Pose]], truth: Trajectory
) -> dict[int, Pose]:
    """``T_world_camera`` by stamp of the keyframes that /tf connects to the first one with truth.

    That one is placed at its true pose; the others are chained from it, with the lengths that /tf has.

    Args:
        answers: by stamps of both keyframes; they say which frame is which keyframe.
        tf_edges: parent frame and ``T_parent_child`` by child frame.
        truth: of the camera.
    """
    stamp_of_frame = _stamps(answers)
    relative: dict[int, list[tuple[int, Pose]]] = {}
    for child_frame, (parent_frame, T_parent_child) in tf_edges.items():
        if child_frame not in stamp_of_frame or parent_frame not in stamp_of_frame:
            continue
        parent, child = stamp_of_frame[parent_frame], stamp_of_frame[child_frame]
        relative.setdefault(parent, []).append((child, T_parent_child))
        relative.setdefault(child, []).append((parent, inverse(T_parent_child)))
    known = [(stamp, pose) for stamp in sorted(relative) if (pose := truth.pose_at(stamp)) is not None]
    if not known:
        return {}
    first, T_world_first = known[0]
    placed = {first: T_world_first}
    open_ends = [first]
    while open_ends:
        stamp = open_ends.pop()
        for neighbour, T in relative[stamp]:
            if neighbour not in placed:
                placed[neighbour] = placed[stamp] @ T
                open_ends.append(neighbour)
    return dict(sorted(placed.items()))


def odometry_alone(drive: RecordedDrive) -> dict[int, Pose]:
    """``T_world_camera`` by stamp of the images, if the camera had followed odometry from the first image with truth."""
    known = [s for s in drive.jpegs if drive.truth.pose_at(s) is not None and drive.odometry.pose_at(s) is not None]
    if not known:
        return {}
    T_world_start, T_odom_start = drive.truth.pose_at(known[0]), drive.odometry.pose_at(known[0])
    assert T_world_start is not None
    assert T_odom_start is not None
    T_world_odom = T_world_start @ inverse(T_odom_start)
    return {s: T_world_odom @ T for s in drive.jpegs if (T := drive.odometry.pose_at(s)) is not None}


def position_errors(placed: Mapping[int, Pose], truth: Trajectory) -> list[float]:
    """Distances in metres from the true positions, where these are known."""
    true = {stamp: pose for stamp in placed if (pose := truth.pose_at(stamp)) is not None}
    return [float(np.linalg.norm(placed[stamp][:3, 3] - pose[:3, 3])) for stamp, pose in true.items()]


def length_summary(answers: Mapping[Pair, RelativePose], truth: Trajectory) -> dict[str, object]:
    """How many answers have a metric length, how far these are from the true ones, and whether that was predicted."""
    relative, normalised = [], []
    accepted = [a for a in answers.values() if a.status == RelativePose.STATUS_OK]
    scaled = [a for a in accepted if a.scale_source != RelativePose.SCALE_NONE]
    for message in scaled:
        stamps = (nanoseconds_from_stamp(name.stamp) for name in (message.keyframe_a, message.keyframe_b))
        T_a_b = truth.relative_pose(*stamps)
        if T_a_b is not None:
            p = message.pose.pose.position
            true = float(np.linalg.norm(T_a_b[:3, 3]))
            error = float(np.linalg.norm([p.x, p.y, p.z])) - true
            relative.append(abs(error) / true)
            normalised.append(abs(error) / message.scale_stddev)
    return {
        "answers": len(accepted),
        "with_length": len(scaled),
        "median_relative_error": float(np.median(relative)) if relative else None,
        "largest_relative_error": max(relative) if relative else None,
        "within_two_standard_deviations_percent": 100 * float(np.mean(np.array(normalised) < 2))
        if normalised
        else None,
    }


def _stamps(answers: Mapping[Pair, RelativePose]) -> dict[str, int]:
    """Stamps by /tf frame."""
    stamp_of_frame = {}
    for message in answers.values():
        stamp_of_frame[message.parent_frame_id] = nanoseconds_from_stamp(message.keyframe_a.stamp)
        stamp_of_frame[message.child_frame_id] = nanoseconds_from_stamp(message.keyframe_b.stamp)
    return stamp_of_frame
