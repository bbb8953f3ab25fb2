"""Settings of how the node uses odometry. Free of ROS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from pydantic import Field, field_validator

from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation
from interpose_ros.odometry import OdometryConfig
from interpose_ros.scale import ScaleConfig


class NodeOdometryConfig(OdometryConfig, ScaleConfig):
    """What the node takes from odometry, and what it expects of it."""

    use: bool = Field(True, description="Take the length of translations from odom, where that is published.")
    extrinsic: tuple[float, ...] | None = Field(
        None,
        description="Pose of the camera's optical frame in the odometry's child frame: x y z [m] qx qy qz qw. Not set: "
        "from /tf_static.",
    )
    wait: float = Field(
        0.5, ge=0.0, description="Longest wait for odometry that is older than the image of a finished answer [s]."
    )

    @field_validator("extrinsic", mode="before")
    @classmethod
    def _array_is_a_tuple(cls, value: object) -> object:
        # ROS parameters of several numbers arrive as arrays.
        return value if value is None or isinstance(value, str) else tuple(value)  # type: ignore[arg-type]

    @field_validator("extrinsic")
    @classmethod
    def _is_a_pose(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None:
            _pose(value)
        return value

    @property
    def T_base_camera(self) -> Float[np.ndarray, "4 4"] | None:
        """The extrinsic that is set; None where /tf_static is to tell."""
        return None if self.extrinsic is None else _pose(self.extrinsic)


def _pose(numbers: Sequence[float]) -> Float[np.ndarray, "4 4"]:
    values = np.array(numbers, dtype=np.float64)
    if values.shape != (7,) or not np.all(np.isfinite(values)):
        raise ValueError(f"{list(numbers)} is no pose: write seven numbers, x y z qx qy qz qw")
    return transform_from_rotation_translation(rotation_from_quaternion_xyzw(values[3:]), values[:3])
