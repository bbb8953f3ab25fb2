"""From candidates to an answer or a refusal, on made-up evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from interpose_ros.answer import Candidate
from interpose_ros.config import InterposeConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.interpolation.clip import ClipOrigin
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.choice import choose
from interpose_ros.selection.confidence import UNCALIBRATED_CONFIDENCE, Confidence

CONFIG = InterposeConfig()
GOOD = {
    "bridge_inliers": 200.0,
    "bridge_coverage": 0.4,
    "bridge_score": 0.7,
    "bridge_ratio": 0.8,
    "closure": 0.9,
    "contradiction": 0.0,
    "parallax": 0.0,
    "disagreement": 0.0,
}


def clip(degrees: float, generated: bool = True, estimator: str = "features", **evidence: float) -> Candidate:
    R = rotation_exp(np.array([0.0, np.deg2rad(degrees), 0.0]))
    result = PoseEstimate(R, None, MotionModel.ROTATION, 1e-4 * np.eye(3), math.nan, evidence={**GOOD, **evidence})
    origin = ClipOrigin("made_up", f"{degrees}-{len(evidence)}", generated=generated)
    return Candidate(estimator, origin, result, UNCALIBRATED_CONFIDENCE)


def keyframes(degrees: float, probability: float) -> Candidate:
    made = clip(degrees)
    return replace(made, estimator="matches", clip=None, confidence=Confidence(probability, probability, 0.0, "test"))


def failed(reason: RefusalReason) -> Candidate:
    return Candidate(
        "features", ClipOrigin("made_up", reason.value, generated=True), Refusal(reason, reason.value), None
    )


def test_an_imagined_clip_that_agrees_badly_with_itself_ends_the_search_only_with_a_second_one():
    spread = math.radians(7.0)  # of subset poses; trusted all the same, as nothing is taken from trust below 9 degrees
    alone = choose([failed(RefusalReason.NO_OVERLAP), clip(60, d_med=spread)], CONFIG)
    assert (alone.number, alone.settled, alone.evidence["trust"]) == (1, False, 1.0)
    firm = choose([failed(RefusalReason.NO_OVERLAP), clip(60, d_med=math.radians(2.0))], CONFIG)
    assert (firm.number, firm.settled) == (1, True)
    confirmed = choose([failed(RefusalReason.NO_OVERLAP), clip(60, d_med=spread), clip(60.5, d_med=spread)], CONFIG)
    assert (confirmed.evidence["mode_votes"], confirmed.settled) == (2.0, True)
    seen = choose([failed(RefusalReason.NO_OVERLAP), clip(60, generated=False, d_med=spread)], CONFIG)
    assert (seen.number, seen.settled) == (1, True)


def test_one_good_bridge_is_the_answer_and_settles_it():
    candidates = [failed(RefusalReason.NO_OVERLAP), clip(60)]
    choice = choose(candidates, CONFIG)
    assert (choice.number, choice.settled) == (1, True)
    assert choice.evidence["trust"] == 1.0
    chosen = choice.applied_to(candidates)
    assert [c.selected for c in chosen] == [False, True]
    assert chosen[1].result.evidence["mode_votes"] == 1.0


def test_a_weak_bridge_is_an_answer_that_another_clip_may_change():
    choice = choose([clip(60, bridge_ratio=0.48)], CONFIG)
    assert choice.number == 0
    assert not choice.settled


def test_weak_bridges_that_agree_settle_it_together():
    candidates = [clip(60, bridge_ratio=0.45), clip(61, bridge_ratio=0.48), clip(10, bridge_ratio=0.4)]
    choice = choose(candidates, CONFIG)
    assert choice.number == 1
    assert choice.evidence["mode_strength"] == pytest.approx(0.5 + 0.6)
    assert choice.evidence["rival_strength"] == pytest.approx(1 / 3)
    assert np.degrees(choice.evidence["rival_angle"]) == pytest.approx(51.0)
    against = [c.against for c in choice.applied_to(candidates)]
    assert against == ["it agrees with the answer, which is trusted more", "", "more speaks for another group"]


def test_the_spread_of_a_group_widens_the_covariance():
    candidates = [clip(60, bridge_ratio=0.45), clip(62, bridge_ratio=0.48)]
    choice = choose(candidates, CONFIG)
    before, after = candidates[1].result, choice.applied_to(candidates)[1].result
    spread = choice.evidence["mode_spread"]
    assert spread > 0
    np.testing.assert_allclose(after.rotation_covariance - before.rotation_covariance, spread**2 / 3 * np.eye(3))


def test_two_good_bridges_far_apart_are_ambiguous():
    choice = choose([clip(60), clip(20)], CONFIG)
    assert choice.number is None
    assert choice.refusal.reason is RefusalReason.AMBIGUOUS
    assert "40 degrees apart" in choice.refusal.text


def test_a_third_clip_resolves_it():
    choice = choose([clip(60), clip(20), clip(61)], CONFIG)
    assert choice.number in (0, 2)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("closure", 0.2, "should have"),
        ("contradiction", 0.4, "do not contradict"),
        ("bridge_inliers", 20.0, "weakest link"),
        ("disagreement", 0.5, "differ by"),
    ],
)
def test_what_does_not_bridge_does_not_count(name, value, text):
    candidates = [clip(60, **{name: value})]
    choice = choose(candidates, CONFIG)
    assert choice.refusal.reason is RefusalReason.LOW_CONFIDENCE
    assert text in choice.refusal.text
    assert choice.applied_to(candidates)[0].against == choice.refusal.text


def test_imagined_frames_must_bridge_for_every_estimator():
    pointmaps = {"mean_score": 60.0, "edge_share": 1.0, "rotation_disagreement": 0.1}
    assert choose([clip(60, estimator="dust3r", **pointmaps)], CONFIG).number == 0
    refused = choose([clip(60, estimator="dust3r", closure=0.0, **pointmaps)], CONFIG)
    assert refused.refusal.reason is RefusalReason.LOW_CONFIDENCE
    # What a camera saw needs no proof that it is what it shows.
    assert choose([clip(60, False, "dust3r", closure=0.0, **pointmaps)], CONFIG).number == 0


def test_the_keyframes_alone_support_a_clip_but_are_no_answer_here():
    alone = choose([keyframes(60, 0.7), failed(RefusalReason.NO_OVERLAP)], CONFIG)
    assert alone.refusal.reason is RefusalReason.NO_OVERLAP
    supported = choose([keyframes(60, 0.7), clip(60, bridge_ratio=0.45)], CONFIG)
    assert supported.number == 1
    assert supported.evidence["mode_strength"] == pytest.approx(1.2)
    assert supported.settled
    disputed = choose([keyframes(10, 0.7), clip(60, bridge_ratio=0.45)], CONFIG)
    assert disputed.number is None


def test_the_refusal_tells_of_the_clip_that_came_nearest():
    reasons = (RefusalReason.NO_OVERLAP, RefusalReason.INCONSISTENT, RefusalReason.NO_OVERLAP)
    assert choose([failed(reason) for reason in reasons], CONFIG).refusal.reason is RefusalReason.INCONSISTENT


def test_the_order_of_clips_changes_nothing():
    candidates = [clip(60, bridge_ratio=0.5), clip(61, bridge_ratio=0.45), clip(20, bridge_ratio=0.4)]
    first = choose(candidates, CONFIG)
    second = choose(candidates[::-1], CONFIG)
    R_first, R_second = candidates[first.number].result.R_b_a, candidates[::-1][second.number].result.R_b_a
    assert float(rotation_distance(R_first, R_second)) == 0.0
