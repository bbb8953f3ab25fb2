"""Messages turned into what is compared with the truth, and /tf chained into positions."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")
pytestmark = pytest.mark.ros

from geometry_msgs.msg import Quaternion, Vector3

from interpose_ros.evaluation.pairs import compared
from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import rotation_exp, transform_from_rotation_translation
from interpose_ros.msg import CandidateScore, RelativePose
from interpose_ros.ros.demo_listener import outcome_from_message
from interpose_ros.ros.demo_positions import length_summary, placed_keyframes, position_errors

SECOND = 10**9
NAN = math.nan


def _truth():
    poses = [
        transform_from_rotation_translation(rotation_exp(np.array([0.0, 0.3 * n, 0.1])), np.array([n, 0.5 * n, 0.0]))
        for n in range(4)
    ]
    return Trajectory([SECOND * (1 + n) for n in range(4)], np.array(poses), max_gap_ns=2 * SECOND)


def _message(first, second):
    message = RelativePose()
    message.keyframe_a.stamp.sec, message.keyframe_b.stamp.sec = first, second
    message.parent_frame_id, message.child_frame_id = f"kf_{first}", f"kf_{second}"
    return message


def test_a_refused_message_becomes_a_refusal_with_its_pair_only_error():
    message = _message(1, 2)
    message.status = RelativePose.STATUS_REFUSED_LOW_CONFIDENCE
    message.reason = "too few"
    message.pose.pose.orientation = Quaternion(x=NAN, y=NAN, z=NAN, w=NAN)
    message.translation_direction = Vector3(x=NAN, y=NAN, z=NAN)
    message.candidates = [
        CandidateScore(estimator="features", interpolator="recorded", estimated=True),
        CandidateScore(estimator="matches", estimated=True, orientation=Quaternion(w=1.0)),
    ]
    record = compared(outcome_from_message(message), _truth())
    assert not record.published
    assert record.reason == "too few"
    assert record.rotation_error_deg is None
    assert record.translation_error_deg is None
    assert record.pair_only_rotation_error_deg == pytest.approx(record.true_rotation_deg)


def test_an_answer_is_compared_in_the_first_camera():
    message = _message(1, 2)
    message.status, message.branch = RelativePose.STATUS_OK, RelativePose.BRANCH_FRAMES
    T_a_b = _truth().relative_pose(SECOND, 2 * SECOND)
    half = 0.5 * math.acos((np.trace(T_a_b[:3, :3]) - 1) / 2)
    axis = np.array([T_a_b[2, 1] - T_a_b[1, 2], T_a_b[0, 2] - T_a_b[2, 0], T_a_b[1, 0] - T_a_b[0, 1]])
    x, y, z = (math.sin(half) * axis / np.linalg.norm(axis)).tolist()
    message.pose.pose.orientation = Quaternion(x=x, y=y, z=z, w=math.cos(half))
    x, y, z = (T_a_b[:3, 3] / np.linalg.norm(T_a_b[:3, 3])).tolist()
    message.translation_direction = Vector3(x=x, y=y, z=z)
    message.confidence_5deg = NAN
    record = compared(outcome_from_message(message), _truth())
    assert record.rotation_error_deg == pytest.approx(0, abs=1e-5)
    assert record.translation_error_deg == pytest.approx(0, abs=1e-5)
    assert record.branch == "frames"
    assert record.confidence is None, "NaN is no number of JSON"
    assert record.right


def test_edges_are_chained_in_both_directions_from_the_first_keyframe_with_truth():
    truth = _truth()
    answers, tf_edges = {}, {}
    # The first keyframe is nobody's parent: edges are followed against their direction too.
    for parent, child in ((2, 1), (2, 3), (3, 4)):
        answers[parent * SECOND, child * SECOND] = _message(parent, child)
        tf_edges[f"kf_{child}"] = (f"kf_{parent}", truth.relative_pose(parent * SECOND, child * SECOND))
    placed = placed_keyframes(answers, tf_edges, truth)
    assert list(placed) == [SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]
    assert position_errors(placed, truth) == pytest.approx([0, 0, 0, 0], abs=1e-9)
    tf_edges["kf_4"][1][:3, 3] *= 1.5
    assert position_errors(placed_keyframes(answers, tf_edges, truth), truth)[3] == pytest.approx(
        0.5 * np.linalg.norm(tf_edges["kf_4"][1][:3, 3]) / 1.5
    )


def test_frames_that_belong_to_no_answer_are_left_out():
    assert placed_keyframes({}, {"other": ("map", np.eye(4))}, _truth()) == {}


def test_lengths_are_compared_where_they_are_known():
    truth = _truth()
    accepted, scaled, refused = _message(1, 2), _message(2, 3), _message(3, 4)
    accepted.status = scaled.status = RelativePose.STATUS_OK
    refused.status = RelativePose.STATUS_REFUSED_LOW_CONFIDENCE
    scaled.scale_source = RelativePose.SCALE_ODOMETRY
    scaled.scale_stddev = 0.1
    length = float(np.linalg.norm(truth.relative_pose(2 * SECOND, 3 * SECOND)[:3, 3]))
    scaled.pose.pose.position.x = length + 0.15
    summary = length_summary({(1, 2): accepted, (2, 3): scaled, (3, 4): refused}, truth)
    assert (summary["answers"], summary["with_length"]) == (2, 1)
    assert summary["median_relative_error"] == pytest.approx(0.15 / length)
    assert summary["within_two_standard_deviations_percent"] == 100
    assert length_summary({}, truth)["median_relative_error"] is None
