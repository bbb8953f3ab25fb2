"""Poses between two poses."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.se3 import rotation_exp, rotation_log, transform_from_rotation_translation


def interpolated(
    T_world_first: Float[np.ndarray, "4 4"], T_world_second: Float[np.ndarray, "4 4"], share: float
) -> Float[np.ndarray, "4 4"]:
    """The pose at ``share`` (0: first, 1: second, beyond: extrapolated) of the motion between two poses.

    The position is linear, and the rotation turns about one axis at constant speed (SLERP).
    """
    turn = rotation_log(T_world_first[:3, :3].T @ T_world_second[:3, :3])
    R = T_world_first[:3, :3] @ rotation_exp(share * turn)
    t = (1 - share) * T_world_first[:3, 3] + share * T_world_second[:3, 3]
    return transform_from_rotation_translation(R, t)
