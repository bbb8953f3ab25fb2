"""The poses of many subsets of many clips as arrays, and InterPose's distances between them.

Source: Cai et al., "Can generative video models help pose estimation?", CVPR 2025 (InterPose): the distance of two relative
poses is the rotation's geodesic angle plus the sign-blind angle between the translations; ``D_med`` is the mean distance of
a clip's medoid to its other poses, ``D_bias`` its distance to the pose of the two keyframes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import direction_distance_sign_blind, rotation_distance
from interpose_ros.refusal import Refusal


@dataclass(frozen=True, eq=False)
class SubsetPoses:
    """Poses ``T_b_a`` of ``m`` subsets of each of ``c`` clips. What was not estimated is NaN.

    Attributes:
        rotations: ``R_b_a``.
        directions: unit vectors of ``t_b_a``.
        confidences: the estimator's own word on each pose; higher is surer.
        pair_rotation, pair_direction: of the keyframes alone.
    """

    rotations: Float[np.ndarray, "c m 3 3"]
    directions: Float[np.ndarray, "c m 3"]
    confidences: Float[np.ndarray, "c m"]
    pair_rotation: Float[np.ndarray, "3 3"]
    pair_direction: Float[np.ndarray, "3"]

    @classmethod
    def from_results(
        cls,
        clips: Sequence[Sequence[PoseEstimate | Refusal]],
        pair: PoseEstimate | Refusal | None,
        confidence: str,
    ) -> SubsetPoses:
        """Arrays of results; clips may have different numbers of subsets. ``confidence`` names the evidence to keep."""
        count, most = len(clips), max((len(clip) for clip in clips), default=0)
        rotations = np.full((count, most, 3, 3), np.nan)
        directions, confidences = np.full((count, most, 3), np.nan), np.full((count, most), np.nan)
        for c, clip in enumerate(clips):
            for m, result in enumerate(clip):
                if isinstance(result, Refusal):
                    continue
                rotations[c, m] = result.R_b_a
                if result.direction_b_a is not None:
                    directions[c, m] = result.direction_b_a
                confidences[c, m] = result.evidence.get(confidence, np.nan)
        pair_rotation, pair_direction = np.full((3, 3), np.nan), np.full(3, np.nan)
        if isinstance(pair, PoseEstimate):
            pair_rotation = pair.R_b_a
            pair_direction = pair_direction if pair.direction_b_a is None else pair.direction_b_a
        return cls(rotations, directions, confidences, pair_rotation, pair_direction)

    @property
    def estimated(self) -> Bool[np.ndarray, "c m"]:
        """Which poses there are."""
        return np.isfinite(self.rotations[..., 0, 0])

    @property
    def has_directions(self) -> bool:
        """Whether every pose has a direction. Otherwise no distance counts any: one angle does not compare with two."""
        return bool(np.all(np.isfinite(self.directions[self.estimated])))

    def distances_to(
        self, R_b_a: Float[np.ndarray, "*#batch 3 3"], direction_b_a: Float[np.ndarray, "*#batch 3"], directions: bool
    ) -> Float[np.ndarray, "*batch"]:
        """InterPose's distance (radians) of all poses to given ones, which broadcast; NaN where one is missing."""
        angle = rotation_distance(self.rotations, R_b_a)
        if directions:
            angle = angle + direction_distance_sign_blind(self.directions, direction_b_a)
        return angle


@dataclass(frozen=True, eq=False)
class ClipScores:
    """InterPose's scores per clip, in radians; infinite for clips that cannot be scored.

    Attributes:
        medoid: number of the subset whose pose is the medoid; -1 without any pose.
        d_med: mean distance of the medoid to the clip's other poses.
        d_bias: distance of the medoid to the pair-only pose; NaN for all clips alike where there is no such pose.
        d_total: their sum, or ``d_med`` alone without a pair-only pose.
    """

    medoid: Int[np.ndarray, "c"]
    d_med: Float[np.ndarray, "c"]
    d_bias: Float[np.ndarray, "c"]
    d_total: Float[np.ndarray, "c"]


def score_clips(poses: SubsetPoses) -> ClipScores:
    """Medoids and scores of all clips at once. A clip with a single pose has nothing to agree with and scores infinity."""
    estimated = poses.estimated
    clips, subsets = estimated.shape
    if subsets == 0:
        nothing = np.full(clips, np.inf)
        return ClipScores(np.full(clips, -1), nothing, np.full(clips, np.nan), nothing.copy())
    directions = poses.has_directions
    angle = rotation_distance(poses.rotations[:, :, None], poses.rotations[:, None, :])
    if directions:
        angle = angle + direction_distance_sign_blind(poses.directions[:, :, None], poses.directions[:, None, :])
    both = estimated[:, :, None] & estimated[:, None, :] & ~np.eye(subsets, dtype=bool)
    others = both.sum(axis=2)
    mean = np.where(both, angle, 0.0).sum(axis=2) / np.maximum(others, 1)
    mean = np.where(others > 0, mean, np.inf)
    medoid = np.argmin(np.where(estimated, mean, np.inf), axis=1)
    alone = estimated.sum(axis=1) == 1
    medoid = np.where(alone, np.argmax(estimated, axis=1), medoid)
    medoid = np.where(estimated.any(axis=1), medoid, -1)
    rows = np.arange(clips)
    d_med = np.where(medoid >= 0, mean[rows, medoid], np.inf)
    d_bias = np.full(clips, np.nan)
    if np.isfinite(poses.pair_rotation[0, 0]):
        # The direction counts for all clips or for none, and never against a pair-only pose that has none.
        counted = directions and bool(np.all(np.isfinite(poses.pair_direction)))
        d_bias = poses.distances_to(poses.pair_rotation, poses.pair_direction, counted)[rows, medoid]
        d_bias = np.where(medoid >= 0, d_bias, np.inf)
        return ClipScores(medoid, d_med, d_bias, d_med + d_bias)
    return ClipScores(medoid, d_med, d_bias, d_med.copy())
