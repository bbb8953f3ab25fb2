"""Length of the translation between two cameras, from depth at verified matches.

Rotation ``R`` and direction ``u`` of ``t_b_a`` come from the images. A match with depth in A is a point ``X`` in front of A,
and camera B sees ``R X + s u`` at a pixel that moves along the match's epipolar line as the length s changes. So the
distance along that line between where B saw the match and where it would see it tells s; the distance across the line does
not, and has been used up for R and u already. A match with depth in B says the same of the inverse pose.

Errors of R and u are common to all matches, so s is solved for together with small corrections of both, which are held by
their predicted errors (least squares, linearised and weighted anew until it settles, so that outliers are harmless). What
comes out is s, its standard deviation with everything in it, and how far R and u would have to be bent to agree with the
depth: a number that lowers confidence, and never changes the rotation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial.transform import Rotation

from interpose_ros.answer import Scale, ScaleSource
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import Camera
from interpose_ros.odometry import NoScale

ITERATIONS = 15
ROBUST_LIMIT = 2.0
"""Standard deviations beyond which a match counts less (Huber, 1964)."""

OUTLIER_LIMIT = 6.0
"""Standard deviations beyond which it does not count at all."""

AGREEING_LIMIT = 3.0


class DepthScaleConfig(BaseModel):
    """What is expected of depth, and how certain a length must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_stddev: float = Field(
        1.0, gt=0.0, description="Error of a match along its epipolar line, standard deviation [px]."
    )
    relative_stddev: float = Field(
        0.02, ge=0.0, le=0.5, description="Error of a single depth, standard deviation, as a share of it."
    )
    bias_stddev: float = Field(
        0.01, ge=0.0, le=0.5, description="Error that all depths share, standard deviation, as a share of them."
    )
    min_depth: float = Field(0.1, gt=0.0, description="Nearer depths are not used [m].")
    max_depth: float = Field(20.0, gt=0.0, description="Farther depths are not used [m].")
    min_matches: int = Field(12, ge=4, description="Fewest matches with depth.")
    min_agreeing_share: float = Field(
        0.5, ge=0.0, le=1.0, description="Least share of the matches with depth that must agree on one length."
    )
    max_relative_stddev: float = Field(
        0.25, gt=0.0, le=1.0, description="Largest standard deviation of a length that is given, as a share of it."
    )


@dataclass(frozen=True, eq=False)
class DepthMatches:
    """Verified matches with what depth cameras say about them.

    Attributes:
        pixels_a, pixels_b: matched pixels.
        depth_a, depth_b: z coordinate [m] of the point in either camera's frame; NaN where unknown.
        camera_a, camera_b: of the two images.
    """

    pixels_a: Float[np.ndarray, "m 2"]
    pixels_b: Float[np.ndarray, "m 2"]
    depth_a: Float[np.ndarray, "m"]
    depth_b: Float[np.ndarray, "m"]
    camera_a: Camera
    camera_b: Camera


@dataclass(frozen=True)
class DepthLength:
    """A length with what it rests on.

    Attributes:
        scale: the length.
        matches: depths that it was solved from; a match with depth in both images counts twice.
        agreeing: how many of them lie within three standard deviations.
        residual: root mean square distance of those to their predicted places, along the epipolar lines [px].
        bend: how far rotation and direction would have to be bent, in their predicted standard deviations (Mahalanobis);
            5 degrees of freedom, so beyond 4 the depth contradicts the pose.
    """

    scale: Scale
    matches: int
    agreeing: int
    residual: float
    bend: float


