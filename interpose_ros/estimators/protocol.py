"""What every pose estimator takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.cloud import Cloud
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal
from interpose_ros.views import View


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """Pose of the last view with respect to the first, with the estimator's own evidence.

    Attributes:
        R_b_a: rotation from the first view's frame (a) into the last view's (b).
        direction_b_a: unit vector of ``t_b_a``; None without measurable parallax.
        model: motion that explains the views.
        rotation_covariance: of small left rotations ``exp(dr) R_b_a`` in rad^2, as far as the estimator predicts it.
        direction_stddev: predicted error of the direction in radians; NaN without direction.
        length_b_a: metric length of ``t_b_a``, where the estimator is metric; NaN otherwise.
        frames_used: views between the first and the last that the estimate rests on.
        evidence: named numbers that confidence is computed from.
        cloud: points that the estimator found on the way; None where it keeps none.
    """

    R_b_a: Float[np.ndarray, "3 3"]
    direction_b_a: Float[np.ndarray, "3"] | None
    model: MotionModel
    rotation_covariance: Float[np.ndarray, "3 3"]
    direction_stddev: float
    length_b_a: float = float("nan")
    frames_used: tuple[View, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    cloud: Cloud | None = None


@runtime_checkable
class PoseEstimator(Protocol):
    """A black box from views to a pose. The first view is A, the last is B."""

    name: str

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first, or why there is none."""
        ...


@runtime_checkable
class SubsetPoseEstimator(PoseEstimator, Protocol):
    """An estimator that finds the poses of many subsets of one set of views, and computes once what they share."""

    def estimate_many(
        self, views: Sequence[View], subsets: Sequence[Sequence[int]], calibrated: Sequence[bool]
    ) -> Sequence[PoseEstimate | Refusal]:
        """Per subset, pose of its last view with respect to its first.

        Args:
            views: all views.
            subsets: numbers of views, first to last, at least two each.
            calibrated: per view, whether its K is known; imagined frames have none.
        """
        ...
