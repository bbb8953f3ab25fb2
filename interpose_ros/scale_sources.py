"""Which of several lengths counts, and what it means when they, or the pose itself, contradict each other.

The order is that of how little can be wrong: the baseline of a rigid rig was measured once and for all; depth looks at the
very scene; odometry adds up errors on the way; a network guesses. The first that has a length gives it. The others are
witnesses: they change neither rotation nor length, they only lower confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from interpose_ros.answer import PairAnswer, Scale, ScaleSource
from interpose_ros.odometry import NoScale
from interpose_ros.selection.confidence import Confidence

PRECEDENCE = (ScaleSource.BASELINE, ScaleSource.DEPTH, ScaleSource.ODOMETRY, ScaleSource.MODEL)

WITNESS_FAILS = 0.05
"""How often a witness is wrong itself, and so cannot be held against a pose."""

WORTH_SAYING = 3.0
"""Standard deviations from which a contradiction is put into words."""

_WRONG_DENSITY = 1.0 / 20.0
"""Disagreement of a wrong pose, in standard deviations: anywhere up to 20."""


@dataclass(frozen=True)
class ScaleFinding:
    """What one source says about a pair.

    Attributes:
        source: which.
        length: the length, or why there is none.
        disagreement: by how many standard deviations it contradicts rotation and direction from the images; 0: not at all.
        about: what it contradicts, for people: "odometry turns by 12.0 degrees more".
    """

    source: ScaleSource
    length: Scale | NoScale
    disagreement: float = 0.0
    about: str = ""


def with_scale(answer: PairAnswer, findings: Sequence[ScaleFinding], lower_confidence: bool) -> PairAnswer:
    """The answer with the length of the source that comes first in ``PRECEDENCE``, if any has one.

    Args:
        answer: with an estimate.
        findings: at most one per source.
        lower_confidence: let contradictions do so; otherwise they are only put into words.
    """
    ordered = sorted(findings, key=lambda finding: PRECEDENCE.index(finding.source))
    lengths = [finding.length for finding in ordered if isinstance(finding.length, Scale)]
    chosen = lengths[0] if lengths else None
    against = [(finding.disagreement, finding.about) for finding in ordered if finding.disagreement > 0]
    for other in lengths[1:]:
        against.append(_between(lengths[0], other))
    remarks = [f"{text} ({size:.1f} standard deviations)" for size, text in against if size >= WORTH_SAYING]
    answer = replace(answer, scale=chosen, remark="; ".join(filter(None, [answer.remark, *remarks])))
    if lower_confidence and answer.selected is not None and answer.confidence is not None:
        ratio = math.prod((likelihood_ratio(size) for size, _ in against), start=1.0)
        selected = replace(answer.selected, confidence=lowered(answer.confidence, ratio))
        candidates = tuple(selected if candidate.selected else candidate for candidate in answer.candidates)
        answer = replace(answer, selected=selected, candidates=candidates)
    return answer


def likelihood_ratio(disagreement: float) -> float:
    """How much likelier a disagreement, in standard deviations, is of a right pose than of a wrong one; at most 1.

    A right pose disagrees by a half-normal error, unless the witness fails; a wrong one by anything.
    """
    right = math.sqrt(2.0 / math.pi) * math.exp(-0.5 * disagreement**2)
    return min(1.0, (1.0 - WITNESS_FAILS) * right / _WRONG_DENSITY + WITNESS_FAILS)


def lowered(confidence: Confidence, ratio: float) -> Confidence:
    """Every probability by Bayes' rule with one likelihood ratio; unknown ones stay unknown."""

    def after(probability: float) -> float:
        return probability * ratio / (probability * ratio + 1.0 - probability) if probability < 1.0 else probability

    return replace(
        confidence,
        rotation_5deg=after(confidence.rotation_5deg),
        rotation_15deg=after(confidence.rotation_15deg),
        direction_10deg=after(confidence.direction_10deg),
    )


def normal_from_chi(value: float, freedom: int) -> float:
    """Standard deviations of a normal error that are as unusual as a Mahalanobis distance; 0 for usual ones.

    Wilson and Hilferty, 1931.
    """
    spread = 2.0 / (9.0 * freedom)
    return max(0.0, ((value**2 / freedom) ** (1.0 / 3.0) - 1.0 + spread) / math.sqrt(spread))


def _between(chosen: Scale, other: Scale) -> tuple[float, str]:
    size = abs(chosen.metres - other.metres) / max(math.hypot(chosen.stddev, other.stddev), 1e-9)
    return size, f"{chosen.source.value} says {chosen.metres:.3f} m and {other.source.value} {other.metres:.3f} m"
