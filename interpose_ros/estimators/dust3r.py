"""Pose estimator on DUSt3R's pointmaps: perspective-n-point for a pair, joint alignment for more views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.config import Dust3rConfig
from interpose_ros.dust3r.alignment import AlignedSubset, align_subsets
from interpose_ros.dust3r.checkpoint import load_network
from interpose_ros.dust3r.compilation import compile_blocks
from interpose_ros.dust3r.cpu import pack_for_cpu
from interpose_ros.dust3r.inference import Pair, PairPredictions, complete_pairs, predict_pairs
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.pair_pose import PairPose, PairPoseFailure, pair_pose
from interpose_ros.dust3r.preprocess import PreparedView, prepare_view
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.cloud import Cloud, colours_at
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.models.registry import locate_weights
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.subsets import evenly_spread
from interpose_ros.views import View

UNKNOWN_VARIANCE = 9999.0


@dataclass(frozen=True, eq=False)
class SetEstimate:
    """Everything that one run over a set of views gives.

    Attributes:
        estimates: per subset, pose of its last view with respect to its first, or why there is none.
        aligned: per subset, poses of all its views with their points; None for subsets of two views.
        encoded, decoded: forward passes of the network.
    """

    estimates: tuple[PoseEstimate | Refusal, ...]
    aligned: tuple[AlignedSubset | None, ...]
    encoded: int
    decoded: int


class Dust3rEstimator:
    """DUSt3R as a black box from views to a pose. Scale is unknown; intrinsics of the views are trusted.

    The predicted errors come from how far single pointmaps disagree with the result; they are not calibrated.
    """

    name = "dust3r"

    def __init__(self, network: Dust3rNetwork, config: Dust3rConfig | None = None) -> None:
        """``config.weights``, ``device`` and ``dtype`` are only read by ``from_config``: the network is here already."""
        self._network = network
        self._config = config or Dust3rConfig()
        chosen = self._config.image_side
        self._image_side = network.config.image_side if chosen == "weights" else int(chosen)

    @classmethod
    def from_config(cls, config: Dust3rConfig) -> Dust3rEstimator:
        """Estimator with the weights that are configured.

        Raises:
            FileNotFoundError: no weights are configured, or they are not on disk; the message says how to get them.
            CheckpointError: the file does not hold a complete checkpoint of a supported network.
        """
        network = load_network(locate_weights(config.weights), config.device, getattr(torch, config.dtype))
        return cls(compile_blocks(network) if config.compile else pack_for_cpu(network), config)

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first. Of the views in between, ``max_frames`` are used, evenly."""
        if len(views) < 2:
            return Refusal(RefusalReason.BAD_INPUT, f"a relative pose needs at least two views, not {len(views)}")
        between = [views[1 + k] for k in evenly_spread(len(views) - 2, self._config.max_frames)]
        chosen = [views[0], *between, views[-1]]
        return self.estimate_subsets(chosen, [range(len(chosen))]).estimates[0]

    def estimate_many(
        self, views: Sequence[View], subsets: Sequence[Sequence[int]], calibrated: Sequence[bool]
    ) -> Sequence[PoseEstimate | Refusal]:
        """Pose of every subset's last view with respect to its first; one batch."""
        return self.estimate_subsets(views, subsets, calibrated).estimates

    def estimate_subsets(
        self,
        views: Sequence[View],
        subsets: Sequence[Sequence[int]],
        calibrated: Sequence[bool] | None = None,
        on_progress: Callable[[int, int], bool] | None = None,
    ) -> SetEstimate:
        """Poses of many subsets of one set of views; what subsets share is computed once.

        Args:
            views: all views; equal images are recognised.
            subsets: numbers of views, first to last, at least two each.
            calibrated: per view, whether its K is known (generated frames: no). By default all are.
            on_progress: called with images and pairs done, and their number; False cancels.

        Raises:
            ValueError: a subset is too small or names a view that is not there, or one pair needs more memory than
                allowed.
            Cancelled: ``on_progress`` said so.
        """
        if any(len(subset) < 2 or len(set(subset)) != len(subset) for subset in subsets):
            raise ValueError("every subset needs at least two different views")
        known = [True] * len(views) if calibrated is None else list(calibrated)
        prepared = [prepare_view(view, self._image_side) for view in views]
        pairs = [pair for subset in subsets for pair in complete_pairs(subset)]
        predictions = predict_pairs(self._network, prepared, pairs, self._config.inference, on_progress)
        return self._poses(predictions, [tuple(subset) for subset in subsets], known)

    def _poses(
        self, predictions: PairPredictions, subsets: list[tuple[int, ...]], known: Sequence[bool]
    ) -> SetEstimate:
        estimates: list[PoseEstimate | Refusal | None] = [None] * len(subsets)
        aligned: list[AlignedSubset | None] = [None] * len(subsets)
        larger = [k for k, subset in enumerate(subsets) if len(subset) > 2]
        if larger:
            results = align_subsets(predictions, [subsets[k] for k in larger], self._config.alignment, known)
            for k, result in zip(larger, results, strict=True):
                aligned[k] = result
                estimates[k] = self._from_alignment(result, predictions.views, known)
        for k, subset in enumerate(subsets):
            if len(subset) == 2:
                estimates[k] = self._from_pair(predictions, (subset[0], subset[1]), known)
        work = predictions.work
        return SetEstimate(tuple(e for e in estimates if e is not None), tuple(aligned), work.encoded, work.decoded)

    def _from_pair(self, predictions: PairPredictions, pair: Pair, known: Sequence[bool]) -> PoseEstimate | Refusal:
        a, b = pair
        camera_a, camera_b = (predictions.views[v].camera if known[v] else None for v in pair)
        maps_ab, maps_ba = predictions[a, b], predictions[b, a]
        result = pair_pose(maps_ab, maps_ba, predictions.stride, camera_a, camera_b, self._config.pair)
        if isinstance(result, PairPoseFailure):
            return Refusal(RefusalReason.NO_OVERLAP, f"dust3r finds no pose of the pair; {result.text}")
        T_b_a = result.T_b_a
        baseline = float(np.linalg.norm(T_b_a[:3, 3])) / max(result.better.median_depth, 1e-9)
        rotation_error, direction_error = _disagreement(result)
        evidence = {
            "views": 2.0,
            "mean_score": result.better.mean_confidence,
            "inlier_share": result.better.inlier_share,
            "inliers": float(result.better.inliers),
            "directions_solved": 1.0 if result.other_T_b_a is None else 2.0,
            "rotation_disagreement": rotation_error,
            "direction_disagreement": direction_error,
            "baseline_over_depth": baseline,
        }
        return self._estimate(T_b_a, baseline, rotation_error, direction_error, (), evidence)

    def _from_alignment(
        self, result: AlignedSubset, views: Sequence[PreparedView], known: Sequence[bool]
    ) -> PoseEstimate | Refusal:
        T_b_a = result.pose(-1)
        linked = [position for position, view in enumerate(result.aligned) if view is not None]
        first = result.aligned[0]
        if T_b_a is None or first is None:
            return Refusal(
                RefusalReason.NO_OVERLAP,
                f"dust3r links {max(len(linked) - 1, 0)} of {len(result.views) - 1} views to the first, not the "
                f"last: too few points with a confidence of {self._config.alignment.min_confidence:g}",
            )
        if not result.distance <= self._config.alignment.max_distance:
            return Refusal(
                RefusalReason.INCONSISTENT,
                f"dust3r's pointmaps contradict each other: they are {result.distance:.2g} median depths from their best "
                f"alignment; at most {self._config.alignment.max_distance:g} are allowed",
            )
        points = first.points_first[first.weights > 0]
        depth = float(np.median(points[:, 2])) if len(points) else float("nan")
        baseline = float(np.linalg.norm(T_b_a[:3, 3])) / max(depth, 1e-9)
        evidence = {
            "views": float(len(linked)),
            "mean_score": result.mean_score,
            "distance": result.distance,
            "edge_share": result.edge_share,
            "rotation_disagreement": result.edge_rotation_error,
            "direction_disagreement": result.edge_direction_error,
            "baseline_over_depth": baseline,
        }
        focals = [
            abs(float(np.log(aligned.focal / views[v].camera.focal_length)))
            for v, aligned in zip(result.views, result.aligned, strict=True)
            if aligned is not None and not known[v]
        ]
        if focals:
            # Frames that nobody calibrated should look as if the keyframes' camera had taken them.
            evidence["focal_deviation"] = max(focals)
        between = tuple(views[result.views[p]].view for p in linked if 0 < p < len(result.views) - 1)
        estimate = self._estimate(
            T_b_a, baseline, result.edge_rotation_error, result.edge_direction_error, between, evidence
        )
        return estimate if estimate.direction_b_a is None else replace(estimate, cloud=_cloud(result, views, T_b_a))

    def _estimate(
        self,
        T_b_a: Float[np.ndarray, "4 4"],
        baseline: float,
        rotation_error: float,
        direction_error: float,
        between: tuple[View, ...],
        evidence: dict[str, float],
    ) -> PoseEstimate:
        config = self._config
        variance = UNKNOWN_VARIANCE if np.isnan(rotation_error) else max(rotation_error, config.error_floor) ** 2
        # Without a second opinion the direction's error is unknown: no reason to withhold it, none to praise it.
        stddev = direction_error if np.isnan(direction_error) else max(direction_error, config.error_floor)
        moved = baseline >= config.min_baseline and not stddev > config.max_direction_stddev
        return PoseEstimate(
            R_b_a=T_b_a[:3, :3],
            direction_b_a=T_b_a[:3, 3] / np.linalg.norm(T_b_a[:3, 3]) if moved else None,
            model=MotionModel.GENERAL if moved else MotionModel.ROTATION,
            rotation_covariance=variance * np.eye(3),
            direction_stddev=float(stddev) if moved else float("nan"),
            frames_used=between,
            evidence=evidence,
        )


def _cloud(result: AlignedSubset, views: Sequence[PreparedView], T_b_a: Float[np.ndarray, "4 4"]) -> Cloud:
    """The points that the alignment used, of every view, with their colours."""
    seen = [(aligned, views[v].pixels) for v, aligned in zip(result.views, result.aligned, strict=True) if aligned]
    points = [aligned.points_first[aligned.weights > 0] for aligned, _ in seen]
    colours = [colours_at(image, aligned.pixels[aligned.weights > 0]) for aligned, image in seen]
    return Cloud(np.concatenate(points) / np.linalg.norm(T_b_a[:3, 3]), np.concatenate(colours))


def _disagreement(result: PairPose) -> tuple[float, float]:
    """Angles between both directions' rotations and translation directions; NaN where only one was solved."""
    if result.other_T_b_a is None:
        return float("nan"), float("nan")
    first, second = result.T_b_a[None], result.other_T_b_a[None]
    rotation = float(rotation_distance(first[:, :3, :3], second[:, :3, :3])[0])
    return rotation, float(direction_distance(first[:, :3, 3], second[:, :3, 3])[0])
