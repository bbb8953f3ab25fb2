"""What every selector makes of one pair with its clips, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interpose_ros.answer import PairAnswer
from interpose_ros.config import FeatureConfig, FramesConfig, InterposeConfig, SelectionConfig
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.matching.features import XFeatExtractor
from interpose_ros.matching.matcher import LightGlueMatcher
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal
from interpose_ros.selection.selectors import (
    Chosen,
    FeatureMatch,
    FrameNumber,
    InterPose,
    Material,
    MaxConfidence,
    Mean,
    MedoidDistance,
    Oracle,
    Selector,
)
from interpose_ros.selection.subset_poses import SubsetPoses
from interpose_ros.selection.subsets import draw_subsets
from interpose_ros.views import View
from selection_bench.cases import Case
from selection_bench.distractors import ListedClips, MadeClip

OURS = "bridge_consensus"
PUBLISHED = ("interpose", "d_med", "feature_match", "mean", "max_confidence")
KEYPOINTS = {"panorama": 512, "desk": 768}


class CountingStore(MatchStore):
    """Counts the different pairs that were asked for since the last ``begin``, whether or not they had been made before."""

    def begin(self) -> None:
        """Count anew."""
        self.asked: set[tuple[str, str]] = set()

    def pair(self, view_a: View, view_b: View) -> VerifiedPair:
        """As the store does."""
        first, second = sorted((view_a.content_id, view_b.content_id))
        self.asked.add((first, second))
        return super().pair(view_a, view_b)


class CountingEstimator(FeaturesEstimator):
    """Counts poses, and remembers them: the runs of one pair ask for the same ones again."""

    def __init__(self, store: CountingStore, config: FramesConfig) -> None:
        super().__init__(store, config)
        self._counting = store
        self.poses = 0

    def forget(self) -> None:
        """Another pair follows."""
        self._known: dict[tuple[str, ...], tuple[PoseEstimate | Refusal, set[tuple[str, str]]]] = {}

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """As the estimator does."""
        self.poses += 1
        key = tuple(view.content_id for view in views)
        asked_before = self._counting.asked
        if key not in self._known:
            self._counting.begin()
            result = super().estimate(views)
            self._known[key] = (result, self._counting.asked)
        result, asked = self._known[key]
        self._counting.asked = asked_before | asked
        return result


@dataclass(frozen=True)
class Outcome:
    """One selector on one pair with one list of clips. Angles in degrees; None where there is none.

    Attributes:
        answered: not a refusal.
        rotation_deg, direction_deg: errors of the answer.
        kind: of the clip that was chosen; None for a mixture or a refusal.
        reason: of a refusal.
        matches, poses: work.
    """

    answered: bool
    rotation_deg: float | None
    direction_deg: float | None
    kind: str | None
    reason: str
    matches: int
    poses: int


class Bench:
    """Runs pairs of one part (panoramas or desk), whose images have one size."""

    def __init__(self, part: str, threads_for_matching: str = "cpu") -> None:
        features = FeatureConfig(max_keypoints=KEYPOINTS[part], second_opinion=False, device=threads_for_matching)
        self._config = InterposeConfig(features=features)
        self._store = CountingStore(
            XFeatExtractor(features.max_keypoints, features.max_image_side, features.device),
            LightGlueMatcher.for_xfeat(features.min_match_score, features.device),
            self._config,
        )
        self._estimator = CountingEstimator(self._store, self._config.frames)
        self.begin_pair()

    def begin_pair(self) -> None:
        """Forget the poses of the last pair; its features and matches stay."""
        self._store.begin()
        self._estimator.forget()

    @property
    def matched(self) -> int:
        """Pairs of images that were matched so far."""
        return self._store.matched

    def ours(self, case: Case, clips: Sequence[MadeClip], stop_early: bool) -> tuple[Outcome, PairAnswer]:
        """The pipeline with its own way of choosing."""
        selection = SelectionConfig(stop_early=stop_early)
        pipeline = InterposePipeline(
            self._config.model_copy(update={"selection": selection}), self._store, {}, self._estimator
        )
        self._store.begin()
        self._estimator.poses = 0
        answer = pipeline.estimate(case.view_a, case.view_b, [ListedClips(clips)])
        kind = None
        if answer.selected is not None and answer.selected.clip is not None:
            kind = next(c.kind for c in clips if c.clip.origin == answer.selected.clip)
        reason = "" if answer.refusal is None else f"{answer.refusal.reason.value}: {answer.refusal.text}"
        outcome = _outcome(case, answer.estimate, kind, reason, len(self._store.asked), self._estimator.poses)
        return outcome, answer

    def published(self, case: Case, lists: dict[str, Sequence[MadeClip]]) -> dict[str, dict[str, Outcome]]:
        """Per list of clips and selector, what the published ways choose. Poses of a clip are made once for all lists."""
        self._store.begin()
        self._estimator.poses = 0
        pair = self._store.pair(case.view_a, case.view_b)
        pair_only = None
        if not isinstance(pair.geometry, Refusal):
            g = pair.geometry
            pair_only = PoseEstimate(g.R_b_a, g.direction_b_a, g.model, g.rotation_covariance, g.direction_stddev)
        made = {clip.kind: self._subset_results(case, clip) for clips in lists.values() for clip in clips}
        work = (len(self._store.asked), self._estimator.poses)
        outcomes: dict[str, dict[str, Outcome]] = {}
        for name, clips in lists.items():
            material = self._material(case, clips, [made[clip.kind] for clip in clips], pair_only)
            selectors: list[Selector] = [InterPose(), MedoidDistance(), FeatureMatch(), Mean(), MaxConfidence()]
            selectors.append(Oracle(case.R_b_a, case.direction_b_a))
            outcomes[name] = {}
            for selector in selectors:
                chosen = selector.choose(material)
                kind = None if chosen is None or chosen.clip is None else clips[chosen.clip].kind
                reason = "no pose was estimated" if chosen is None else ""
                outcomes[name][selector.name] = _outcome(case, chosen, kind, reason, *work)
        return outcomes

    def _subset_results(self, case: Case, clip: MadeClip) -> list[PoseEstimate | Refusal]:
        rng = np.random.default_rng(0)
        results: list[PoseEstimate | Refusal] = []
        for subset in draw_subsets(len(clip.views), 3, 10, rng, 6):
            views = [case.view_a, *(clip.views[k] for k in subset), case.view_b]
            results.append(self._estimator.estimate(views))
        return results

    def _material(
        self,
        case: Case,
        clips: Sequence[MadeClip],
        results: Sequence[Sequence[PoseEstimate | Refusal]],
        pair_only: PoseEstimate | None,
    ) -> Material:
        def matches(keyframe: View) -> list[np.ndarray]:
            return [
                np.array([float(self._store.pair(keyframe, view).inlier_count) for view in clip.views])
                for clip in clips
            ]

        def estimate(frames: Sequence[FrameNumber]) -> PoseEstimate | Refusal:
            between = [clips[clip].views[frame] for clip, frame in frames]
            return self._estimator.estimate([case.view_a, *between, case.view_b])

        poses = SubsetPoses.from_results(results, pair_only, "bridge_inliers")
        return Material(poses, matches(case.view_a), matches(case.view_b), estimate)


def _outcome(
    case: Case, pose: PoseEstimate | Chosen | None, kind: str | None, reason: str, matches: int, poses: int
) -> Outcome:
    rotation = direction = None
    if pose is not None:
        rotation = float(np.degrees(rotation_distance(pose.R_b_a, case.R_b_a)))
        if pose.direction_b_a is not None and case.direction_b_a is not None:
            direction = float(np.degrees(direction_distance(pose.direction_b_a, case.direction_b_a)))
    return Outcome(pose is not None, rotation, direction, kind, reason, matches, poses)


def rotation_difference_deg(first: PairAnswer, second: PairAnswer) -> float | None:
    """Angle between the rotations of two answers; None where either is a refusal."""
    if first.estimate is None or second.estimate is None:
        return None
    return float(np.degrees(rotation_distance(first.estimate.R_b_a, second.estimate.R_b_a)))


def clip_record(answer: PairAnswer, clips: Sequence[MadeClip], case: Case) -> list[dict[str, Any]]:
    """Per clip that was judged, its kind, its evidence and its error; to look into single pairs."""
    rows = []
    for candidate in answer.candidates:
        if candidate.clip is None:
            continue
        kind = next(clip.kind for clip in clips if clip.clip.origin == candidate.clip)
        row: dict[str, Any] = {"kind": kind}
        if isinstance(candidate.result, Refusal):
            row["refusal"] = candidate.result.text
        else:
            row["rotation_deg"] = float(np.degrees(rotation_distance(candidate.result.R_b_a, case.R_b_a)))
            row |= {name: round(float(value), 4) for name, value in candidate.result.evidence.items()}
        rows.append(row)
    return rows
