"""The one place where the steps meet: overlap, two-view pose, frames in between, decision."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer
from interpose_ros.config import InterposeConfig
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.protocol import PoseEstimate, PoseEstimator
from interpose_ros.interpolation.bridging import choose_bridging_frames
from interpose_ros.interpolation.clip import Interpolator
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE, Calibration, Confidence, shipped_calibrations
from interpose_ros.selection.decision import (
    reason_against_bridge,
    reason_against_confidence,
    reason_against_pair,
    reason_against_pointmaps,
)
from interpose_ros.views import View

_log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called with the stage ("overlap", "clips", "clip_poses", "selection") and the fraction of the whole, 0 to 1."""

MATCHES = "matches"
"""Name of the estimator that uses the two keyframes alone."""

SECOND_OPINION = "matches_second"
"""The same with the second, slower networks; asked where the first leave doubt."""

_REASON_AGAINST = {FeaturesEstimator.name: reason_against_bridge, "dust3r": reason_against_pointmaps}


class InterposePipeline:
    """Answers where camera B was, seen from camera A, and how far that may be trusted."""

    def __init__(
        self,
        config: InterposeConfig,
        store: MatchStore,
        calibrations: dict[tuple[str, str], Calibration] | None = None,
        clip_estimator: PoseEstimator | None = None,
        second_store: MatchStore | None = None,
    ) -> None:
        """``clip_estimator`` finds poses over frames in between; by default ``features``. ``second_store`` matches with
        other networks, for keyframes that ``store`` leaves in doubt; by default nothing does.

        Raises:
            ValueError: there are no thresholds for the evidence of that estimator.
        """
        self.config, self.store, self._second_store = config, store, second_store
        self._calibrations = shipped_calibrations() if calibrations is None else calibrations
        self._clip_estimator = clip_estimator or FeaturesEstimator(store, config.frames)
        if self._clip_estimator.name not in _REASON_AGAINST:
            raise ValueError(f"nothing says when the evidence of the estimator {self._clip_estimator.name} is enough")

    @classmethod
    def from_config(cls, config: InterposeConfig) -> InterposePipeline:
        """Pipeline with the default networks, and with the estimator that is configured.

        Raises:
            FileNotFoundError: weights are not installed or not configured; the message says how to get them.
            ValueError: configured weights cannot be used; the message says why.
        """
        clip_estimator: PoseEstimator | None = None
        if config.estimator == "dust3r":
            from interpose_ros.estimators.dust3r import Dust3rEstimator

            clip_estimator = Dust3rEstimator.from_config(config.dust3r)
        return cls(
            config,
            MatchStore.with_default_networks(config),
            clip_estimator=clip_estimator,
            second_store=_second_store(config),
        )

    @property
    def clip_estimator(self) -> PoseEstimator:
        """What finds poses over frames in between."""
        return self._clip_estimator

    def estimate(
        self,
        view_a: View,
        view_b: View,
        interpolators: Sequence[Interpolator] = (),
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> PairAnswer:
        """Pose of B with respect to A.

        Where the keyframes' own matches are evidence enough, nothing more is spent. Otherwise the interpolators' clips are
        tried in their order until one bridges the keyframes.

        Args:
            view_a, view_b: the keyframes.
            interpolators: where frames in between come from, the preferred first; none for the keyframes alone.
            progress: called as work goes on.
            cancelled: asked between steps; True ends the work with a refusal.
        """
        report = progress or (lambda stage, fraction: None)
        stop = cancelled or (lambda: False)
        clock = _StageClock()
        report("overlap", 0.0)
        with clock.stage("overlap"):
            pair, candidates = self._from_keyframes(view_a, view_b)
        pair_only = candidates[0]
        refusal = self._refusal(pair_only, reason_against_pair)
        overlap = Overlap(*pair.coverage())
        selected, branch, inliers = (None, Branch.NONE, pair.inlier_count)
        if refusal is None:
            selected, branch = pair_only, Branch.MATCHES

        for interpolator in interpolators if selected is None else ():
            for clip in interpolator.clips(view_a, view_b):
                if stop():
                    refusal = Refusal(RefusalReason.CANCELLED, "cancelled before an answer was found")
                    break
                with clock.stage("clips"):
                    frames = choose_bridging_frames(
                        view_a,
                        view_b,
                        clip.frames,
                        self.store,
                        self.config.frames,
                        lambda fraction: report("clips", 0.1 + 0.5 * fraction),
                        stop,
                    )
                if stop():
                    refusal = Refusal(RefusalReason.CANCELLED, "cancelled before an answer was found")
                    break
                report("clip_poses", 0.6)
                with clock.stage("clip_poses"):
                    result = self._clip_estimator.estimate([view_a, *frames, view_b])
                candidate = Candidate(
                    self._clip_estimator.name,
                    clip.origin,
                    result,
                    self._confidence(Branch.FRAMES, self._clip_estimator.name, result),
                )
                candidates.append(candidate)
                against = self._refusal(candidate, _REASON_AGAINST[candidate.estimator])
                if against is None:
                    selected, branch, refusal = candidate, Branch.FRAMES, None
                    break
                refusal = against
            if selected is not None or stop():
                break

        report("selection", 1.0)
        final = None
        if selected is not None:
            final = replace(selected, selected=True)
            candidates = [final if candidate is selected else candidate for candidate in candidates]
            if branch is Branch.FRAMES and isinstance(final.result, PoseEstimate):
                inliers = int(final.result.evidence.get("bridge_inliers", pair.inlier_count))
        return PairAnswer(
            keyframe_a=view_a.keyframe_id,
            keyframe_b=view_b.keyframe_id,
            selected=final,
            refusal=refusal if final is None else None,
            branch=branch,
            overlap=overlap,
            inliers=inliers,
            candidates=tuple(candidates),
            stage_seconds=clock.seconds,
            matched_pixels=pair.inlier_pixels(),
            frames_used=final.result.frames_used if final and isinstance(final.result, PoseEstimate) else (),
        )

    def from_keyframes(self, view_a: View, view_b: View) -> tuple[Candidate, ...]:
        """What every set of networks makes of the keyframes alone, however sure the first is; for calibration."""
        stores = ((MATCHES, self.store), (SECOND_OPINION, self._second_store))
        return tuple(self._pair_candidate(store.pair(view_a, view_b), name) for name, store in stores if store)

    def _from_keyframes(self, view_a: View, view_b: View) -> tuple[VerifiedPair, list[Candidate]]:
        """Hypotheses from the keyframes alone, the one that counts first, and the matches behind that."""
        first_pair = self.store.pair(view_a, view_b)
        first = self._pair_candidate(first_pair, MATCHES)
        if self._second_store is None or self._refusal(first, reason_against_pair) is None:
            return first_pair, [first]
        second_pair = self._second_store.pair(view_a, view_b)
        second = self._pair_candidate(second_pair, SECOND_OPINION)
        # The second networks see more where views differ much: it is their word that counts, unless they see nothing.
        if isinstance(second.result, Refusal):
            return first_pair, [first, second]
        return second_pair, [second, first]

    def _pair_candidate(self, pair: VerifiedPair, estimator: str) -> Candidate:
        geometry = pair.geometry
        if isinstance(geometry, Refusal):
            return Candidate(estimator, None, geometry, None)
        result = PoseEstimate(
            R_b_a=geometry.R_b_a,
            direction_b_a=geometry.direction_b_a,
            model=geometry.model,
            rotation_covariance=geometry.rotation_covariance,
            direction_stddev=geometry.direction_stddev,
            evidence={
                "inliers": float(geometry.inlier_count),
                "log_inliers": math.log(geometry.inlier_count),
                "inlier_ratio": geometry.inlier_count / max(len(pair.matches), 1),
                "coverage": min(pair.coverage()),
                "match_score": pair.inlier_score(),
                "parallax": geometry.parallax,
                "residual_px": geometry.residual_px,
                "rotation_stddev": float(np.sqrt(np.trace(geometry.rotation_covariance))),
                "direction_stddev": geometry.direction_stddev,
            },
        )
        calibration = self._calibrations.get((Branch.MATCHES.value, estimator))
        if calibration is not None:
            result = replace(
                result,
                rotation_covariance=calibration.rotation_error_factor**2 * result.rotation_covariance,
                direction_stddev=calibration.direction_error_factor * result.direction_stddev,
            )
        return Candidate(estimator, None, result, self._confidence(Branch.MATCHES, estimator, result))

    def _confidence(self, branch: Branch, estimator: str, result: PoseEstimate | Refusal) -> Confidence | None:
        if isinstance(result, Refusal):
            return None
        calibration = self._calibrations.get((branch.value, estimator))
        if calibration is None:
            return UNCALIBRATED_CONFIDENCE
        return calibration.confidence(result.evidence, result.direction_b_a is not None)

    def _refusal(self, candidate: Candidate, reason_against: Callable[..., str | None]) -> Refusal | None:
        """Why a candidate may not become the answer; None where it may."""
        if isinstance(candidate.result, Refusal):
            return candidate.result
        decision = self.config.decision
        if candidate.confidence is not None and candidate.confidence.is_calibrated:
            text = reason_against_confidence(candidate.confidence, decision)
        else:
            text = reason_against(candidate.result.evidence, decision)
        return None if text is None else Refusal(RefusalReason.LOW_CONFIDENCE, text)


def _second_store(config: InterposeConfig) -> MatchStore | None:
    if not config.features.second_opinion:
        return None
    try:
        return MatchStore.with_second_networks(config)
    except (FileNotFoundError, ImportError) as error:
        _log.warning("more keyframes with little overlap will be refused, as there is no second opinion: %s", error)
        return None


class _StageClock:
    """Adds up wall-clock seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
