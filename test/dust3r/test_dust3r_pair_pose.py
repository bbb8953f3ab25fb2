"""Pair poses from pointmaps with known truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interpose_ros.config import Dust3rPairConfig
from interpose_ros.dust3r.inference import PairMaps
from interpose_ros.dust3r.pair_pose import PairPoseFailure, directed_pose, pair_pose
from interpose_ros.dust3r.synthetic import REALISTIC_FAULTS, Faults, predict_from_depth, room_views, true_pose
from interpose_ros.geometry.distances import direction_distance, rotation_distance


def errors_degrees(T: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    rotation = rotation_distance(T[None, :3, :3], truth[None, :3, :3])[0]
    direction = direction_distance(T[None, :3, 3], truth[None, :3, 3])[0]
    return float(np.degrees(rotation)), float(np.degrees(direction))


@pytest.mark.parametrize("known", [True, False], ids=["known K", "unknown focal length"])
@pytest.mark.parametrize("seed", range(3))
def test_exact_pointmaps_give_the_exact_pose(seed: int, known: bool) -> None:
    rng = np.random.default_rng(seed)
    a, b = room_views(rng, 2, np.radians(50))
    predictions = predict_from_depth([a, b], [(0, 1), (1, 0)], Faults(scale=0.5), rng)
    cameras = (a.camera, b.camera) if known else (None, None)
    result = pair_pose(predictions[0, 1], predictions[1, 0], 1, *cameras)
    rotation, direction = errors_degrees(result.T_b_a, true_pose(a, b))
    assert rotation < 0.01
    assert direction < 0.05
    rotation, direction = errors_degrees(result.other_T_b_a, true_pose(a, b))
    assert rotation < 0.01
    assert direction < 0.05
    assert result.better.focal == pytest.approx(a.camera.focal_length, rel=1e-4)
    # The translation is in units of the pointmap; over its median depth it is that of the truth.
    first = a if np.allclose(result.T_b_a, directed_pose_ab(predictions, b)) else b
    expected = np.linalg.norm(true_pose(a, b)[:3, 3]) / np.median(first.depth)
    assert np.linalg.norm(result.T_b_a[:3, 3]) / result.better.median_depth == pytest.approx(expected, rel=0.02)


def directed_pose_ab(predictions: object, b: object) -> np.ndarray:
    return directed_pose(predictions[0, 1], 1, b.camera, Dust3rPairConfig(), predictions[1, 0]).T_second_first


def test_a_sparse_map_gives_the_same_pose() -> None:
    rng = np.random.default_rng(4)
    a, b = room_views(rng, 2, np.radians(40))
    predictions = predict_from_depth([a, b], [(0, 1), (1, 0)], Faults(), rng, stride=4)
    result = pair_pose(predictions[0, 1], predictions[1, 0], 4, a.camera, b.camera)
    assert errors_degrees(result.T_b_a, true_pose(a, b))[0] < 0.01


def test_realistic_faults_leave_a_bounded_error() -> None:
    errors = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        a, b = room_views(rng, 2, np.radians(40))
        faults = replace(REALISTIC_FAULTS, wrong_edges=0.0)
        predictions = predict_from_depth([a, b], [(0, 1), (1, 0)], faults, rng)
        result = pair_pose(predictions[0, 1], predictions[1, 0], 1, a.camera, b.camera)
        errors.append(errors_degrees(result.T_b_a, true_pose(a, b))[0])
    assert np.median(errors) < 4.0
    assert max(errors) > 0.1, "the faults have no effect: this test would not see an error"


def test_no_confidence_is_a_failure_with_a_reason() -> None:
    rng = np.random.default_rng(0)
    a, b = room_views(rng, 2, np.radians(40))
    maps = predict_from_depth([a, b], [(0, 1), (1, 0)], Faults(), rng)
    unsure = [
        replace(maps[p], confidence_second=torch.full_like(maps[p].confidence_second, 1.5)) for p in ((0, 1), (1, 0))
    ]
    result = pair_pose(*unsure, 1, a.camera, b.camera)
    assert isinstance(result, PairPoseFailure)
    assert "0 points of the second view have a confidence of 3 or more" in result.text


def test_noise_is_a_failure_and_never_the_identity() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = PairMaps(
        torch.rand(64, 64, 3, generator=generator) + 0.5, torch.rand(64, 64, 3, generator=generator) + 0.5,
        torch.full((64, 64), 9.0), torch.full((64, 64), 9.0),
    )  # fmt: skip
    a, b = room_views(np.random.default_rng(0), 2, np.radians(40), side=64)
    result = pair_pose(noise, noise, 1, a.camera, b.camera)
    assert isinstance(result, PairPoseFailure)
    assert "confident points agree" in result.text


def test_one_good_direction_is_enough() -> None:
    rng = np.random.default_rng(2)
    a, b = room_views(rng, 2, np.radians(40))
    maps = predict_from_depth([a, b], [(0, 1), (1, 0)], Faults(), rng)
    unsure = replace(maps[0, 1], confidence_second=torch.ones_like(maps[0, 1].confidence_second))
    result = pair_pose(unsure, maps[1, 0], 1, a.camera, b.camera)
    assert isinstance(result.other, PairPoseFailure)
    assert result.other_T_b_a is None
    assert errors_degrees(result.T_b_a, true_pose(a, b))[0] < 0.01
