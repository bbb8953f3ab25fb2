"""InterPose's scores on numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import rotation_exp
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.selectors import (
    FeatureMatch,
    InterPose,
    Material,
    MaxConfidence,
    Mean,
    MedoidDistance,
    Oracle,
)
from interpose_ros.selection.subset_poses import SubsetPoses, score_clips
from interpose_ros.selection.subsets import draw_subsets, evenly_spread

X, NO_POSE = np.array([1.0, 0.0, 0.0]), Refusal(RefusalReason.NO_OVERLAP, "")


def turned(degrees: float, direction=None, **evidence: float) -> PoseEstimate:
    """A turn about y."""
    R = rotation_exp(np.array([0.0, np.deg2rad(degrees), 0.0]))
    model = MotionModel.ROTATION if direction is None else MotionModel.GENERAL
    return PoseEstimate(R, direction, model, 1e-4 * np.eye(3), 0.1, evidence=evidence)


def along(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def degrees_of(poses: SubsetPoses) -> dict[str, list[float]]:
    scores = score_clips(poses)
    return {name: np.degrees(getattr(scores, name)).round(6).tolist() for name in ("d_med", "d_bias", "d_total")}


def test_medoid_and_both_distances_of_two_clips():
    clips = [[turned(0), turned(2), turned(10)], [turned(40), turned(41), turned(43)]]
    poses = SubsetPoses.from_results(clips, turned(5), "")
    # Medoids: 2 (distances 2 and 8) and 41 (1 and 2).
    assert score_clips(poses).medoid.tolist() == [1, 1]
    assert degrees_of(poses) == {"d_med": [5.0, 1.5], "d_bias": [3.0, 36.0], "d_total": [8.0, 37.5]}


def test_without_a_pair_only_pose_the_bias_is_left_out_for_all_clips():
    clips = [[turned(0), turned(2), turned(10)], [turned(40), turned(41), turned(43)]]
    for pair in (None, NO_POSE):
        found = degrees_of(SubsetPoses.from_results(clips, pair, ""))
        assert found["d_total"] == found["d_med"] == [5.0, 1.5]
        assert np.isnan(found["d_bias"]).all()


def test_translations_count_by_their_line_not_by_their_sign():
    clip = [turned(0, along(0)), turned(0, along(170)), turned(6, along(0))]
    poses = SubsetPoses.from_results([clip], turned(0, along(90)), "")
    # From the first: 10 and 6 degrees; 170 degrees apart is the same line but for 10.
    assert degrees_of(poses) == {"d_med": [8.0], "d_bias": [90.0], "d_total": [98.0]}


def test_one_missing_direction_takes_directions_out_everywhere():
    clips = [[turned(0, along(0)), turned(3, along(90))], [turned(0), turned(7)]]
    assert degrees_of(SubsetPoses.from_results(clips, turned(1, along(45)), ""))["d_total"] == [4.0, 8.0]


def test_failed_subsets_are_left_out_and_lonely_ones_agree_with_nothing():
    clips = [[NO_POSE, turned(0), turned(4)], [turned(1), NO_POSE, NO_POSE], [NO_POSE], []]
    scores = score_clips(SubsetPoses.from_results(clips, None, ""))
    assert scores.medoid.tolist() == [1, 0, -1, -1]
    assert np.degrees(scores.d_med[0]) == pytest.approx(4.0)
    assert np.isinf(scores.d_med[1:]).all()


def test_a_pair_read_backwards_scores_the_same():
    rng = np.random.default_rng(0)
    forward, backward = [], []
    for _ in range(2):
        estimates = [turned(float(rng.uniform(0, 90)), along(float(rng.uniform(0, 360)))) for _ in range(5)]
        forward.append(estimates)
        backward.append([inverted(estimate) for estimate in estimates])
    pair = turned(30, along(20))
    scores = score_clips(SubsetPoses.from_results(forward, pair, ""))
    reversed_scores = score_clips(SubsetPoses.from_results(backward, inverted(pair), ""))
    rotations = SubsetPoses.from_results(forward, turned(30), "")
    rotations_back = SubsetPoses.from_results(backward, inverted(turned(30)), "")
    assert scores.medoid.tolist() == reversed_scores.medoid.tolist() or not np.allclose(scores.d_med, 0)
    np.testing.assert_allclose(
        rotations.distances_to(rotations.pair_rotation, X, False),
        rotations_back.distances_to(rotations_back.pair_rotation, X, False),
        atol=1e-9,
    )


def inverted(estimate: PoseEstimate) -> PoseEstimate:
    direction = None if estimate.direction_b_a is None else -estimate.R_b_a.T @ estimate.direction_b_a
    return PoseEstimate(estimate.R_b_a.T, direction, estimate.model, np.eye(3), 0.1)


def material(clips, pair=None, matches=None, estimate=lambda frames: NO_POSE) -> Material:
    matches_a, matches_b = matches or ([np.zeros(3)] * len(clips), [np.zeros(3)] * len(clips))
    return Material(SubsetPoses.from_results(clips, pair, "sure"), matches_a, matches_b, estimate)


def chosen_degrees(chosen) -> float:
    return float(np.degrees(np.arctan2(chosen.R_b_a[0, 2], chosen.R_b_a[0, 0])))


def test_each_published_score_chooses_by_its_own_rule():
    # The second clip agrees with itself best, the first with the keyframes; the third holds the surest pose.
    clips = [
        [turned(58, sure=1.0), turned(60, sure=2.0), turned(62, sure=1.0)],
        [turned(20, sure=3.0), turned(20, sure=3.0), turned(20.3, sure=3.0)],
        [turned(70, sure=9.0), turned(90, sure=1.0), turned(100, sure=1.0)],
    ]
    given = material(clips, turned(59))
    expected = {InterPose(): (60, 0), MedoidDistance(): (20, 1), MaxConfidence(): (70, 2)}
    for selector, (degrees, clip) in expected.items():
        chosen = selector.choose(given)
        assert (round(chosen_degrees(chosen), 3), chosen.clip) == (degrees, clip), selector.name
    # Nine turns about one axis: the median is the one in the middle.
    assert chosen_degrees(Mean().choose(given)) == pytest.approx(60.0, abs=1e-6)
    assert Mean().choose(given).clip is None
    truth = rotation_exp(np.array([0.0, np.deg2rad(97.0), 0.0]))
    assert chosen_degrees(Oracle(truth, None).choose(given)) == pytest.approx(100.0)


def test_feature_match_takes_the_frames_with_most_matches_in_order_and_runs_once():
    asked = []

    def estimate(frames):
        asked.append(list(frames))
        return turned(45)

    matches = (
        [np.array([90.0, 5.0, 0.0]), np.array([60.0, 40.0, 10.0])],
        [np.array([0.0, 5.0, 0.0]), np.array([20.0, 45.0, 95.0])],
    )
    chosen = FeatureMatch(frames=4).choose(material([[], []], matches=matches, estimate=estimate))
    # Sums: clip 0 has 90, 10 and 0, clip 1 has 80, 85 and 105; ordered by how much nearer to B they are.
    assert asked == [[(0, 0), (1, 0), (1, 1), (1, 2)]]
    assert chosen.clip == 1
    assert chosen_degrees(chosen) == pytest.approx(45.0)


def test_nobody_chooses_among_nothing():
    given = material([[NO_POSE, NO_POSE], []])
    for selector in (InterPose(), MedoidDistance(), FeatureMatch(), Mean(), MaxConfidence(), Oracle(np.eye(3), None)):
        assert selector.choose(given) is None, selector.name


def test_ten_random_subsets_and_an_even_one():
    subsets = draw_subsets(20, 3, 10, np.random.default_rng(0))
    assert len(subsets) == len(set(subsets)) == 11
    assert subsets[0] == (4, 10, 15)
    assert all(len(s) == 3 and list(s) == sorted(set(s)) and s[0] >= 0 and s[-1] < 20 for s in subsets)


def test_subsets_from_a_grid_share_its_frames():
    subsets = draw_subsets(81, 3, 10, np.random.default_rng(0), grid=6)
    assert len(subsets) == 11
    assert {frame for subset in subsets for frame in subset} <= set(evenly_spread(81, 6))


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [(0,)]), (3, [(0, 1, 2)])])
def test_short_clips_have_fewer_subsets(count, expected):
    assert draw_subsets(count, 3, 10, np.random.default_rng(0)) == expected


def test_no_more_subsets_than_there_are():
    assert len(draw_subsets(4, 3, 10, np.random.default_rng(0))) == 4
