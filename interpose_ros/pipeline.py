"""The one place where the steps meet: overlap, two-view pose, frames in between, decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer
from interpose_ros.config import InterposeConfig
from interpose_ros.estimate_run import EstimateRun, Progress
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.keyframes import MATCHES, SECOND_OPINION, KeyframesEstimator
from interpose_ros.estimators.protocol import PoseEstimate, PoseEstimator
from interpose_ros.interpolation.bridging import choose_bridging_frames
from interpose_ros.interpolation.clip import Clip, Interpolator
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.budget import Budget
from interpose_ros.selection.confidence import (
    Calibration,
    calibrations_in,
    fitting_calibrations,
    shipped_calibrations,
)
from interpose_ros.selection.decision import (
    confidence_of,
    reason_against_bridge,
    reason_against_pointmaps,
    refusal_of,
)
from interpose_ros.views import View

_log = logging.getLogger(__name__)

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
        other networks, for keyframes that ``store`` leaves in doubt; by default nothing does. ``calibrations`` are those
        that are configured by default; one for other models than these is not used, and the log says so.

        Raises:
            ValueError: there are no thresholds for the evidence of that estimator, or calibrations cannot be read.
        """
        self.config, self.store, self._second_store = config, store, second_store
        known = _configured_calibrations(config) if calibrations is None else calibrations
        self._calibrations = fitting_calibrations(known, self.model_hashes())
        self._keyframes = KeyframesEstimator(store, second_store, self._calibrations, config.decision)
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
        budget: Budget | None = None,
        best: Callable[[PairAnswer], None] | None = None,
    ) -> PairAnswer:
        """Pose of B with respect to A.

        Where the keyframes' own matches are evidence enough, nothing more is spent. Otherwise the interpolators' clips are
        tried in their order until one bridges the keyframes.

        Args:
            view_a, view_b: the keyframes.
            interpolators: where frames in between come from, the preferred first; none for the keyframes alone.
            progress: called as work goes on; the fraction never falls.
            cancelled: asked between steps; True ends the work with a refusal (``CANCELLED``).
            budget: what may be spent; no limit by default. Once its clips are spent the best answer is given; once its
                time is up the work ends with a refusal (``CANCELLED``).
            best: called with the best answer so far whenever it changes; that is a refusal while there is no pose.

        Returns:
            The answer. After a cancellation ``best_so_far`` in it is what had been found.
        """
        run = EstimateRun(progress, cancelled, budget)
        run.report("overlap", 0.0)
        with run.stage("overlap"):
            pair, candidates = self._keyframes.candidates(view_a, view_b)
        refusal = self._keyframes.refusal(candidates[0])
        ledger = _Ledger(view_a, view_b, pair, candidates, run)
        if refusal is None:
            run.report("selection", 1.0)
            return ledger.told(ledger.answer(candidates[0], None), best)
        answer = ledger.told(ledger.answer(None, refusal), best)
        for number, clip in enumerate(self._clips(interpolators, view_a, view_b, run)):
            candidate = self._judge(clip, view_a, view_b, run, 1.0 - 0.9 * 0.7**number)
            if candidate is None:
                break
            ledger.candidates.append(candidate)
            refusal = refusal_of(candidate, self.config.decision, _REASON_AGAINST[candidate.estimator])
            answer = ledger.told(ledger.answer(candidate if refusal is None else None, refusal), best)
            if refusal is None:
                break
        reason = run.why_cut_short()
        if reason is not None and answer.selected is None:
            answer = replace(
                answer,
                refusal=Refusal(RefusalReason.CANCELLED, f"{reason} before an answer was found"),
                best_so_far=answer,
            )
        run.report("selection", 1.0)
        return replace(answer, stage_seconds=run.stage_seconds)

    def model_hashes(self) -> dict[tuple[str, str], str]:
        """Fingerprints of the weights and settings behind the evidence, by branch and estimator."""
        stores = ((MATCHES, self.store), (SECOND_OPINION, self._second_store))
        return {(Branch.MATCHES.value, name): store.fingerprint for name, store in stores if store is not None}

    def from_keyframes(self, view_a: View, view_b: View) -> tuple[Candidate, ...]:
        """What every set of networks makes of the keyframes alone, however sure the first is; for calibration."""
        return self._keyframes.all_candidates(view_a, view_b)

    @staticmethod
    def _clips(interpolators: Sequence[Interpolator], view_a: View, view_b: View, run: EstimateRun) -> Iterator[Clip]:
        """The interpolators' clips, as long as the budget lasts."""
        made = 0
        for interpolator in interpolators:
            for clip in interpolator.clips(view_a, view_b):
                if run.must_end() or made >= run.budget.clips:
                    return
                made += 1
                yield clip

    def _judge(self, clip: Clip, view_a: View, view_b: View, run: EstimateRun, start: float) -> Candidate | None:
        """The hypothesis of one clip; None where the work was cut short."""
        run.report("clips", start)
        with run.stage("clips"):
            frames = choose_bridging_frames(
                view_a,
                view_b,
                clip.frames,
                self.store,
                self.config.frames,
                run.share_of_rest("clips", start, 0.2),
                run.must_end,
            )
        if run.must_end():
            return None
        run.report("clip_poses", start)
        with run.stage("clip_poses"):
            result = self._clip_estimator.estimate([view_a, *frames, view_b])
        name = self._clip_estimator.name
        return Candidate(name, clip.origin, result, confidence_of(self._calibrations, Branch.FRAMES, name, result))


