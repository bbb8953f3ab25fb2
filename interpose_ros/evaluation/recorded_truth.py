"""What the demo's bag holds for the side that checks: true poses, the images, and where odometry alone would be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rosbags.highlevel import AnyReader, AnyReaderError

from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation


@dataclass(frozen=True, eq=False)
class RecordedDrive:
    """Truth and images of a bag.

    Attributes:
        truth: ``T_world_camera``.
        odometry: ``T_odom_camera``, odometry through the extrinsic.
        jpegs: the compressed images by stamp in nanoseconds, in order.
        camera_frame: optical frame of the images.
        K: intrinsics of the images.
    """

    truth: Trajectory
    odometry: Trajectory
    jpegs: dict[int, bytes]
    camera_frame: str
    K: Float[np.ndarray, "3 3"]


def read_recorded_drive(
    bag: Path,
    image_topic: str = "/camera/image/compressed",
    camera_info_topic: str = "/camera/camera_info",
    truth_topic: str = "/ground_truth/pose",
    odometry_topic: str = "/odom",
) -> RecordedDrive:
    """Read the truth, the images and the odometry of a bag. /tf_static holds the camera on its base, in one transform.

    Raises:
        ValueError: it is no bag, or a topic is missing.
    """
    try:
        return _read(bag, image_topic, camera_info_topic, truth_topic, odometry_topic)
    except AnyReaderError as error:
        raise ValueError(f"{bag} is not a bag that can be read: {error}") from error


def _read(bag: Path, image_topic: str, camera_info_topic: str, truth_topic: str, odometry_topic: str) -> RecordedDrive:
    topics = (image_topic, camera_info_topic, truth_topic, odometry_topic, "/tf_static")
    truth: dict[int, Any] = {}
    odometry: dict[int, Any] = {}
    jpegs: dict[int, bytes] = {}
    camera_frame, K, T_base_camera = "", None, None
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic in topics]
        missing = set(topics) - {c.topic for c in connections}
        if missing:
            raise ValueError(f"{bag} has no {', '.join(sorted(missing))}")
        for connection, _, data in reader.messages(connections):
            message: Any = reader.deserialize(data, connection.msgtype)
            if connection.topic == "/tf_static":
                transform = message.transforms[0].transform
                T_base_camera = _transform(transform.translation, transform.rotation)
                continue
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            if connection.topic == image_topic:
                jpegs[stamp_ns] = bytes(message.data)
                camera_frame = message.header.frame_id
            elif connection.topic == camera_info_topic:
                K = np.array(message.k, dtype=np.float64).reshape(3, 3)
            elif connection.topic == odometry_topic:
                odometry[stamp_ns] = _transform(message.pose.pose.position, message.pose.pose.orientation)
            else:
                truth[stamp_ns] = _transform(message.pose.position, message.pose.orientation)
    if K is None or T_base_camera is None:
        raise ValueError(f"{bag} has no message on {camera_info_topic if K is None else '/tf_static'}")
    return RecordedDrive(
        truth=Trajectory(list(truth), np.array(list(truth.values()))),
        odometry=Trajectory(list(odometry), np.array(list(odometry.values())) @ T_base_camera),
        jpegs=dict(sorted(jpegs.items())),
        camera_frame=camera_frame,
        K=K,
    )


def _transform(position: Any, quaternion: Any) -> Float[np.ndarray, "4 4"]:
    R = rotation_from_quaternion_xyzw(np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w]))
    return transform_from_rotation_translation(R, np.array([position.x, position.y, position.z]))
