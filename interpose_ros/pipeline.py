"""The one place where the steps meet: overlap, two-view pose, frames in between, decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from interpose_ros.answer import Branch, Candidate, Overlap, PairAnswer, Work
from interpose_ros.config import DecisionConfig, InterposeConfig
from interpose_ros.estimate_run import EstimateRun, Progress
from interpose_ros.estimators.features import FeaturesEstimator
from interpose_ros.estimators.keyframes import MATCHES, SECOND_OPINION, KeyframesEstimator
from interpose_ros.estimators.protocol import PoseEstimate, PoseEstimator
from interpose_ros.interpolation.clip import ClipDirection, Interpolator, LazyView
from interpose_ros.interpolation.recorded import recorded_clip
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.budget import Budget
from interpose_ros.selection.choice import REASON_AGAINST, choose
from interpose_ros.selection.clip_judge import ClipJudge
from interpose_ros.selection.clip_queue import LITTLE_PROMISE, NO_PROMISE, clips_in_turn
from interpose_ros.selection.confidence import (
    Calibration,
    calibrations_in,
    fitting_calibrations,
    shipped_calibrations,
)
from interpose_ros.selection.work_meter import WorkMeter
from interpose_ros.views import View

_log = logging.getLogger(__name__)


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
        self._clip_estimator = clip_estimator or FeaturesEstimator(store, config.frames)
        known = _configured_calibrations(config) if calibrations is None else calibrations
        self._calibrations = fitting_calibrations(known, self.model_hashes())
        self._keyframes = KeyframesEstimator(store, second_store, self._calibrations, config.decision)
        if self._clip_estimator.name not in REASON_AGAINST:
            raise ValueError(f"nothing says when the evidence of the estimator {self._clip_estimator.name} is enough")
        self._judge = ClipJudge(store, self._clip_estimator, self._calibrations, config)

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

    def with_decision(self, decision: DecisionConfig) -> InterposePipeline:
        """A pipeline with other thresholds, and the same networks and what they remember."""
        config = self.config.model_copy(update={"decision": decision})
        return InterposePipeline(
            config, self.store, clip_estimator=self._clip_estimator, second_store=self._second_store
        )

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
        judged one after another until the answer is settled: interpolators in their order, clips that are at hand together
        the most promising first.

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
        ledger = _Ledger(view_a, view_b, pair, run)
        refusal = self._keyframes.refusal(candidates[0])
        if refusal is None:
            run.report("selection", 1.0)
            candidates[0] = replace(candidates[0], selected=True)
            return ledger.told(ledger.answer(candidates, None, Work(0, 0, 0, 0.0, 0.0)), best)
        meter = WorkMeter(self.store, self._judge, run.budget, interpolators)
        answer = ledger.told(ledger.answer(candidates, refusal, meter.work()), best)
        settled = is_something_strong = False
        pair_only = candidates[0].result if isinstance(candidates[0].result, PoseEstimate) else None
        stop_early = self.config.selection.stop_early

        def may_go_on() -> bool:
            return meter.clips < run.budget.clips and not run.must_end()

        for clip, promise in clips_in_turn(interpolators, view_a, view_b, may_go_on):
            if stop_early and promise < (LITTLE_PROMISE if is_something_strong else NO_PROMISE):
                continue
            candidate = self._judge.judge(clip, view_a, view_b, pair_only, run, 1.0 - 0.9 * 0.7**meter.clips)
            meter.judged(clip)
            if candidate is None:
                break
            candidates.append(candidate)
            choice = choose(candidates, self.config)
            # An answer, or what would be one if another as strong did not contradict it.
            is_something_strong = choice.refusal is None or choice.refusal.reason is RefusalReason.AMBIGUOUS
            answer = ledger.told(ledger.answer(choice.applied_to(candidates), choice.refusal, meter.work()), best)
            if choice.settled and stop_early:
                settled = True
                break
        if run.cut_short is not None and not settled:
            refusal = Refusal(RefusalReason.CANCELLED, f"{run.cut_short} before the answer was settled")
            unselected = [replace(candidate, selected=False) for candidate in answer.candidates]
            answer = ledger.told(replace(ledger.answer(unselected, refusal, meter.work()), best_so_far=answer), best)
        run.report("selection", 1.0)
        return replace(answer, stage_seconds=run.stage_seconds)

    def model_hashes(self) -> dict[tuple[str, str], str]:
        """Fingerprints of the weights and settings behind the evidence, by branch and estimator."""
        stores = ((MATCHES, self.store), (SECOND_OPINION, self._second_store))
        found = {(Branch.MATCHES.value, name): store.fingerprint for name, store in stores if store is not None}
        if isinstance(self._clip_estimator, FeaturesEstimator):
            found[Branch.FRAMES.value, self._clip_estimator.name] = self._clip_estimator.fingerprint
        return found

    def from_keyframes(self, view_a: View, view_b: View) -> tuple[Candidate, ...]:
        """What every set of networks makes of the keyframes alone, however sure the first is; for calibration."""
        return self._keyframes.all_candidates(view_a, view_b)

    def from_frames(self, view_a: View, view_b: View, frames: Sequence[LazyView]) -> Candidate:
        """What frames that a camera saw between the keyframes give, however sure these are alone; for calibration."""
        clip = recorded_clip(frames, ClipDirection.FORWARD)
        candidate = self._judge.judge(clip, view_a, view_b, None, EstimateRun(), 0.0)
        assert candidate is not None  # nothing cuts this run short
        return candidate


class _Ledger:
    """Writes answers about one pair."""

    def __init__(self, view_a: View, view_b: View, pair: VerifiedPair, run: EstimateRun) -> None:
        self._views, self._pair, self._run = (view_a, view_b), pair, run

    def answer(self, candidates: Sequence[Candidate], refusal: Refusal | None, work: Work) -> PairAnswer:
        """The answer with the candidate that is selected, or the refusal."""
        selected = next((candidate for candidate in candidates if candidate.selected), None)
        branch, inliers = Branch.NONE, self._pair.inlier_count
        frames: tuple[View, ...] = ()
        if selected is not None and isinstance(selected.result, PoseEstimate):
            branch = Branch.MATCHES if selected.clip is None else Branch.FRAMES
            frames = selected.result.frames_used
            inliers = int(selected.result.evidence.get("bridge_inliers", inliers))
        return PairAnswer(
            keyframe_a=self._views[0].keyframe_id,
            keyframe_b=self._views[1].keyframe_id,
            selected=selected,
            refusal=refusal,
            branch=branch,
            overlap=Overlap(*self._pair.coverage()),
            inliers=inliers,
            candidates=tuple(candidates),
            stage_seconds=dict(self._run.stage_seconds),
            matched_pixels=self._pair.inlier_pixels(),
            frames_used=frames,
            work=work,
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
