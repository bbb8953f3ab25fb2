"""Where the camera truly was: from a topic through the extrinsic, from ``/tf``, or from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.evaluation.replay.bag import Bag, BagTopic, ReplayError, is_of
from interpose_ros.evaluation.replay.poses import PoseCollector, stamped_poses
from interpose_ros.evaluation.replay.topics import TF_TYPES, tf_topics, truth_topic
from interpose_ros.evaluation.replay.transform_tree import TransformTree
from interpose_ros.evaluation.trajectory import Trajectory, read_tum_trajectory
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation

PoseAt = Callable[[int], "Float[np.ndarray, '4 4'] | None"]


@dataclass(frozen=True)
class TruthSettings:
    """Where the truth is, and how it is used.

    Attributes:
        source: topic, or file in TUM format; None to find a topic by its name.
        world_frame: of ``/tf``; None for the root of the tree that the camera hangs in.
        body_frame: that poses are of; None for the one that their messages name.
        T_body_camera: where the camera is on that body; None to find it on ``/tf_static``.
        max_gap_ns: between poses further apart than this the truth is unknown.
        offset_ns: added to the truth's stamps, for clocks that differ.
    """

    source: str | None = None
    world_frame: str | None = None
    body_frame: str | None = None
    T_body_camera: Float[np.ndarray, "4 4"] | None = None
    max_gap_ns: int = 200_000_000
    offset_ns: int = 0


@dataclass(frozen=True)
class Truth:
    """True camera poses.

    Attributes:
        pose_at: ``T_world_camera`` at a stamp in nanoseconds; None where it is unknown.
        description: a sentence on where they come from, for people.
        span_ns: first and last stamp; None where that is not known beforehand.
    """

    pose_at: PoseAt
    description: str
    span_ns: tuple[int, int] | None


def read_truth(
    bag: Bag, settings: TruthSettings, camera_frame: str, progress: Callable[[], Any] = lambda: None
) -> Truth:
    """The truth of a bag's camera.

    Args:
        bag: open.
        settings: where it is.
        camera_frame: of the images.
        progress: called with every message that was read.

    Raises:
        ReplayError: it is not there, or nothing says where the camera is on the body.
    """
    if settings.source is not None and Path(settings.source).is_file():
        return _from_file(bag, settings, camera_frame, progress)
    topic = truth_topic(bag, settings.source)
    return (_from_tree if is_of(topic, *TF_TYPES) else _from_topic)(bag, topic, settings, camera_frame, progress)


def extrinsic(numbers: Float[np.ndarray, "7"]) -> Float[np.ndarray, "4 4"]:
    """``T_body_camera`` from x y z qx qy qz qw.

    Raises:
        ValueError: the quaternion is none.
    """
    return transform_from_rotation_translation(rotation_from_quaternion_xyzw(numbers[3:]), numbers[:3])


def _from_file(bag: Bag, settings: TruthSettings, camera_frame: str, progress: Callable[[], Any]) -> Truth:
    path = Path(str(settings.source))
    try:
        read = read_tum_trajectory(path)
    except ValueError as error:
        raise ReplayError(f"{path} is no trajectory in TUM format: {error}") from error
    T_body_camera, how = np.eye(4), f"the camera ({camera_frame})"
    if settings.T_body_camera is not None:
        T_body_camera, how = settings.T_body_camera, "a body that carries the camera as --extrinsic says"
    elif settings.body_frame is not None:
        T_body_camera, how = _extrinsic_of(bag, settings, settings.body_frame, camera_frame, progress)
    trajectory = Trajectory(read.stamps_ns, read.T_world_body @ T_body_camera, settings.max_gap_ns)
    return _shifted(trajectory, settings.offset_ns, f"{path}, poses of {how}")


def _from_topic(
    bag: Bag, topic: BagTopic, settings: TruthSettings, camera_frame: str, progress: Callable[[], Any]
) -> Truth:
    collected, children = PoseCollector(), set()
    for message in bag.messages([topic.name]):
        for pose in stamped_poses(bag.content(message)):
            collected.add(pose.stamp_ns, pose.T_parent_child)
            children.add(pose.child)
        progress()
    if not len(collected):
        raise ReplayError(f"{bag.path} has no usable pose on {topic.name}")
    if len(children) > 1:
        raise ReplayError(
            f"{topic.name} has poses of several bodies ({', '.join(sorted(children))}): record one, or use /tf"
        )
    body = settings.body_frame or children.pop()
    if settings.T_body_camera is not None:
        T_body_camera, how = settings.T_body_camera, "a body that carries the camera as --extrinsic says"
    elif body:
        T_body_camera, how = _extrinsic_of(bag, settings, body, camera_frame, progress)
    else:
        # The type names no body. Whoever records poses of something else says so by --truth-frame.
        T_body_camera, how = np.eye(4), f"the camera ({camera_frame}), as --truth-frame names no other body"
    trajectory = collected.trajectory(settings.max_gap_ns)
    moved = Trajectory(trajectory.stamps_ns, trajectory.T_world_body @ T_body_camera, settings.max_gap_ns)
    return _shifted(moved, settings.offset_ns, f"{topic.name}, poses of {how}")


def _from_tree(
    bag: Bag, topic: BagTopic, settings: TruthSettings, camera_frame: str, progress: Callable[[], Any]
) -> Truth:
    tree = _tree(bag, settings.max_gap_ns, tf_topics(bag), progress)
    frame, T_body_camera = camera_frame, np.eye(4)
    if settings.T_body_camera is not None:
        if settings.body_frame is None:
            raise ReplayError("--extrinsic with --truth /tf needs --truth-frame: the body that it is meant for")
        frame, T_body_camera = settings.body_frame, settings.T_body_camera
    if frame not in tree.frames:
        raise ReplayError(
            f"the transforms of {bag.path} know no frame {frame}; they know {', '.join(tree.frames) or 'none'}. Say "
            "where the camera is with --truth-frame BODY --extrinsic X Y Z QX QY QZ QW"
        )
    world = settings.world_frame or tree.root_of(frame)
    if not tree.is_moving(world, frame):
        raise ReplayError(f"nothing between {world} and {frame} moves on {topic.name}, so it tells no truth")

    def pose_at(stamp: int) -> Float[np.ndarray, "4 4"] | None:
        T_world_body = tree.pose_at(world, frame, stamp - settings.offset_ns)
        return None if T_world_body is None else T_world_body @ T_body_camera

    return Truth(pose_at, f"{topic.name}, from {world} to {frame}", None)


def _extrinsic_of(
    bag: Bag, settings: TruthSettings, body: str, camera_frame: str, progress: Callable[[], Any]
) -> tuple[Float[np.ndarray, "4 4"], str]:
    if body == camera_frame:
        return np.eye(4), f"the camera ({camera_frame})"
    static = [name for name in tf_topics(bag) if "static" in name]
    T_body_camera = _tree(bag, settings.max_gap_ns, static, progress).fixed(body, camera_frame)
    if T_body_camera is None:
        raise ReplayError(
            f"the truth is of {body} and the images of {camera_frame}, and no static transforms connect them: "
            f"say where "
            "the camera is with --extrinsic X Y Z QX QY QZ QW (in metres, of the body), or name the right body with "
            "--truth-frame"
        )
    return T_body_camera, f"{body}, which carries the camera ({camera_frame}) as /tf_static says"


def _tree(bag: Bag, max_gap_ns: int, topics: list[str], progress: Callable[[], Any]) -> TransformTree:
    tree = TransformTree(max_gap_ns)
    for message in bag.messages(topics):
        for pose in stamped_poses(bag.content(message)):
            tree.add(pose, "static" in message.topic)
        progress()
    return tree


def _shifted(trajectory: Trajectory, offset_ns: int, description: str) -> Truth:
    first, last = trajectory.stamps_ns[0], trajectory.stamps_ns[-1]
    return Truth(
        lambda stamp: trajectory.pose_at(stamp - offset_ns), description, (first + offset_ns, last + offset_ns)
    )
