"""The ``features`` estimator: local features, verified links, averaged rotations and bundle adjustment. No download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interpose_ros.config import FramesConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import inverse
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.structure import reconstruct
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.matching.view_graph import Bridge, Link, average_rotations, loop_residual, strongest_bridge
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

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first, or why there is none."""
        links = self._links(views)
        count = len(views)
        if strongest_bridge(count, links) is None:
            return Refusal(RefusalReason.NO_OVERLAP, f"verified matches do not connect A and B over {count - 2} frames")
        rotations, links = average_rotations(count, links, self._config.max_link_disagreement)
        bridge = strongest_bridge(count, links)
        if bridge is None:
            return Refusal(RefusalReason.INCONSISTENT, "the links that connect A and B contradict each other")
        R_b_a = rotations[-1] @ rotations[0].T
        evidence = self._evidence(bridge, links)
        covariance = _chained_covariance(bridge)

        moving = any(link.geometry.direction_b_a is not None for link in links)
        poses = reconstruct(views, [self._store.features(view) for view in views], links) if moving else {}
        if 0 not in poses or count - 1 not in poses:
            if any(link.geometry.model is not MotionModel.ROTATION for link in bridge.links):
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
        )

    def _links(self, views: Sequence[View]) -> list[Link]:
        links = []
        for i in range(len(views)):
            for j in range(i + 1, min(i + 1 + self._config.skip, len(views))):
                link = Link.between(i, j, self._store.pair(views[i], views[j]), self._config.min_link_inliers)
                if link is not None:
                    links.append(link)
        return links

    @staticmethod
    def _evidence(bridge: Bridge, links: list[Link]) -> dict[str, float]:
        return {
            "bridge_inliers": float(bridge.weakest.strength),
            "bridge_coverage": min(min(link.pair.coverage()) for link in bridge.links),
            "bridge_score": min(link.pair.inlier_score() for link in bridge.links),
            "bridge_links": float(len(bridge.links)),
            "cycle_residual": loop_residual(links),
        }


def _centre(T_i_w: np.ndarray) -> np.ndarray:
    return inverse(T_i_w)[:3, 3]


def _chained_covariance(bridge: Bridge) -> np.ndarray:
    """Sum of the links' covariances along the bridge: an upper bound, since loops and tracks share the load."""
    total = sum((link.geometry.rotation_covariance for link in bridge.links), np.zeros((3, 3)))
    return np.asarray(total)
