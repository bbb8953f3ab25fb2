"""From the hypotheses of all clips and of the keyframes to one answer, or to a refusal: bridge x consensus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from interpose_ros.answer import Candidate
from interpose_ros.config import DecisionConfig, InterposeConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.consensus import Consensus, Vote, find_consensus
from interpose_ros.selection.decision import (
    reason_against_bridge,
    reason_against_imagined,
    reason_against_pointmaps,
    refusal_of,
)
from interpose_ros.selection.trust import D_MED_ALONE, bridge_trust

REASON_AGAINST: Mapping[str, Callable[[Mapping[str, float], DecisionConfig], str | None]] = {
    "features": reason_against_bridge,
    "dust3r": reason_against_pointmaps,
}
"""What says, per estimator over frames, why evidence is not enough where no calibration does."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What the hypotheses so far come to.

    Attributes:
        number: of the candidate that is the answer; None in a refusal.
        refusal: why there is none; None where there is one.
        evidence: ``trust`` of the chosen clip, ``mode_strength``, ``mode_votes``, ``mode_spread`` (radians),
            ``modes``, their number, ``rival_strength``, ``rival_angle`` (radians, NaN without a rival).
        settled: whether another clip is unlikely to change it.
        against: per candidate, why it is not the answer; empty for the one that is, and where there is no estimate.
    """

    number: int | None
    refusal: Refusal | None
    evidence: Mapping[str, float]
    settled: bool
    against: Sequence[str]

    def applied_to(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The candidates with what was decided about each."""
        return tuple(
            self._selected(candidate) if number == self.number else replace(candidate, against=against)
            for number, (candidate, against) in enumerate(zip(candidates, self.against, strict=True))
        )

    def _selected(self, candidate: Candidate) -> Candidate:
        """With the evidence of the choice; what its mode leaves open widens the covariance."""
        assert isinstance(candidate.result, PoseEstimate)
        spread = self.evidence["mode_spread"]
        result = replace(
            candidate.result,
            rotation_covariance=candidate.result.rotation_covariance + spread**2 / 3.0 * np.eye(3),
            evidence={**candidate.result.evidence, **self.evidence},
        )
        return replace(candidate, result=result, selected=True)


def choose(candidates: Sequence[Candidate], config: InterposeConfig) -> Choice:
    """Weigh all candidates; those from the keyframes alone have no clip, and do not become the answer here."""
    votes, numbers = [], []
    refusals: list[Refusal] = []
    against = [""] * len(candidates)
    for number, candidate in enumerate(candidates):
        refusal = None if candidate.clip is None else clip_refusal(candidate, config.decision)
        if refusal is not None:
            refusals.append(refusal)
            against[number] = refusal.text if isinstance(candidate.result, PoseEstimate) else ""
        if refusal is None and isinstance(candidate.result, PoseEstimate):
            votes.append(Vote(candidate.result, _weight(candidate)))
            numbers.append(number)
    consensus = find_consensus(votes, config.selection)
    chosen, refusal = _leader(consensus, votes, [candidates[n].clip is not None for n in numbers], refusals, config)
    for place, number in enumerate(numbers):
        against[number] = _standing(place, chosen, consensus)
    if chosen is None:
        return Choice(None, refusal, {}, False, against)
    mode = consensus.modes[0]
    evidence = {
        "trust": votes[chosen].weight,
        "mode_strength": mode.strength,
        "mode_votes": float(len(mode.members)),
        "mode_spread": mode.spread,
        "modes": float(len(consensus.modes)),
        "rival_strength": consensus.rival,
        "rival_angle": consensus.rival_angle,
    }
    lead = mode.strength - consensus.rival
    clips = [numbers[vote] for vote in mode.members if candidates[numbers[vote]].clip is not None]
    settled = lead >= config.selection.stop_lead and (
        len(clips) > 1 or _agrees_with_itself(candidates[numbers[chosen]])
    )
    return Choice(numbers[chosen], None, evidence, settled, against)


