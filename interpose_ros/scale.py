"""Length of the translation between two cameras, from how far odometry says that their base moved.

Let the camera sit at ``l`` on its base with orientation ``R_base_camera``. Rotation and direction between the cameras
come from the images: ``t_b_a = s u`` with unknown length s. Then the base's own motion, seen from the base at B, is

    t = s v + w,   v = R_base_camera u,   w = l - Q l,   Q = R_base_camera R_b_a R_base_camera^T,

and odometry knows its length: ``|s v + w| = d``. That is one equation for s in which the odometry's orientation does not
appear: it needs the distance between two positions and nothing else. Where the base hardly moves and turns, it is the
lever arm that fixes s. Where d is below ``|w|`` two lengths can solve the equation. The direction of t, which does need
the odometry's orientation, then tells them apart, but it is heard only where the turn that odometry tells is the one
that the images show: an orientation that is made up fails that.

Twice-solvable and badly conditioned cases need no list of their own: s is given all lengths that agree with odometry
within the errors, by Bayes' rule with a flat prior, and is refused where those are too wide apart.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field

from interpose_ros.answer import Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.odometry import BaseMotion, NoScale

GRID_POINTS = 4001
"""Lengths that are weighed. The finest spread that the settings allow is a hundred steps wide."""

MAX_DISAGREEMENT = 3.5
"""Standard deviations between odometry and the best length, beyond which the two contradict each other."""


class ScaleConfig(BaseModel):
    """What is expected of odometry, and how certain a length must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    relative_stddev: float = Field(
        0.02, ge=0.0, le=1.0, description="Error of odometry, standard deviation, as a share of the way travelled."
    )
    position_stddev: float = Field(
        0.005, gt=0.0, description="Error of odometry that is there however short the way is, standard deviation [m]."
    )
    lever_arm_stddev: float = Field(
        0.005, ge=0.0, description="Error of the camera's position on the base, standard deviation per axis [m]."
    )
    heading_stddev: float = Field(
        math.radians(4.0),
        gt=0.0,
        description="Error of the direction in which the base moved, standard deviation [rad].",
    )
    max_turn_disagreement: float = Field(
        math.radians(12.0),
        ge=0.0,
        description="The direction in which the base moved is left aside where odometry and images tell turns that differ "
        "by more [rad].",
    )
    turn_stddev: float = Field(
        math.radians(3.0),
        gt=0.0,
        description="Error of the turn that odometry tells between two images, standard deviation [rad]; turns that differ "
        "by much more lower confidence.",
    )
    max_relative_stddev: float = Field(
        0.25, gt=0.0, le=1.0, description="Largest standard deviation of a length that is given, as a share of it."
    )


