"""Hypotheses from the two keyframes alone: their matches, seen by one or two sets of networks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from interpose_ros.answer import Branch, Candidate
from interpose_ros.config import DecisionConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal
from interpose_ros.selection.confidence import Calibration
from interpose_ros.selection.decision import (
    confidence_of,
    reason_against_pair,
    refusal_of,
    with_calibrated_errors,
)
from interpose_ros.views import View

MATCHES = "matches"
"""Name of the estimator that uses the two keyframes alone."""

SECOND_OPINION = "matches_second"
"""The same with the second, slower networks; asked where the first leave doubt."""


class KeyframesEstimator:
    """Poses from the matches of two keyframes, with calibrated confidence."""

    def __init__(
        self,
        store: MatchStore,
        second_store: MatchStore | None,
        calibrations: Mapping[tuple[str, str], Calibration],
        config: DecisionConfig,
    ) -> None:
        self._store, self._second_store = store, second_store
        self._calibrations, self._config = calibrations, config

    def all_candidates(self, view_a: View, view_b: View) -> tuple[Candidate, ...]:
        """What every set of networks makes of the keyframes, however sure the first is."""
        stores = ((MATCHES, self._store), (SECOND_OPINION, self._second_store))
        return tuple(self._candidate(store.pair(view_a, view_b), name) for name, store in stores if store)

    def candidates(self, view_a: View, view_b: View) -> tuple[VerifiedPair, list[Candidate]]:
        """Hypotheses, the one that counts first, and the matches behind that. The second networks are asked in doubt."""
        first_pair = self._store.pair(view_a, view_b)
        first = self._candidate(first_pair, MATCHES)
        if self._second_store is None or self.refusal(first) is None:
            return first_pair, [first]
        second_pair = self._second_store.pair(view_a, view_b)
        second = self._candidate(second_pair, SECOND_OPINION)
        # The second networks see more where views differ much: it is their word that counts, unless they see nothing.
        if isinstance(second.result, Refusal):
            return first_pair, [first, second]
        return second_pair, [second, first]

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Why a candidate of this estimator may not become the answer; None where it may."""
        return refusal_of(candidate, self._config, reason_against_pair)

    def _candidate(self, pair: VerifiedPair, estimator: str) -> Candidate:
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
                "spread": pair.spread(),
                "match_score": pair.inlier_score(),
                "rotation_only": float(geometry.model is MotionModel.ROTATION),
                "parallax": geometry.parallax,
                "residual_px": geometry.residual_px,
                "rotation_stddev": float(np.sqrt(np.trace(geometry.rotation_covariance))),
                "direction_stddev": geometry.direction_stddev,
            },
        )
        confidence = confidence_of(self._calibrations, Branch.MATCHES, estimator, result)
        known = with_calibrated_errors(self._calibrations, Branch.MATCHES, estimator, result)
        return Candidate(estimator, None, known, confidence)
