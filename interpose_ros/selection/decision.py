"""Whether evidence is enough for an answer: by calibrated confidence, or by named thresholds where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from interpose_ros.answer import Branch, Candidate
from interpose_ros.config import DecisionConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE, Calibration, Confidence


def reason_against_confidence(confidence: Confidence, config: DecisionConfig) -> str | None:
    """Why a calibrated confidence is not enough; None where it is."""
    # NaN is not enough either.
    if confidence.rotation_5deg >= config.min_confidence:
        return None
    return (
        f"the rotation is within 5 degrees with probability {confidence.rotation_5deg:.2f}; at least "
        f"{config.min_confidence:.2f} needed"
    )


def reason_against_pair(evidence: Mapping[str, float], config: DecisionConfig) -> str | None:
    """Why the matches of two keyframes alone are not enough; None where they are."""
    return _first_failure(
        evidence,
        (
            ("inliers", "verified matches", config.min_inliers),
            ("coverage", "of the image covered by verified matches", config.min_coverage),
            ("inlier_ratio", "of the matches agree", config.min_inlier_ratio),
            ("match_score", "mean matcher score", config.min_match_score),
        ),
    )


def reason_against_bridge(evidence: Mapping[str, float], config: DecisionConfig) -> str | None:
    """Why frames in between do not bridge two keyframes well enough; None where they do."""
    failure = _first_failure(
        evidence,
        (
            ("bridge_inliers", "verified matches on the weakest link", config.min_bridge_inliers),
            ("bridge_coverage", "of the image covered on the weakest link", config.min_bridge_coverage),
            ("bridge_score", "mean matcher score on the weakest link", config.min_bridge_score),
        ),
    )
    # Only an estimator that finds the rotation twice has this.
    if failure is None and evidence.get("disagreement", 0.0) > config.max_disagreement:
        failure = (
            f"chained and jointly solved rotations differ by {math.degrees(evidence['disagreement']):.1f} degrees; "
            f"at most {math.degrees(config.max_disagreement):.1f} are allowed"
        )
    return failure


def reason_against_imagined(evidence: Mapping[str, float], config: DecisionConfig) -> str | None:
    """Why imagined frames do not bridge two keyframes; None where they do. Their matches alone would prove too little."""
    return reason_against_bridge(evidence, config) or _first_failure(
        {**evidence, "agreement": 1.0 - evidence["contradiction"]},
        (
            ("closure", "of the matches that frames seeing the same should have", config.min_closure),
            ("agreement", "of the verified matches do not contradict the bridge", 1.0 - config.max_contradiction),
        ),
    )


def reason_against_pointmaps(evidence: Mapping[str, float], config: DecisionConfig) -> str | None:
    """Why predicted pointmaps do not carry a pose; None where they do. A network's own scores alone prove nothing."""
    share = evidence["edge_share"] if "edge_share" in evidence else evidence["directions_solved"] / 2.0
    failure = _first_failure(
        {"mean_score": evidence["mean_score"], "share": share},
        (
            ("mean_score", "mean product of the pointmaps' confidence", config.min_pointmap_score),
            ("share", "of the pairs have confident pointmaps", config.min_pointmap_share),
        ),
    )
    # NaN is not enough: a single direction has nothing to agree with.
    if failure is None and not evidence["rotation_disagreement"] <= config.max_pointmap_disagreement:
        failure = (
            f"rotations of single pairs and of all together differ by {math.degrees(evidence['rotation_disagreement']):.1f}"
            f" degrees; at most {math.degrees(config.max_pointmap_disagreement):.1f} are allowed"
        )
    return failure


def _first_failure(evidence: Mapping[str, float], limits: tuple[tuple[str, str, int | float], ...]) -> str | None:
    for name, text, least in limits:
        # NaN is not enough either.
        if not evidence[name] >= least:
            return f"{evidence[name]:.3g} {text}; at least {least:.3g} needed"
    return None


def with_calibrated_errors(
    calibrations: Mapping[tuple[str, str], Calibration],
    branch: Branch,
    estimator: str,
    result: PoseEstimate | Refusal,
) -> PoseEstimate | Refusal:
    """The result with predicted errors as large as a calibration saw them; as it is where there is no calibration."""
    calibration = calibrations.get((branch.value, estimator))
    if calibration is None or isinstance(result, Refusal):
        return result
    return replace(
        result,
        rotation_covariance=calibration.rotation_error_factor**2 * result.rotation_covariance,
        direction_stddev=calibration.direction_error_factor * result.direction_stddev,
    )


def confidence_of(
    calibrations: Mapping[tuple[str, str], Calibration],
    branch: Branch,
    estimator: str,
    result: PoseEstimate | Refusal,
) -> Confidence | None:
    """Confidence of a result by the calibration of its branch and estimator; None where there is no estimate."""
    if isinstance(result, Refusal):
        return None
    calibration = calibrations.get((branch.value, estimator))
    if calibration is None:
        return UNCALIBRATED_CONFIDENCE
    return calibration.confidence(result.evidence, result.direction_b_a is not None)


def refusal_of(
    candidate: Candidate,
    config: DecisionConfig,
    reason_against: Callable[[Mapping[str, float], DecisionConfig], str | None],
) -> Refusal | None:
    """Why a candidate may not become the answer; None where it may.

    Its calibrated confidence decides; without a calibration ``reason_against`` does, from the evidence.
    """
    if isinstance(candidate.result, Refusal):
        return candidate.result
    if candidate.confidence is not None and candidate.confidence.is_calibrated:
        text = reason_against_confidence(candidate.confidence, config)
    else:
        text = reason_against(candidate.result.evidence, config)
    return None if text is None else Refusal(RefusalReason.LOW_CONFIDENCE, text)