def clip_refusal(candidate: Candidate, config: DecisionConfig) -> Refusal | None:
    """Why the hypothesis of a clip does not count; None where it does. Imagined frames must bridge, whatever else."""
    refusal = refusal_of(candidate, config, REASON_AGAINST[candidate.estimator])
    if refusal is None and candidate.clip is not None and candidate.clip.generated:
        assert isinstance(candidate.result, PoseEstimate)
        text = reason_against_imagined(candidate.result.evidence, config)
        refusal = None if text is None else Refusal(RefusalReason.LOW_CONFIDENCE, text)
    return refusal


def _agrees_with_itself(candidate: Candidate) -> bool:
    """Whether the subset poses of an imagined clip are so close together that no other clip need confirm it."""
    assert isinstance(candidate.result, PoseEstimate)
    assert candidate.clip is not None
    return not candidate.clip.generated or candidate.result.evidence.get("d_med", 0.0) <= D_MED_ALONE


def _weight(candidate: Candidate) -> float:
    """How far a hypothesis is trusted: that of the keyframes by its confidence, an imagined clip by its bridge."""
    assert isinstance(candidate.result, PoseEstimate)
    if candidate.clip is None:
        confidence = candidate.confidence
        known = confidence is not None and math.isfinite(confidence.rotation_5deg)
        return confidence.rotation_5deg if confidence is not None and known else 0.0
    # Frames that a camera saw and that passed their thresholds are as good as it gets.
    return bridge_trust(candidate.result.evidence) if candidate.clip.generated else 1.0


def _leader(
    consensus: Consensus,
    votes: Sequence[Vote],
    from_clip: Sequence[bool],
    refusals: Sequence[Refusal],
    config: InterposeConfig,
) -> tuple[int | None, Refusal | None]:
    """The vote that becomes the answer, or why none does."""
    limits = config.selection
    mode = consensus.modes[0] if consensus.modes else None
    clips = [k for k in mode.members if from_clip[k]] if mode is not None else []
    if mode is None or not clips:
        return None, _most_telling(refusals)
    if mode.strength < limits.min_strength:
        return None, Refusal(
            RefusalReason.LOW_CONFIDENCE,
            f"the strongest group of hypotheses has a strength of {mode.strength:.2f}; at least "
            f"{limits.min_strength:.2f} needed",
        )
    if consensus.is_ambiguous(limits):
        return None, Refusal(
            RefusalReason.AMBIGUOUS,
            f"two groups of hypotheses {math.degrees(consensus.rival_angle):.0f} degrees apart have strengths of "
            f"{mode.strength:.2f} and {consensus.rival:.2f}",
        )
    return max(clips, key=lambda k: votes[k].weight), None


def _standing(vote: int, chosen: int | None, consensus: Consensus) -> str:
    """Why a hypothesis that counted is not the answer."""
    if vote == chosen:
        return ""
    place = next((n for n, mode in enumerate(consensus.modes) if vote in mode.members), None)
    if place is None:
        return "it carries no weight"
    if chosen is None:
        return f"the group it belongs to has a strength of {consensus.modes[place].strength:.2f}"
    return "it agrees with the answer, which is trusted more" if place == 0 else "more speaks for another group"


_TELLING = (RefusalReason.LOW_CONFIDENCE, RefusalReason.INCONSISTENT, RefusalReason.NO_OVERLAP)


def _most_telling(refusals: Sequence[Refusal]) -> Refusal:
    """The refusal of the clip that came nearest to an answer, the latest of them."""
    if not refusals:
        return Refusal(RefusalReason.LOW_CONFIDENCE, "no clip bridges the keyframes, which alone are in doubt")
    rank = {reason: place for place, reason in enumerate(_TELLING)}
    return min(reversed(refusals), key=lambda refusal: rank.get(refusal.reason, len(rank)))