class _Ledger:
    """What has been found out about one pair."""

    def __init__(
        self, view_a: View, view_b: View, pair: VerifiedPair, candidates: list[Candidate], run: EstimateRun
    ) -> None:
        self.candidates = candidates
        self._views, self._pair, self._run = (view_a, view_b), pair, run

    def answer(self, selected: Candidate | None, refusal: Refusal | None) -> PairAnswer:
        """The answer with that candidate, or with that refusal."""
        candidates, final = self.candidates, None
        branch, inliers = Branch.NONE, self._pair.inlier_count
        frames: tuple[View, ...] = ()
        if selected is not None:
            final = replace(selected, selected=True)
            candidates = [final if candidate is selected else candidate for candidate in candidates]
            branch = Branch.MATCHES if selected.clip is None else Branch.FRAMES
            if isinstance(selected.result, PoseEstimate):
                frames = selected.result.frames_used
                inliers = int(selected.result.evidence.get("bridge_inliers", inliers))
        return PairAnswer(
            keyframe_a=self._views[0].keyframe_id,
            keyframe_b=self._views[1].keyframe_id,
            selected=final,
            refusal=refusal if final is None else None,
            branch=branch,
            overlap=Overlap(*self._pair.coverage()),
            inliers=inliers,
            candidates=tuple(candidates),
            stage_seconds=dict(self._run.stage_seconds),
            matched_pixels=self._pair.inlier_pixels(),
            frames_used=frames,
        )

    @staticmethod
    def told(answer: PairAnswer, best: Callable[[PairAnswer], None] | None) -> PairAnswer:
        """The answer, after whoever wants to know has been told."""
        if best is not None:
            best(answer)
        return answer


def _configured_calibrations(config: InterposeConfig) -> dict[tuple[str, str], Calibration]:
    folder = config.decision.calibrations
    return shipped_calibrations() if folder is None else calibrations_in(Path(folder).expanduser())


def _second_store(config: InterposeConfig) -> MatchStore | None:
    if not config.features.second_opinion:
        return None
    try:
        return MatchStore.with_second_networks(config)
    except (FileNotFoundError, ImportError) as error:
        _log.warning("more keyframes with little overlap will be refused, as there is no second opinion: %s", error)
        return None
