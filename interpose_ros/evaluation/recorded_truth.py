"""What the demo's bag holds for the side that checks: true poses and the images themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rosbags.highlevel import AnyReader

from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation


@dataclass(frozen=True, eq=False)
class RecordedDrive:
    """Truth and images of a bag.

    Attributes:
        truth: ``T_world_camera``.
        jpegs: the compressed images by stamp in nanoseconds, in order.
        camera_frame: optical frame of the images.
        K: intrinsics of the images.
    """

    truth: Trajectory
    jpegs: dict[int, bytes]
    camera_frame: str
    K: Float[np.ndarray, "3 3"]


def read_recorded_drive(
    bag: Path,
    image_topic: str = "/camera/image/compressed",
    camera_info_topic: str = "/camera/camera_info",
    truth_topic: str = "/ground_truth/pose",
) -> RecordedDrive:
    """Read the truth and the images of a bag.

    Raises:
        ValueError: a topic is missing.
    """
    stamps, poses, jpegs = [], [], {}
    camera_frame, K = "", None
    with AnyReader([bag]) as reader:
        missing = {image_topic, camera_info_topic, truth_topic} - {c.topic for c in reader.connections}
        if missing:
            raise ValueError(f"{bag} has no {', '.join(sorted(missing))}")
        for connection, _, data in reader.messages():
            if connection.topic not in (image_topic, camera_info_topic, truth_topic):
                continue
            message: Any = reader.deserialize(data, connection.msgtype)
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            if connection.topic == image_topic:
                jpegs[stamp_ns] = bytes(message.data)
                camera_frame = message.header.frame_id
            elif connection.topic == camera_info_topic:
                K = np.array(message.k, dtype=np.float64).reshape(3, 3)
            else:
                p, q = message.pose.position, message.pose.orientation
                R = rotation_from_quaternion_xyzw(np.array([q.x, q.y, q.z, q.w]))
                stamps.append(stamp_ns)
                poses.append(transform_from_rotation_translation(R, np.array([p.x, p.y, p.z])))
    if K is None:
        raise ValueError(f"{bag} has no message on {camera_info_topic}")
    return RecordedDrive(Trajectory(stamps, np.array(poses)), dict(sorted(jpegs.items())), camera_frame, K)
