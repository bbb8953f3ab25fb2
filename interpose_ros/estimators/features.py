"""The ``features`` estimator: local features, verified links, averaged rotations and bundle adjustment. No download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interpose_ros.config import FramesConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.cloud import Cloud
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import inverse
from interpose_ros.matching.fingerprint import fingerprint
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.structure import NOTHING, Structure, reconstruct
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.matching.verified_path import verify_path
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import View


class FeaturesEstimator:
    """Pose over a sequence of views from matches between neighbours.

    The rotation is found twice, by averaging over links and by structure from motion; a difference between the two is
    evidence. Under pure rotation there is no structure, and the averaged rotation is the answer, without a direction.
    """

    name = "features"

    def __init__(self, store: MatchStore, config: FramesConfig) -> None:
        self._store, self._config = store, config

    @property
    def fingerprint(self) -> str:
        """Of everything that the evidence depends on: the networks, how pairs are verified, and how frames are chosen."""
        return fingerprint(self._store.fingerprint, self._config.model_dump_json())

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first, or why there is none."""
        path = verify_path(views, self._store, self._config)
        if isinstance(path, Refusal):
            return path
        count, links, R_b_a = len(views), path.links, path.R_b_a
        evidence = dict(path.evidence)
        covariance = path.rotation_covariance

        moving = any(link.geometry.direction_b_a is not None for link in links)
        structure = reconstruct(views, [self._store.features(view) for view in views], links) if moving else NOTHING
        poses = structure.poses
        if 0 not in poses or count - 1 not in poses:
            if any(link.geometry.model is not MotionModel.ROTATION for link in path.bridge.links):
                return Refusal(RefusalReason.INCONSISTENT, "the camera moved, but no structure connects A and B")
            evidence["disagreement"] = 0.0
            return PoseEstimate(
                R_b_a,
                None,
                MotionModel.ROTATION,
                covariance,
                float("nan"),
                frames_used=tuple(views[1:-1]),
                evidence=evidence,
            )
        T_b_a = poses[count - 1] @ inverse(poses[0])
        evidence["disagreement"] = float(rotation_distance(T_b_a[:3, :3], R_b_a))
        length = float(np.linalg.norm(T_b_a[:3, 3]))
        travelled = max(float(np.linalg.norm(_centre(pose) - _centre(poses[0]))) for pose in poses.values())
        # A and B in one place, seen from a moving camera in between: their direction is noise.
        measurable = length > 0.02 * travelled
        return PoseEstimate(
            R_b_a=T_b_a[:3, :3],
            direction_b_a=T_b_a[:3, 3] / length if measurable else None,
            model=MotionModel.GENERAL if measurable else MotionModel.ROTATION,
            rotation_covariance=covariance,
            direction_stddev=float(np.sqrt(np.trace(covariance))) if measurable else float("nan"),
            frames_used=tuple(views[1:-1]),
            evidence=evidence,
            cloud=_cloud(structure, length) if measurable else None,
        )

    def estimate_many(
        self, views: Sequence[View], subsets: Sequence[Sequence[int]], calibrated: Sequence[bool]
    ) -> Sequence[PoseEstimate | Refusal]:
        """Pose of every subset's last view with respect to its first. Matches are made once; every K is believed."""
        return [self.estimate([views[number] for number in subset]) for subset in subsets]


def _cloud(structure: Structure, length: float) -> Cloud:
    """The structure's points in the first view's frame, in units of the distance between first and last view."""
    T_a_w = structure.poses[0]
    return Cloud((structure.points_w @ T_a_w[:3, :3].T + T_a_w[:3, 3]) / length, structure.colours)


def _centre(T_i_w: np.ndarray) -> np.ndarray:
    return inverse(T_i_w)[:3, 3]
