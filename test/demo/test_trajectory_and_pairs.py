"""Interpolated truth, and errors of answers against it, with numbers worked out by hand."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from interpose_ros.evaluation.pairs import PairOutcome, compared, rotation_bins
from interpose_ros.evaluation.trajectory import Trajectory, read_tum_trajectory, stamp_ns_from_text
from interpose_ros.geometry.se3 import transform_from_rotation_translation

SECOND = 10**9


def _pose(angle_deg, position):
    R = Rotation.from_euler("y", angle_deg, degrees=True).as_matrix()
    return transform_from_rotation_translation(R, np.array(position, dtype=float))


@pytest.fixture
def truth():
    poses = [_pose(90, [0, 0, 0]), _pose(110, [2, 0, 0]), _pose(130, [4, 0, 0])]
    return Trajectory([0, SECOND, 2 * SECOND], np.array(poses), max_gap_ns=SECOND)


def _outcome(R_a_b=None, direction_a=None, stamp_b=SECOND, **others):
    values = {"pair_only_R_a_b": None, "overlap": 0.4, "branch": "matches", "confidence": 0.9,
              "published": R_a_b is not None, "reason": "", "seconds": 1.0} | others  # fmt: skip
    return PairOutcome(0, stamp_b, R_a_b, direction_a, **values)


def test_between_two_poses_position_and_angle_are_linear(truth):
    assert np.allclose(truth.pose_at(SECOND // 4), _pose(95, [0.5, 0, 0]))
    assert np.allclose(truth.pose_at(SECOND), _pose(110, [2, 0, 0]))


def test_outside_and_inside_gaps_nothing_is_known(truth):
    assert truth.pose_at(-1) is None
    assert truth.pose_at(2 * SECOND + 1) is None
    sparse = Trajectory([0, SECOND], np.stack([np.eye(4)] * 2), max_gap_ns=SECOND - 1)
    assert sparse.pose_at(5) is None
    assert sparse.relative_pose(0, 5) is None


def test_stamps_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="rise"):
        Trajectory([1, 1], np.stack([np.eye(4)] * 2))


def test_relative_pose_is_in_the_first_camera(truth):
    # Camera a looks along world x: camera b, 2 m further along world x, is 2 m in front of it.
    assert np.allclose(truth.relative_pose(0, SECOND), _pose(20, [0, 0, 2]))


def test_errors_are_degrees_from_the_truth(truth):
    rotation = Rotation.from_euler("y", 23, degrees=True).as_matrix()
    record = compared(
        _outcome(rotation, np.array([0.0, np.sin(0.1), np.cos(0.1)]), pair_only_R_a_b=_pose(60, [0, 0, 0])[:3, :3]),
        truth,
    )
    assert record.true_rotation_deg == pytest.approx(20)
    assert record.rotation_error_deg == pytest.approx(3)
    assert record.translation_error_deg == pytest.approx(np.degrees(0.1))
    assert record.pair_only_rotation_error_deg == pytest.approx(40)
    assert record.right
    behind = compared(_outcome(rotation, np.array([0.0, 0.0, -1.0])), truth)
    assert behind.translation_error_deg == pytest.approx(180)
    assert not behind.right
    assert not compared(_outcome(rotation), truth).right, "an answer without a direction is a miss"


def test_a_refusal_has_no_errors_and_counts_as_a_miss(truth):
    record = compared(_outcome(reason="too few matches"), truth)
    assert record.rotation_error_deg is None
    assert record.translation_error_deg is None
    assert not record.right
    assert json.loads(json.dumps(record.as_json()))["rotation_error_deg"] is None


def test_without_truth_there_are_no_errors(truth):
    record = compared(_outcome(np.eye(3), np.array([0.0, 0, 1]), stamp_b=9 * SECOND), truth)
    assert record.true_rotation_deg is None
    assert record.rotation_error_deg is None
    assert sum(row["pairs"] for row in rotation_bins([record])) == 0


def test_bins_count_by_true_rotation(truth):
    good = compared(_outcome(_pose(20, [0, 0, 0])[:3, :3], np.array([0.0, 0, 1])), truth)
    bad = compared(_outcome(_pose(28, [0, 0, 0])[:3, :3], np.array([0.0, 0, 1])), truth)
    refused = compared(_outcome(stamp_b=2 * SECOND), truth)
    rows = {(row["from_deg"], row["to_deg"]): row for row in rotation_bins([good, bad, refused])}
    assert (rows[15, 30]["pairs"], rows[15, 30]["published"], rows[15, 30]["right"]) == (2, 2, 1)
    assert rows[15, 30]["median_rotation_error_deg"] == pytest.approx(4)
    assert (rows[30, 45]["pairs"], rows[30, 45]["published"]) == (1, 0)
    assert rows[30, 45]["median_rotation_error_deg"] is None


def test_tum_files_are_read_and_bad_lines_named(tmp_path):
    path = tmp_path / "groundtruth.txt"
    path.write_text("# t x y z q\n1341847980.7900 1 2 3 0 0 0 1\n1341847980.8001 1 2 3 0 0 0.6 0.8\n")
    trajectory = read_tum_trajectory(path)
    assert trajectory.stamps_ns == [1341847980790000000, 1341847980800100000]
    assert trajectory.T_world_body[1, 0, 0] == pytest.approx(0.28)
    path.write_text("1.0 2 3\n")
    with pytest.raises(ValueError, match="line 1"):
        read_tum_trajectory(path)


def test_stamps_keep_every_digit():
    assert stamp_ns_from_text("1341847980.722988") == 1341847980722988000
    assert stamp_ns_from_text("5") == 5 * SECOND
