"""One vote per clip: who agrees, who leads, and when two groups are too strong to tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interpose_ros.config import SelectionConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.selection.consensus import Vote, fade_of_direction, find_consensus
from interpose_ros.selection.trust import bridge_trust

CONFIG = SelectionConfig()


def vote(degrees: float, weight: float, direction=None, parallax_deg: float = 0.0) -> Vote:
    estimate = PoseEstimate(
        rotation_exp(np.array([0.0, np.deg2rad(degrees), 0.0])),
        direction,
        MotionModel.ROTATION if direction is None else MotionModel.GENERAL,
        np.deg2rad(0.5) ** 2 / 3 * np.eye(3),
        np.deg2rad(3.0) if direction is not None else math.nan,
        evidence={"parallax": np.deg2rad(parallax_deg)},
    )
    return Vote(estimate, weight)


def test_votes_add_up_and_the_most_trusted_leads():
    found = find_consensus([vote(60, 0.6), vote(61, 0.9), vote(62, 0.3), vote(10, 0.8)], CONFIG)
    best, other = found.modes
    assert (best.leader, best.members, other.members) == (1, (0, 1, 2), (3,))
    assert best.strength == pytest.approx(1.8)
    # One degree off with weights of 0.6 and 0.3 of 1.8.
    assert np.degrees(best.spread) == pytest.approx(0.5)
    assert found.rival == pytest.approx(0.8)
    assert np.degrees(found.rival_angle) == pytest.approx(51.0)
    assert not found.is_ambiguous(CONFIG)


def test_two_strong_groups_far_apart_are_ambiguous():
    assert find_consensus([vote(60, 0.9), vote(20, 0.7)], CONFIG).is_ambiguous(CONFIG)
    assert not find_consensus([vote(60, 0.9), vote(20, 0.5)], CONFIG).is_ambiguous(CONFIG)


def test_groups_less_than_fifteen_degrees_apart_are_no_rivals():
    found = find_consensus([vote(60, 0.9), vote(48, 0.9)], CONFIG)
    assert len(found.modes) == 2
    assert not found.is_ambiguous(CONFIG)


def test_votes_without_weight_are_not_heard():
    found = find_consensus([vote(60, 0.0), vote(20, 0.0)], CONFIG)
    assert found.modes == ()
    assert not found.is_ambiguous(CONFIG)
    assert find_consensus([], CONFIG).modes == ()


def test_opposite_directions_do_not_agree_where_there_is_parallax():
    ahead, back = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, -1.0])
    far = find_consensus([vote(60, 0.9, ahead, 5.0), vote(60, 0.8, back, 5.0)], CONFIG)
    assert far.direction_weight == 1.0
    assert len(far.modes) == 2
    near = find_consensus([vote(60, 0.9, ahead, 0.2), vote(60, 0.8, back, 0.2)], CONFIG)
    assert near.direction_weight == 0.0
    assert len(near.modes) == 1


def test_parallax_is_decided_once_by_those_that_are_trusted():
    votes = [vote(60, 0.9, parallax_deg=5.0), vote(60, 0.1, parallax_deg=0.0), vote(60, 0.1, parallax_deg=0.0)]
    assert fade_of_direction(votes) == 1.0
    assert fade_of_direction([vote(60, 1.0, parallax_deg=1.25)]) == pytest.approx(0.5)


GOOD = {"bridge_inliers": 200.0, "bridge_coverage": 0.4, "bridge_ratio": 0.8, "closure": 0.9, "contradiction": 0.0}


def test_a_good_bridge_is_trusted_whole_and_a_missing_number_is_not():
    assert bridge_trust(GOOD) == 1.0
    assert bridge_trust({**GOOD, "closure": math.nan}) == 0.0
    assert bridge_trust({}) == 0.0


@pytest.mark.parametrize(
    ("name", "value", "trust"),
    [
        ("bridge_inliers", 20.0, 0.0),
        ("bridge_inliers", math.sqrt(20.0 * 60.0), 0.5),
        ("bridge_coverage", 0.14, 0.5),
        ("bridge_ratio", 0.3, 0.0),
        ("closure", 0.45, 0.5),
        ("closure", 0.3, 0.0),
        ("contradiction", 0.09, 0.5),
        ("d_med", math.radians(13.5), 0.5),
        ("last_reached", 0.0, 0.6),
        ("seam_b_jump", 16.0, 0.5),
        ("seam_a_jump", math.nan, 1.0),
    ],
)
def test_trust_fades_with_each_weakness(name, value, trust):
    assert bridge_trust({**GOOD, name: value}) == pytest.approx(trust)
