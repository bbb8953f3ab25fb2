"""What views should match, and how far they do: worked out by hand, and on made-up links."""

from __future__ import annotations

import numpy as np
import pytest

from interpose_ros.config import FramesConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.matcher import Matches
from interpose_ros.matching.store import MatchStore, VerifiedPair
from interpose_ros.matching.two_view import MotionModel, TwoViewGeometry
from interpose_ros.matching.verified_path import (
    HIDDEN_CLOSURE,
    UNVERIFIED_CLOSURE,
    DuePairs,
    due_pairs,
    rotation_overlap,
    verify_path,
)
from interpose_ros.matching.view_graph import Link
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import KeyframeId, View

# 90 degrees of view across.
CAMERA = Camera(np.array([[160.0, 0, 159.5], [0, 160.0, 119.5], [0, 0, 1.0]]), 320, 240)


def yaw(degrees: float) -> np.ndarray:
    return rotation_exp(np.array([0.0, np.deg2rad(degrees), 0.0]))


def test_overlap_of_turned_views():
    assert rotation_overlap(CAMERA, CAMERA, np.eye(3)) == 1.0
    # By 45 degrees the middle of one image is the border of the other.
    assert rotation_overlap(CAMERA, CAMERA, yaw(45.0)) == pytest.approx(0.45, abs=0.1)
    assert rotation_overlap(CAMERA, CAMERA, yaw(100.0)) == 0.0
    assert rotation_overlap(CAMERA, CAMERA, yaw(180.0)) == 0.0


def due(views: int, *rows: tuple[int, int, float, float, float]) -> DuePairs:
    table = np.array(rows).reshape(-1, 5)
    unverified = np.full(views - 1, UNVERIFIED_CLOSURE)
    return DuePairs(table[:, :2].astype(np.int64), table[:, 2], table[:, 3], table[:, 4], unverified)


# Before anything is due: 0.43, which counts for as much as a pair of weight 0.15.
SHOWN, WEIGHT = 0.43 * 0.15, 0.15


def test_closure_is_the_share_found_across_the_worst_cut():
    pairs = due(
        5,
        (0, 1, 0.6, 100, 100),  # neighbours say nothing
        (0, 2, 0.2, 100, 80),
        (1, 3, 0.4, 100, 50),
        (2, 4, 0.2, 100, 90),
    )
    # Across 1|2: weights 0.2 and 0.4 for 0.8 and 0.5; across 2|3: 0.4 and 0.2 for 0.5 and 0.9; ends have 0.8 and 0.9.
    assert pairs.closure == pytest.approx((SHOWN + 0.2 * 0.8 + 0.4 * 0.5) / (WEIGHT + 0.6))


def test_more_than_expected_does_not_make_up_for_what_is_missing():
    rows = (0, 2, 0.6, 100, 300), (0, 3, 0.6, 100, 0)
    assert due(4, *rows).closure == pytest.approx(SHOWN / (WEIGHT + 0.6))
    assert due(3, *rows).closure == pytest.approx((SHOWN + 0.6) / (WEIGHT + 1.2))


def test_where_nothing_is_due_nothing_is_verified():
    assert due(5).closure == pytest.approx(UNVERIFIED_CLOSURE)
    assert due(2, (0, 1, 0.6, 100, 0)).closure == pytest.approx(UNVERIFIED_CLOSURE)
    # One end of a sequence that is verified everywhere else.
    assert due(5, (0, 2, 0.6, 100, 100), (1, 3, 0.6, 100, 100)).closure == pytest.approx(UNVERIFIED_CLOSURE)


def test_one_failure_of_little_weight_neither_proves_nor_refutes():
    few = due(3, (0, 2, 0.03, 100, 0)).closure
    assert few == pytest.approx(SHOWN / (WEIGHT + 0.03))
    assert few > 0.35
    assert due(3, (0, 2, 0.3, 100, 0), (0, 2, 0.3, 100, 0)).closure < 0.1


def steps(degrees: list[float], parallax_deg: float) -> tuple[np.ndarray, list[View], list[Link]]:
    """Views that turn by so much with each step, linked to their neighbours, with the same parallax in each."""
    rotations = np.stack([yaw(float(turn)) for turn in np.cumsum([0.0, *degrees])])
    image = np.zeros((240, 320, 3), np.uint8)
    views = [View(image + k, CAMERA, KeyframeId("camera", k)) for k in range(len(rotations))]
    pixels = np.zeros((40, 2))
    links = []
    for k, turn in enumerate(degrees):
        features = LocalFeatures(pixels, np.zeros((40, 0), np.float32), 320, 240)
        matches = Matches(np.stack([np.arange(40)] * 2, axis=1), np.ones(40))
        geometry = TwoViewGeometry(
            R_b_a=yaw(turn),
            direction_b_a=np.array([1.0, 0.0, 0.0]),
            model=MotionModel.GENERAL,
            inliers=np.ones(40, bool),
            rotation_covariance=1e-4 * np.eye(3),
            direction_stddev=0.1,
            parallax=float(np.deg2rad(parallax_deg)),
            residual_px=0.5,
            scores={},
        )
        links.append(Link(k, k + 1, VerifiedPair(features, features, matches, geometry), geometry))
    return rotations, views, links


@pytest.mark.parametrize(
    ("turns", "parallax_deg", "expected"),
    [
        pytest.param([40.0] * 4, 8.0, HIDDEN_CLOSURE, id="wide steps with parallax"),
        pytest.param([40.0] * 4, 0.1, UNVERIFIED_CLOSURE, id="wide steps on the spot"),
        pytest.param([10.0, 10.0, 80.0, 10.0], 8.0, UNVERIFIED_CLOSURE, id="one large step"),
    ],
)
def test_parallax_excuses_what_is_not_due_unless_a_step_may_be_a_cut(turns, parallax_deg, expected):
    rotations, views, links = steps(turns, parallax_deg)
    found = due_pairs(views, rotations, links, NoMatches(), FramesConfig())
    assert found.closure == pytest.approx(expected)


class NoMatches(MatchStore):
    """A store of views that have nothing in common; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def pair(self, view_a: View, view_b: View):
        self.asked.append((view_a.keyframe_id.stamp_ns, view_b.keyframe_id.stamp_ns))
        nothing = LocalFeatures(np.zeros((0, 2)), np.zeros((0, 0), np.float32), 320, 240)
        matches = Matches(np.zeros((0, 2), np.int64), np.zeros(0))
        return VerifiedPair(nothing, nothing, matches, Refusal(RefusalReason.NO_OVERLAP, ""))


def test_an_end_without_links_ends_it():
    image = np.zeros((240, 320, 3), np.uint8)
    views = [View(image, CAMERA, KeyframeId("camera", k)) for k in range(8)]
    store = NoMatches()
    found = verify_path(views, store, FramesConfig())
    assert found.reason is RefusalReason.NO_OVERLAP
    assert store.asked == [(0, 1), (0, 2), (0, 3)]
