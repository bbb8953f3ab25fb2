"""Relative pose of two views from their pointmaps, in both directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib
import torch
from jaxtyping import Float

from interpose_ros.config import Dust3rPairConfig
from interpose_ros.dust3r.focal import focal_by_weiszfeld
from interpose_ros.dust3r.inference import PairMaps
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation

MIN_POINTS = 12
"""Fewest confident points that a pose is computed from, and fewest that must agree on it."""


@dataclass(frozen=True, eq=False)
class DirectedPose:
    """Pose of the second camera of a directed pair.

    Attributes:
        T_second_first: from the first camera's frame into the second's; translation in the pointmap's units.
        inlier_share: share of the confident points that agree with it.
        inliers: how many do.
        mean_confidence: product of both pointmaps' mean confidence.
        focal: focal length used for the second camera, in pixels.
        median_depth: of the first pointmap, in its units; makes translations of both directions comparable.
    """

    T_second_first: Float[np.ndarray, "4 4"]
    inlier_share: float
    inliers: int
    mean_confidence: float
    focal: float
    median_depth: float


@dataclass(frozen=True)
class PairPoseFailure:
    """No pose, and why."""

    text: str


def directed_pose(
    maps: PairMaps,
    stride: int,
    camera_second: Camera | None,
    config: Dust3rPairConfig,
    fallback: PairMaps | None = None,
) -> DirectedPose | PairPoseFailure:
    """Pose of the second camera from where its pixels lie in the first camera's frame (perspective-n-point).

    Args:
        maps: of the pair (first, second).
        stride: every how many-th pixel the maps hold.
        camera_second: intrinsics of the second prepared image; None to take the focal length from ``fallback``.
        fallback: maps of the pair (second, first), whose first pointmap shows the second camera's own frame.

    Raises:
        ValueError: neither intrinsics nor ``fallback`` were given.
    """
    confidence, all_points = maps.confidence_second.cpu().numpy(), maps.points_second.cpu().numpy().astype(np.float64)
    usable = (confidence >= config.min_confidence) & np.isfinite(confidence) & np.isfinite(all_points).all(axis=-1)
    rows, columns = np.nonzero(usable)
    if len(rows) < MIN_POINTS:
        return PairPoseFailure(
            f"{len(rows)} points of the second view have a confidence of {config.min_confidence:g} or more; "
            f"{MIN_POINTS} are needed"
        )
    if len(rows) > config.max_points:
        kept = np.linspace(0, len(rows) - 1, config.max_points).astype(np.int64)
        rows, columns = rows[kept], columns[kept]
    points = all_points[rows, columns]
    pixels = np.stack([columns, rows], axis=1).astype(np.float64) * stride
    if camera_second is None:
        camera_second = _camera_from_pointmap(fallback, stride, config)
        if camera_second is None:
            return PairPoseFailure(
                "the focal length cannot be found: too few confident points in the second view's own map"
            )
    normalised = camera_second.normalise(pixels) * camera_second.focal_length
    pinhole = {
        "model": "SIMPLE_PINHOLE",
        "width": camera_second.width,
        "height": camera_second.height,
        "params": [camera_second.focal_length, 0.0, 0.0],
    }
    options = {"max_reproj_error": config.max_reprojection_error, "seed": 0}
    pose, info = poselib.estimate_absolute_pose(normalised, points, pinhole, options, {})
    share = info["num_inliers"] / len(points)
    T_second_first = transform_from_rotation_translation(np.array(pose.R), np.array(pose.t))
    needed = max(MIN_POINTS, config.min_inlier_share * len(points))
    if info["num_inliers"] < needed or not np.all(np.isfinite(T_second_first)):
        return PairPoseFailure(
            f"{info['num_inliers']} of {len(points)} confident points agree on a pose within "
            f"{config.max_reprojection_error:g} px; {needed:.0f} are needed"
        )
    depth_first = maps.points_first[..., 2]
    return DirectedPose(
        T_second_first,
        float(share),
        int(info["num_inliers"]),
        _mean_confidence(maps.confidence_first) * _mean_confidence(maps.confidence_second),
        camera_second.focal_length,
        float(depth_first.median()),
    )


@dataclass(frozen=True, eq=False)
class PairPose:
    """Pose of view b seen from view a, from the better direction.

    Attributes:
        T_b_a: translation in units of a pointmap.
        better: evidence of the direction it was taken from.
        other: the same pose from the other direction, or why there is none there.
        other_T_b_a: None where ``other`` is a failure.
    """

    T_b_a: Float[np.ndarray, "4 4"]
    better: DirectedPose
    other: DirectedPose | PairPoseFailure
    other_T_b_a: Float[np.ndarray, "4 4"] | None


def pair_pose(
    maps_ab: PairMaps,
    maps_ba: PairMaps,
    stride: int,
    camera_a: Camera | None,
    camera_b: Camera | None,
    config: Dust3rPairConfig | None = None,
) -> PairPose | PairPoseFailure:
    """Pose ``T_b_a`` from the pointmaps of (a, b) and of (b, a); the surer direction counts.

    Args:
        maps_ab, maps_ba: pointmaps of both orders.
        stride: every how many-th pixel they hold.
        camera_a, camera_b: intrinsics of the prepared images; None where they are unknown.
        config: thresholds.
    """
    config = config or Dust3rPairConfig()
    forward = directed_pose(maps_ab, stride, camera_b, config, fallback=maps_ba)
    backward = directed_pose(maps_ba, stride, camera_a, config, fallback=maps_ab)
    if isinstance(forward, PairPoseFailure) and isinstance(backward, PairPoseFailure):
        return PairPoseFailure(f"a to b: {forward.text}; b to a: {backward.text}")
    if isinstance(backward, PairPoseFailure):
        return PairPose(forward.T_second_first, forward, backward, None)
    if isinstance(forward, PairPoseFailure):
        return PairPose(inverse(backward.T_second_first), backward, forward, None)
    T_b_a_forward, T_b_a_backward = forward.T_second_first, inverse(backward.T_second_first)
    if forward.mean_confidence * forward.inlier_share >= backward.mean_confidence * backward.inlier_share:
        return PairPose(T_b_a_forward, forward, backward, T_b_a_backward)
    return PairPose(T_b_a_backward, backward, forward, T_b_a_forward)


def _mean_confidence(confidence: torch.Tensor) -> float:
    """Mean, where an overflowed value counts as the least confidence there is."""
    return float(torch.nan_to_num(confidence, nan=1.0, posinf=1.0).mean())


def _camera_from_pointmap(maps: PairMaps | None, stride: int, config: Dust3rPairConfig) -> Camera | None:
    """Square-pixel camera with its principal point in the image's centre, from a map in that camera's own frame."""
    if maps is None:
        raise ValueError("a camera without intrinsics needs the pointmaps of the opposite order")
    points, confidence = maps.points_first, maps.confidence_first
    height, width = (side * stride for side in confidence.shape)
    weights = (confidence * (confidence >= config.min_confidence)).flatten()
    if int((weights > 0).sum()) < MIN_POINTS:
        return None
    v, u = torch.meshgrid(*(torch.arange(n, device=points.device) for n in confidence.shape), indexing="ij")
    pixels = torch.stack([u, v], dim=-1).reshape(-1, 2).to(points.dtype) * stride
    centre = pixels.new_tensor([0.5 * (width - 1), 0.5 * (height - 1)])
    side = float(max(width, height))
    focal = float(focal_by_weiszfeld(points.reshape(-1, 3), pixels, centre, weights, side))
    if not np.isfinite(focal):
        return None
    K = np.array([[focal, 0, float(centre[0])], [0, focal, float(centre[1])], [0, 0, 1]])
    return Camera(K, width, height)
