"""The published ways of choosing among the poses of clips, each by itself; kept as they are, to be compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.averaging import direction_median, rotation_median
from interpose_ros.refusal import Refusal
from interpose_ros.selection.subset_poses import SubsetPoses, score_clips

FrameNumber = tuple[int, int]
"""A clip and one of its frames."""


@dataclass(frozen=True, eq=False)
class Material:
    """What there is to choose from, for one pair of keyframes.

    Attributes:
        poses: of subsets of every clip.
        matches_a, matches_b: per clip, verified matches of each frame with A and with B.
        estimate: pose over A, the given frames in that order, and B.
    """

    poses: SubsetPoses
    matches_a: Sequence[Float[np.ndarray, "_"]]
    matches_b: Sequence[Float[np.ndarray, "_"]]
    estimate: Callable[[Sequence[FrameNumber]], PoseEstimate | Refusal]


@dataclass(frozen=True, eq=False)
class Chosen:
    """A pose that was chosen.

    Attributes:
        R_b_a: rotation.
        direction_b_a: direction of the translation; None without one.
        clip: where it comes from; None where it mixes clips.
    """

    R_b_a: Float[np.ndarray, "3 3"]
    direction_b_a: Float[np.ndarray, "3"] | None
    clip: int | None


class Selector(Protocol):
    """Chooses a pose; the published ones never refuse while there is any."""

    name: str

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        ...


class InterPose:
    """The medoid of the clip with the least ``D_med + D_bias`` (Cai et al., CVPR 2025)."""

    name = "interpose"

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        scores = score_clips(material.poses)
        return _medoid_of_best(material.poses, scores.medoid, scores.d_total)


class MedoidDistance:
    """The same by ``D_med`` alone, their ablation."""

    name = "d_med"

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        scores = score_clips(material.poses)
        return _medoid_of_best(material.poses, scores.medoid, scores.d_med)


class Mean:
    """The geodesic L1 median over all poses of all clips, InterPose's "average"."""

    name = "mean"

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        poses = material.poses
        rotations = poses.rotations[poses.estimated]
        if len(rotations) == 0:
            return None
        directions = poses.directions[poses.estimated]
        direction = direction_median(directions) if poses.has_directions else None
        return Chosen(rotation_median(rotations), direction, None)


class MaxConfidence:
    """The pose that its estimator is surest of."""

    name = "max_confidence"

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        return _best_pose(material.poses, -material.poses.confidences)


class FeatureMatch:
    """One pose over the frames with most verified matches to both keyframes (PoseCrafter, Mao et al., NeurIPS 2025).

    Frames of all clips compete; the chosen ones are ordered from A to B by where their matches lie.
    """

    name = "feature_match"

    def __init__(self, frames: int = 6, min_matches: float = 0.0) -> None:
        """``frames``: most that are used. ``min_matches``: a frame needs more with A and B together."""
        self._frames, self._min_matches = frames, min_matches

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where its one pose could not be estimated."""
        ranked = []
        for clip, (with_a, with_b) in enumerate(zip(material.matches_a, material.matches_b, strict=True)):
            for frame, (a, b) in enumerate(zip(with_a, with_b, strict=True)):
                if a + b > self._min_matches:
                    ranked.append((float(a + b), float(b / (a + b)), (clip, frame)))
        ranked.sort(key=lambda item: -item[0])
        best = sorted(ranked[: self._frames], key=lambda item: item[1])
        frames = [number for _, _, number in best]
        result = material.estimate(frames)
        if isinstance(result, Refusal):
            return None
        clips = [clip for clip, _ in frames]
        return Chosen(result.R_b_a, result.direction_b_a, max(set(clips), key=clips.count) if clips else None)


class Oracle:
    """The pose nearest to the truth: what choosing could reach."""

    name = "oracle"

    def __init__(self, R_b_a: Float[np.ndarray, "3 3"], direction_b_a: Float[np.ndarray, "3"] | None) -> None:
        self._R_b_a, self._direction_b_a = R_b_a, direction_b_a

    def choose(self, material: Material) -> Chosen | None:
        """The choice; None where no pose was estimated at all."""
        poses = material.poses
        counted = self._direction_b_a is not None and poses.has_directions
        direction = self._direction_b_a if self._direction_b_a is not None else np.full(3, np.nan)
        return _best_pose(poses, poses.distances_to(self._R_b_a, direction, counted))


def _medoid_of_best(poses: SubsetPoses, medoid: np.ndarray, score: np.ndarray) -> Chosen | None:
    possible = medoid >= 0
    if not possible.any():
        return None
    clip = int(np.argmin(np.where(possible, np.minimum(score, 1e6), np.inf)))
    return _chosen(poses, clip, int(medoid[clip]))


def _best_pose(poses: SubsetPoses, cost: np.ndarray) -> Chosen | None:
    if not poses.estimated.any():
        return None
    cost = np.where(poses.estimated, np.where(np.isnan(cost), 1e6, cost), np.inf)
    clip, subset = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return _chosen(poses, int(clip), int(subset))


def _chosen(poses: SubsetPoses, clip: int, subset: int) -> Chosen:
    direction = poses.directions[clip, subset]
    return Chosen(poses.rotations[clip, subset], direction if np.all(np.isfinite(direction)) else None, clip)
