"""Alignment and pair poses on depth images of a real sensor, with its holes and steps."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from interpose_ros.dust3r.alignment import align_subsets
from interpose_ros.dust3r.inference import complete_pairs
from interpose_ros.dust3r.pair_pose import pair_pose
from interpose_ros.dust3r.synthetic import DepthView, Faults, predict_from_depth, true_pose
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation

FOLDER = Path(__file__).parent / "data" / "tum_fr3_office"


@pytest.fixture(scope="module")
def views() -> list[DepthView]:
    description = json.loads((FOLDER / "frames.json").read_text())
    result = []
    for frame in description["frames"]:
        raw = cv2.imread(str(FOLDER / frame["depth"]), cv2.IMREAD_UNCHANGED)
        depth = raw.astype(np.float64) / description["depth_units_per_metre"]
        camera = Camera(np.array(description["K"], dtype=np.float64), depth.shape[1], depth.shape[0])
        R = rotation_from_quaternion_xyzw(np.array(frame["quaternion_xyzw"]))
        pose = transform_from_rotation_translation(R, np.array(frame["translation"]))
        result.append(DepthView(depth, camera, pose))
    return result


def error_degrees(T_b_a: np.ndarray, truth: np.ndarray) -> float:
    return float(np.degrees(rotation_distance(T_b_a[None, :3, :3], truth[None, :3, :3])[0]))


def test_the_sensor_has_holes(views: list[DepthView]) -> None:
    assert all(0.05 < float((view.depth == 0).mean()) < 0.5 for view in views)


def test_exact_pointmaps_with_holes(views: list[DepthView]) -> None:
    rng = np.random.default_rng(0)
    predictions = predict_from_depth(views, complete_pairs(range(4)), Faults(scale=0.3), rng)
    (result,) = align_subsets(predictions, [range(4)])
    for position in range(1, 4):
        assert error_degrees(result.pose(position), true_pose(views[0], views[position])) < 0.01
    pair = pair_pose(predictions[0, 3], predictions[3, 0], 1, views[0].camera, views[3].camera)
    assert error_degrees(pair.T_b_a, true_pose(views[0], views[3])) < 0.01


def test_faults_on_real_depth_leave_a_bounded_error(views: list[DepthView]) -> None:
    errors = []
    for seed in range(5):
        faults = Faults(scale=0.2, rotation=0.03, translation=0.03, depth_noise=0.03, smeared_edges=True)
        predictions = predict_from_depth(views, complete_pairs(range(4)), faults, np.random.default_rng(seed))
        (result,) = align_subsets(predictions, [range(4)])
        errors.append(error_degrees(result.pose(-1), true_pose(views[0], views[-1])))
    assert np.median(errors) < 2.0
    assert max(errors) > 0.05, "the faults have no effect: this test would not see an error"