def length_from_odometry(
    estimate: PoseEstimate,
    motion: BaseMotion,
    T_base_camera_a: Float[np.ndarray, "4 4"],
    T_base_camera_b: Float[np.ndarray, "4 4"],
    config: ScaleConfig,
) -> Scale | NoScale:
    """Length of ``t_b_a`` in metres, or why there is none.

    Errors of direction and rotation are taken as independent of one another, as the estimate does not say how they go
    together.

    Args:
        estimate: rotation and direction from the images, with their predicted errors.
        motion: of the base between the two images.
        T_base_camera_a, T_base_camera_b: where the two cameras sit on the base; the same one for pairs of one camera.
        config: expected errors.
    """
    if estimate.direction_b_a is None:
        return NoScale("the images show no translation, so it has no length")
    if not (math.isfinite(estimate.direction_stddev) and np.all(np.isfinite(estimate.rotation_covariance))):
        return NoScale("the errors of rotation and direction are not known")
    R_base_camera_b, lever_a, lever_b = T_base_camera_b[:3, :3], T_base_camera_a[:3, 3], T_base_camera_b[:3, 3]
    Q = R_base_camera_b @ estimate.R_b_a @ T_base_camera_a[:3, :3].T
    v = R_base_camera_b @ estimate.direction_b_a
    w = lever_b - Q @ lever_a
    distance = float(np.linalg.norm(motion.displacement))
    distance_variance = _distance_variance(motion, config)
    is_one_camera = np.array_equal(T_base_camera_a, T_base_camera_b)

    longest = distance + float(np.linalg.norm(w)) + 6 * math.sqrt(distance_variance)
    lengths = np.linspace(0.0, longest, GRID_POINTS)[1:]
    base = lengths[:, None] * v + w
    base_length = np.linalg.norm(base, axis=1)
    g = base / np.maximum(base_length, 1e-12)[:, None]
    # What each error does to |s v + w|, to first order. The direction's error has two axes, both across v.
    variance = distance_variance + 0.5 * (lengths * estimate.direction_stddev) ** 2 * (1.0 - (g @ v) ** 2)
    turned = np.cross(g, Q @ lever_a) @ R_base_camera_b
    variance += np.einsum("ni,ij,nj->n", turned, estimate.rotation_covariance, turned)
    # The same error of the lever arm at both ends where it is one camera's, two of them otherwise.
    lever_gain = np.sum((g - g @ Q) ** 2, axis=1) if is_one_camera else np.full(len(lengths), 2.0)
    variance += config.lever_arm_stddev**2 * lever_gain

    misfit = (base_length - distance) ** 2 / variance
    seen_variance = (lengths * estimate.direction_stddev / np.maximum(base_length, 1e-12)) ** 2
    misfit += _direction_misfit(g, Q, motion, seen_variance + distance_variance / max(distance, 1e-12) ** 2, config)
    if misfit.min() > MAX_DISAGREEMENT**2:
        nearest = int(np.argmin(misfit))
        return NoScale(
            f"odometry and images contradict each other: odometry says that the base moved {distance:.3f} m; with the "
            f"camera's rotation and direction from the images, {base_length[nearest]:.3f} m fit best, at "
            f"{math.sqrt(misfit[nearest]):.1f} standard deviations",
            contradiction=math.sqrt(misfit[nearest]),
        )
    weight = np.exp(-0.5 * (misfit - misfit.min())) / np.sqrt(variance)
    weight /= weight.sum()
    metres = float(weight @ lengths)
    stddev = math.sqrt(float(weight @ (lengths - metres) ** 2))
    if stddev > config.max_relative_stddev * metres:
        return NoScale(
            f"the length would be {metres:.3f} m with a standard deviation of {stddev:.3f} m: the base moved "
            f"{distance:.3f} m, too little or in such a way that odometry does not tell"
        )
    return Scale(ScaleSource.ODOMETRY, metres, stddev)


def turn_disagreement(
    estimate: PoseEstimate,
    motion: BaseMotion,
    T_base_camera_a: Float[np.ndarray, "4 4"],
    T_base_camera_b: Float[np.ndarray, "4 4"],
    config: ScaleConfig,
) -> tuple[float, float]:
    """Angle between the turns of the base that odometry and images tell, in radians and in standard deviations."""
    Q = T_base_camera_b[:3, :3] @ estimate.R_b_a @ T_base_camera_a[:3, :3].T
    angle = float(rotation_distance(motion.T_odom_base_b[:3, :3].T @ motion.T_odom_base_a[:3, :3], Q))
    variance = (
        float(np.trace(estimate.rotation_covariance)) if np.all(np.isfinite(estimate.rotation_covariance)) else 0.0
    )
    return angle, angle / math.sqrt(config.turn_stddev**2 + variance)


def _direction_misfit(
    g: Float[np.ndarray, "n 3"],
    Q: Float[np.ndarray, "3 3"],
    motion: BaseMotion,
    variance: Float[np.ndarray, "n"],
    config: ScaleConfig,
) -> Float[np.ndarray, "n"]:
    """Squared error of the directions ``g`` of t by the one that odometry tells; zeros where that is not to be heard.

    ``variance`` is of both directions, without the error of the odometry's orientation.
    """
    R_odom_a, R_odom_b = motion.T_odom_base_a[:3, :3], motion.T_odom_base_b[:3, :3]
    disagreement = float(rotation_distance(R_odom_b.T @ R_odom_a, Q))
    if disagreement > config.max_turn_disagreement:
        return np.zeros(len(g))
    angle = direction_distance(g, -R_odom_b.T @ motion.displacement)
    return angle**2 / (variance + config.heading_stddev**2 + disagreement**2)


def _distance_variance(motion: BaseMotion, config: ScaleConfig) -> float:
    distance = float(np.linalg.norm(motion.displacement))
    if distance > 0:
        along = motion.displacement / distance
        reported = float(along @ motion.covariance @ along)
    else:
        reported = float(np.linalg.eigvalsh(motion.covariance)[-1])
    return reported + config.position_stddev**2 + (config.relative_stddev * motion.travelled) ** 2
