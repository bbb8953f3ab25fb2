"""Answers of the pipeline, made ready to be compared with the truth."""

from __future__ import annotations

import math

from interpose_ros.answer import PairAnswer
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.evaluation.pairs import PairOutcome


def outcome_from_answer(answer: PairAnswer) -> PairOutcome:
    """What a pipeline's answer says, turned from ``T_b_a`` into ``T_a_b`` as messages have it."""
    estimate, confidence = answer.estimate, answer.confidence
    direction = None
    if estimate is not None and estimate.direction_b_a is not None:
        direction = -estimate.R_b_a.T @ estimate.direction_b_a
    alone = next((c.result for c in answer.candidates if c.clip is None and isinstance(c.result, PoseEstimate)), None)
    calibrated = confidence is not None and math.isfinite(confidence.rotation_5deg)
    return PairOutcome(
        stamp_a_ns=answer.keyframe_a.stamp_ns,
        stamp_b_ns=answer.keyframe_b.stamp_ns,
        R_a_b=None if estimate is None else estimate.R_b_a.T,
        direction_a=direction,
        pair_only_R_a_b=None if alone is None else alone.R_b_a.T,
        overlap=answer.overlap.smaller,
        branch=answer.branch.value,
        confidence=confidence.rotation_5deg if confidence is not None and calibrated else None,
        published=estimate is not None,
        reason="" if answer.refusal is None else answer.refusal.text,
        seconds=float(sum(answer.stage_seconds.values())),
        frames_used=len(answer.frames_used),
    )