def length_from_depth(estimate: PoseEstimate, matches: DepthMatches, config: DepthScaleConfig) -> DepthLength | NoScale:
    """Length of ``t_b_a`` in metres, or why there is none.

    Args:
        estimate: rotation and direction from the images, with their predicted errors.
        matches: verified ones, with their depths.
        config: expected errors.
    """
    if estimate.direction_b_a is None:
        return NoScale("the images show no translation, so it has no length")
    if not (math.isfinite(estimate.direction_stddev) and np.all(np.isfinite(estimate.rotation_covariance))):
        return NoScale("the errors of rotation and direction are not known")
    sides = _sides(matches, config)
    count = sum(len(side.depth) for side in sides)
    if count < config.min_matches:
        return NoScale(
            f"{count} verified matches have a depth between {config.min_depth:g} and {config.max_depth:g} m: "
            f"{config.min_matches} are needed"
        )
    precision = _prior_precision(estimate)
    solved = _solve(sides, estimate.R_b_a, estimate.direction_b_a, precision)
    metres = float(solved.unknowns[0])
    agreeing = np.abs(solved.normalised) < AGREEING_LIMIT
    if metres <= 0 or agreeing.sum() < config.min_agreeing_share * count:
        return NoScale(
            f"depth and images contradict each other: {agreeing.sum()} of {count} depths agree on the length that fits "
            f"best, {metres:.3f} m",
            contradiction=max(float(np.median(np.abs(solved.normalised))), AGREEING_LIMIT),
        )
    stddev = math.hypot(math.sqrt(solved.variance), config.bias_stddev * metres)
    if not stddev <= config.max_relative_stddev * metres:
        return NoScale(
            f"the length would be {metres:.3f} m with a standard deviation of {stddev:.3f} m: too short against the "
            "depths, or too few of them"
        )
    bend = solved.unknowns[1:]
    return DepthLength(
        Scale(ScaleSource.DEPTH, metres, stddev),
        matches=count,
        agreeing=int(agreeing.sum()),
        residual=float(np.sqrt(np.mean(solved.pixels[agreeing] ** 2))),
        bend=float(np.sqrt(bend @ precision @ bend)),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """Points that one camera knows, and where the other saw them.

    Attributes:
        rays: in the frame of the camera that has their depth, with z = 1.
        depth: as measured, metres.
        seen: on the other camera's plane z = 1.
        is_backward: whether that other camera is A.
        variance: of ``seen`` along a line, with what the match's own pixel adds.
        depth_stddev: share of a point's depth.
        focal: of the other camera, to tell pixels.
    """

    rays: Float[np.ndarray, "n 3"]
    depth: Float[np.ndarray, "n"]
    seen: Float[np.ndarray, "n 2"]
    is_backward: bool
    variance: Float[np.ndarray, "n"]
    depth_stddev: float
    focal: float


@dataclass(frozen=True, eq=False)
class _Solved:
    """Length and bend (3 rotation, 2 direction); variance of the length; residuals in standard deviations and pixels."""

    unknowns: Float[np.ndarray, "6"]
    variance: float
    normalised: Float[np.ndarray, "n"]
    pixels: Float[np.ndarray, "n"]


def _sides(matches: DepthMatches, config: DepthScaleConfig) -> list[_Side]:
    cameras, pixels = (matches.camera_a, matches.camera_b), (matches.pixels_a, matches.pixels_b)
    places = [camera.normalise(p) for camera, p in zip(cameras, pixels, strict=True)]
    depths = (matches.depth_a, matches.depth_b)
    known = [_within(depth, config) for depth in depths]
    # Both pixels of a match err. Where its depth is known on both sides, these errors enter twice and count once.
    variance = 2.0 * config.pixel_stddev**2 * np.where(known[0] & known[1], 2.0, 1.0)
    sides = []
    for own, other in ((0, 1), (1, 0)):
        has = known[own]
        rays = np.column_stack([places[own][has], np.ones(int(has.sum()))])
        focal = cameras[other].focal_length
        sides.append(
            _Side(
                rays,
                depths[own][has],
                places[other][has],
                is_backward=own == 1,
                variance=variance[has] / focal**2,
                depth_stddev=config.relative_stddev,
                focal=focal,
            )
        )
    return sides


def _within(depth: Float[np.ndarray, "m"], config: DepthScaleConfig) -> Bool[np.ndarray, "m"]:
    with np.errstate(invalid="ignore"):
        return (depth >= config.min_depth) & (depth <= config.max_depth)


def _prior_precision(estimate: PoseEstimate) -> Float[np.ndarray, "5 5"]:
    """Inverse covariance of the bend: rotation, and two axes across the direction that share its variance."""
    precision = np.zeros((5, 5))
    precision[:3, :3] = np.linalg.inv(estimate.rotation_covariance + 1e-12 * np.eye(3))
    precision[3:, 3:] = np.eye(2) * 2.0 / max(estimate.direction_stddev, 1e-6) ** 2
    return precision


def _solve(
    sides: Sequence[_Side],
    R: Float[np.ndarray, "3 3"],
    u: Float[np.ndarray, "3"],
    precision: Float[np.ndarray, "5 5"],
) -> _Solved:
    across = np.linalg.svd(u[None])[2][1:].T
    focal = np.concatenate([np.full(len(side.depth), side.focal) for side in sides])
    unknowns = np.zeros(6)
    unknowns[0] = _first_length(sides, R, u)
    depths = [side.depth for side in sides]
    for _ in range(ITERATIONS):
        # Along the lines of the unbent pose, lengths would come out short: by the cosine of what the lines are off.
        bent_R = Rotation.from_rotvec(unknowns[1:4]).as_matrix() @ R
        bent_u = u + across @ unknowns[4:]
        bent_u = bent_u / np.linalg.norm(bent_u)
        parts = [
            _linearised(side, depth, bent_R, bent_u, across, float(unknowns[0]))
            for side, depth in zip(sides, depths, strict=True)
        ]
        left, jacobian, variance = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("left", "jacobian", "variance")
        )
        normalised = left / np.sqrt(variance)
        size = np.abs(normalised)
        weight = np.where(size > OUTLIER_LIMIT, 0.0, np.minimum(1.0, ROBUST_LIMIT / np.maximum(size, 1e-9)))
        if not np.any(weight):  # the first length is far off: begin with those that are least so
            weight = 1.0 / np.maximum(size, 1.0)
        weighted = jacobian * (weight / variance)[:, None]
        information = weighted.T @ jacobian
        information[1:, 1:] += precision
        gradient = weighted.T @ left
        gradient[1:] -= precision @ unknowns[1:]
        step = np.linalg.lstsq(information, gradient, rcond=1e-14)[0]
        unknowns = unknowns + step
        # Weights and derivatives at measured depths would go with the errors of these, and shorten the length.
        depths = [
            np.maximum(side.depth + part.depth_gain * part.left, 0.1 * side.depth)
            for side, part in zip(sides, parts, strict=True)
        ]
        if abs(step[0]) < 1e-6 * max(abs(unknowns[0]), 1e-6):
            break
    covariance = np.linalg.pinv(information, rcond=1e-14)
    good = np.abs(normalised) < AGREEING_LIMIT
    # Where matches scatter more than expected, the expectation was wrong.
    excess = float(np.mean(normalised[good] ** 2)) if np.any(good) else 1.0
    return _Solved(unknowns, float(covariance[0, 0]) * max(1.0, excess), normalised, left * focal)


