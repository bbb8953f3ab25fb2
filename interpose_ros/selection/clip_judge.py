"""From one clip to one hypothesis: does it bridge the keyframes, which pose does it give, and what speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from interpose_ros.answer import Branch, Candidate
from interpose_ros.config import InterposeConfig
from interpose_ros.estimate_run import EstimateRun
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.protocol import PoseEstimate, PoseEstimator, SubsetPoseEstimator
from interpose_ros.interpolation.bridging import choose_bridging_frames
from interpose_ros.interpolation.clip import Clip, LazyView
from interpose_ros.matching.connection import connect
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.matching.verified_path import VerifiedPath, verify_path
from interpose_ros.matching.view_graph import Link
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.confidence import Calibration
from interpose_ros.selection.consensus import FULL_PARALLAX
from interpose_ros.selection.decision import confidence_of, reason_against_imagined, with_calibrated_errors
from interpose_ros.selection.subset_poses import SubsetPoses, score_clips
from interpose_ros.selection.subsets import draw_subsets
from interpose_ros.selection.trust import bridge_trust
from interpose_ros.views import View


class ClipJudge:
    """Makes a candidate of a clip.

    Frames that a camera saw are what they are. Imagined ones must first be connected with both keyframes by verified
    matches, which costs little where they are not, and get a pose per subset besides, whose spread is evidence.
    """

    def __init__(
        self,
        store: MatchStore,
        estimator: PoseEstimator,
        calibrations: Mapping[tuple[str, str], Calibration],
        config: InterposeConfig,
    ) -> None:
        """``poses`` counts the poses over frames that the estimator was asked for."""
        self._store, self._estimator = store, estimator
        self._calibrations, self._config = calibrations, config
        self.poses = 0

    def judge(
        self, clip: Clip, view_a: View, view_b: View, pair_only: PoseEstimate | None, run: EstimateRun, start: float
    ) -> Candidate | None:
        """The hypothesis of one clip; None where the work was cut short.

        Args:
            clip: frames between the keyframes.
            view_a, view_b: the keyframes.
            pair_only: pose from the keyframes alone, which ``d_bias`` is measured against.
            run: told of progress, and asked whether to go on.
            start: fraction of the whole work that has been done.
        """
        frames: Sequence[LazyView] | Refusal = clip.frames
        run.report("clips", start)
        with run.stage("clips"):
            if clip.origin.generated:
                frames = self._connected_frames(clip, view_a, view_b, run.must_end)
            if not isinstance(frames, Refusal):
                progress = run.share_of_rest("clips", start, 0.2)
                chosen = choose_bridging_frames(
                    view_a, view_b, frames, self._store, self._config.frames, progress, run.must_end
                )
        if run.must_end():
            return None
        run.report("clip_poses", start)
        with run.stage("clip_poses"):
            if isinstance(frames, Refusal):
                result: PoseEstimate | Refusal = frames
            elif clip.origin.generated:
                result = self._imagined(clip, [view_a, *chosen, view_b], pair_only)
            else:
                result = self._pose_over([view_a, *chosen, view_b])
        if isinstance(result, PoseEstimate):
            overlap = min(self._store.pair(view_a, view_b).coverage())
            result = replace(result, evidence={"overlap": overlap, **result.evidence})
        # Calibrations are of frames that a camera saw; of imagined ones they would say nothing.
        calibrations = {} if clip.origin.generated else self._calibrations
        name = self._estimator.name
        confidence = confidence_of(calibrations, Branch.FRAMES, name, result)
        result = with_calibrated_errors(calibrations, Branch.FRAMES, name, result)
        return Candidate(name, clip.origin, result, confidence)

    def _connected_frames(
        self, clip: Clip, view_a: View, view_b: View, cancelled: Callable[[], bool]
    ) -> list[LazyView] | Refusal:
        """The frames that a path of verified matches may use, or how far the matches lead."""
        views: dict[int, View] = {0: view_a, len(clip) + 1: view_b}

        def view(number: int) -> View:
            if number not in views:
                views[number] = clip.frames[number - 1].load()
            return views[number]

        def linked(i: int, j: int) -> bool:
            if cancelled():
                return False
            pair = self._store.pair(view(i), view(j))
            return Link.between(i, j, pair, self._config.frames.min_link_inliers) is not None

        found = connect(len(clip) + 2, linked)
        if not found.connected:
            return Refusal(
                RefusalReason.NO_OVERLAP,
                f"verified matches lead over {found.from_a} of {len(clip)} frames from A and over "
                f"{len(clip) + 1 - found.from_b} from B, and do not connect them",
            )
        return [clip.frames[number - 1] for number in found.kept if 0 < number <= len(clip)]

    def _imagined(self, clip: Clip, views: Sequence[View], pair_only: PoseEstimate | None) -> PoseEstimate | Refusal:
        """Pose over imagined frames. The bridge is shown by matches, whatever gives the pose."""
        path = verify_path(views, self._store, self._config.frames)
        if isinstance(path, Refusal):
            return path
        results: Sequence[PoseEstimate | Refusal] = ()
        if bridge_trust({**clip.findings, **path.evidence}) > 0.0:
            results = self._subset_results(views)
        elif not self._joins_all:
            # Its vote would not count, and a network's forward passes are what costs most.
            reason = reason_against_imagined(path.evidence, self._config.decision) or "there is no trust in the bridge"
            return Refusal(RefusalReason.LOW_CONFIDENCE, f"{reason}; {self._estimator.name} was not asked")
        medoid, scores = _scores(results, pair_only)
        result = self._pose_over(views) if medoid is None or self._joins_all else medoid
        if isinstance(result, Refusal) and self._joins_all and path.evidence["parallax"] < FULL_PARALLAX:
            result = _rotation_alone(views, path)
        if isinstance(result, Refusal):
            return result
        return replace(result, evidence={**clip.findings, **path.evidence, **scores, **result.evidence})

    def _pose_over(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        self.poses += 1
        return self._estimator.estimate(views)

    @property
    def _joins_all(self) -> bool:
        """Whether the pose over all frames is better than that of any subset: so with matches, not with networks."""
        return isinstance(self._estimator, FeaturesEstimator)

    def _subset_results(self, views: Sequence[View]) -> Sequence[PoseEstimate | Refusal]:
        config, estimator = self._config.selection, self._estimator
        if not isinstance(estimator, SubsetPoseEstimator):
            return ()
        subsets = draw_subsets(
            len(views) - 2,
            config.frames_per_subset,
            config.random_subsets,
            np.random.default_rng(0),
            config.grid_frames,
        )
        self.poses += len(subsets)
        last = len(views) - 1
        # Nobody calibrated the camera of imagined frames.
        calibrated = [True, *(False for _ in views[1:-1]), True]
        return estimator.estimate_many(views, [(0, *(1 + k for k in s), last) for s in subsets], calibrated)


def _rotation_alone(views: Sequence[View], path: VerifiedPath) -> PoseEstimate:
    """What a path says over which next to nothing is seen to move: it carries no structure, and no direction, but its
    rotation does not need any."""
    return PoseEstimate(
        path.R_b_a,
        None,
        MotionModel.ROTATION,
        path.rotation_covariance,
        float("nan"),
        frames_used=tuple(views[1:-1]),
        evidence={"disagreement": 0.0},
    )


def _scores(
    results: Sequence[PoseEstimate | Refusal], pair_only: PoseEstimate | None
) -> tuple[PoseEstimate | None, dict[str, float]]:
    """The medoid of the subset poses and InterPose's scores of the clip, those that exist."""
    scores = score_clips(SubsetPoses.from_results([results], pair_only, ""))
    if scores.medoid[0] < 0:
        return None, {}
    medoid = results[int(scores.medoid[0])]
    assert isinstance(medoid, PoseEstimate)
    named = {"d_med": scores.d_med[0], "d_bias": scores.d_bias[0], "d_total": scores.d_total[0]}
    return medoid, {name: float(value) for name, value in named.items() if np.isfinite(value)}