@dataclass(frozen=True, eq=False)
class _Linearised:
    """Along the epipolar lines: what is left, its derivatives by length and bend (with the sign of the places), and its
    variance with that of the depth; and what of it is laid to the depths [m per unit]."""

    left: Float[np.ndarray, "n"]
    jacobian: Float[np.ndarray, "n 6"]
    variance: Float[np.ndarray, "n"]
    depth_gain: Float[np.ndarray, "n"]


def _first_length(sides: Sequence[_Side], R: Float[np.ndarray, "3 3"], u: Float[np.ndarray, "3"]) -> float:
    """Median of the lengths that single points ask for, each weighted by how much it tells."""
    lengths, weights = [], []
    for side in sides:
        Q, v = (R.T, -R.T @ u) if side.is_backward else (R, u)
        rays = np.column_stack([side.seen, np.ones(len(side.seen))])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        moved, fixed = np.cross(rays, v), np.cross(rays, (side.rays * side.depth[:, None]) @ Q.T)
        gain = np.maximum(np.sum(moved**2, axis=1), 1e-12)
        lengths.append(-np.sum(moved * fixed, axis=1) / gain)
        weights.append(np.sqrt(gain) / side.depth)
    values, weight = np.concatenate(lengths), np.concatenate(weights)
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def _linearised(
    side: _Side,
    depth: Float[np.ndarray, "n"],
    R: Float[np.ndarray, "3 3"],
    u: Float[np.ndarray, "3"],
    across: Float[np.ndarray, "3 2"],
    s: float,
) -> _Linearised:
    """Where the other camera would see the points, along their epipolar lines and at the given depths."""
    points = side.rays * depth[:, None]
    if side.is_backward:
        relative = points - s * u
        Y, ray = relative @ R, side.rays @ R
        by_length = np.broadcast_to(-R.T @ u, Y.shape)
        by_rotation = np.einsum("ij,njk->nik", R.T, _skews(relative))
        by_direction = np.broadcast_to(-s * R.T @ across, (len(Y), 3, 2))
    else:
        turned = points @ R.T
        Y, ray = turned + s * u, side.rays @ R.T
        by_length = np.broadcast_to(u, Y.shape)
        by_rotation = -_skews(turned)
        by_direction = np.broadcast_to(s * across, (len(Y), 3, 2))
    z = np.maximum(Y[:, 2], 1e-3)
    place = Y[:, :2] / z[:, None]

    def projected(dY: np.ndarray) -> np.ndarray:
        return (dY[:, :2] - place.reshape(place.shape + (1,) * (dY.ndim - 2)) * dY[:, 2:3]) / z.reshape(
            (-1,) + (1,) * (dY.ndim - 1)
        )

    along = projected(by_length)
    line = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    jacobian = np.column_stack(
        [
            np.sum(line * along, axis=1),
            np.einsum("ni,nik->nk", line, projected(by_rotation)),
            np.einsum("ni,nik->nk", line, projected(by_direction)),
        ]
    )
    by_depth = np.sum(line * projected(ray), axis=1)
    depth_variance = (side.depth_stddev * depth) ** 2
    variance = side.variance + by_depth**2 * depth_variance
    left = np.sum(line * (side.seen - place), axis=1) - by_depth * (side.depth - depth)
    return _Linearised(left, jacobian, variance, depth_gain=by_depth * depth_variance / variance)


def _skews(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
