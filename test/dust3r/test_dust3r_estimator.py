"""The estimator on pointmaps with known truth, which stand in for real weights, and on a network with random ones."""

from collections.abc import Sequence

import numpy as np
import pytest

from interpose_ros.config import Dust3rConfig
from interpose_ros.dust3r.inference import PairPredictions, WorkDone
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.dust3r.synthetic import (
    REALISTIC_FAULTS,
    DepthView,
    Faults,
    predict_from_depth,
    room_views,
    true_pose,
)
from interpose_ros.estimators import dust3r as module
from interpose_ros.estimators.dust3r import Dust3rEstimator
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.subsets import evenly_spread
from interpose_ros.views import KeyframeId, View

from .dust3r_networks import SMALL, random_network


def as_view(view: DepthView, number: int) -> View:
    image = np.full((view.camera.height, view.camera.width, 3), number, dtype=np.uint8)
    return View(image, view.camera, KeyframeId("camera", number))


def with_known_pointmaps(monkeypatch: pytest.MonkeyPatch, scene: list[DepthView], faults: Faults) -> Dust3rEstimator:
    def predict(
        network: Dust3rNetwork, views: Sequence[PreparedView], pairs: Sequence[tuple[int, int]], *rest: object
    ) -> PairPredictions:
        predictions = predict_from_depth(scene, pairs, faults, np.random.default_rng(0))
        predictions.work = WorkDone(len(scene), len(set(pairs)))
        return predictions

    monkeypatch.setattr(module, "predict_pairs", predict)
    return Dust3rEstimator(random_network(SMALL["linear"]))


def errors_degrees(estimate: PoseEstimate, truth: np.ndarray) -> tuple[float, float]:
    rotation = rotation_distance(estimate.R_b_a[None], truth[None, :3, :3])[0]
    direction = direction_distance(estimate.direction_b_a[None], truth[None, :3, 3])[0]
    return float(np.degrees(rotation)), float(np.degrees(direction))


@pytest.mark.parametrize("count", [2, 4])
def test_exact_pointmaps(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    scene = room_views(np.random.default_rng(1), count, np.radians(50), side=224)
    views = [as_view(view, k) for k, view in enumerate(scene)]
    estimate = with_known_pointmaps(monkeypatch, scene, Faults(scale=0.3)).estimate(views)
    rotation, direction = errors_degrees(estimate, true_pose(scene[0], scene[-1]))
    assert rotation < 0.01
    assert direction < 0.05
    assert estimate.model is MotionModel.GENERAL
    assert np.isnan(estimate.length_b_a), "pointmaps have no metric scale"
    assert [view.keyframe_id for view in estimate.frames_used] == [view.keyframe_id for view in views[1:-1]]
    assert estimate.evidence["views"] == count
    assert estimate.rotation_covariance[0, 0] == pytest.approx(np.radians(0.5) ** 2), "agreement alone predicts no less"
    if count == 4:  # the images' grey values number them
        last = estimate.cloud.points_a[estimate.cloud.colours[:, 0] == count - 1]
        length = np.linalg.norm(true_pose(scene[0], scene[-1])[:3, 3])
        in_last = length * (last @ estimate.R_b_a.T + estimate.direction_b_a)
        pixels = np.rint(scene[-1].camera.project(in_last)).astype(int)
        np.testing.assert_allclose(in_last[:, 2], scene[-1].depth[pixels[:, 1], pixels[:, 0]], rtol=0.05)
        assert len(last) > 100


def test_subsets_of_different_sizes_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(2), 5, np.radians(60), side=224)
    estimator = with_known_pointmaps(monkeypatch, scene, REALISTIC_FAULTS)
    views = [as_view(view, k) for k, view in enumerate(scene)]
    result = estimator.estimate_subsets(views, [(0, 4), (0, 1, 2, 3, 4), (0, 2, 4)])
    assert [aligned is not None for aligned in result.aligned] == [False, True, True]
    assert result.aligned[1].views == (0, 1, 2, 3, 4)
    assert errors_degrees(result.estimates[1], true_pose(scene[0], scene[4]))[0] < 5.0
    assert result.estimates[1].evidence["rotation_disagreement"] > 0.01
    assert result.estimates[1].rotation_covariance[0, 0] > np.radians(0.5) ** 2


def test_a_camera_that_only_turns_has_no_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = room_views(np.random.default_rng(3), 2, np.radians(30), side=224)
    T_world_b = b.T_world_camera.copy()
    T_world_b[:3, 3] = a.T_world_camera[:3, 3]
    # Both cameras in one place see the same room; the depth of b is the one from its old place, seen as if from here.
    scene = [a, DepthView(b.depth, b.camera, T_world_b)]
    estimate = with_known_pointmaps(monkeypatch, scene, Faults()).estimate([as_view(v, k) for k, v in enumerate(scene)])
    assert estimate.direction_b_a is None
    assert estimate.model is MotionModel.ROTATION
    assert np.isnan(estimate.direction_stddev)


@pytest.mark.parametrize("count", [2, 3])
def test_a_network_that_knows_nothing_refuses(count: int) -> None:
    """Confidence of random weights lies below the threshold: no pose, and never the identity."""
    network = random_network(SMALL["linear"])
    for head in (network.downstream_head1, network.downstream_head2):
        head.proj.weight.zero_()
        head.proj.bias.zero_()
    rng = np.random.default_rng(0)
    camera = Camera(np.array([[200, 0, 112], [0, 200, 112], [0, 0, 1.0]]), 224, 224)
    views = [
        View(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8), camera, KeyframeId("camera", k)) for k in range(count)
    ]
    result = Dust3rEstimator(network).estimate(views)
    assert isinstance(result, Refusal)
    assert result.reason is RefusalReason.NO_OVERLAP
    assert "confidence of 3" in result.text


def test_frames_without_calibration_tell_how_far_their_focal_length_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(4), 4, np.radians(50), side=224)
    estimator = with_known_pointmaps(monkeypatch, scene, Faults())
    views = [as_view(view, k) for k, view in enumerate(scene)]
    # The frames' camera info claims a focal length a fifth too long.
    for k in (1, 2):
        camera = scene[k].camera
        K = camera.K * [[1.2, 1, 1], [1, 1.2, 1], [1, 1, 1]]
        wrong = Camera(K, camera.width, camera.height)
        views[k] = View(views[k].image, wrong, views[k].keyframe_id)
        scene[k] = DepthView(scene[k].depth, camera, scene[k].T_world_camera)
    estimate = estimator.estimate_subsets(views, [range(4)], [True, False, False, True]).estimates[0]
    assert errors_degrees(estimate, true_pose(scene[0], scene[3]))[0] < 0.01
    assert "focal_deviation" in estimate.evidence
    trusted = estimator.estimate_subsets(views, [range(4)]).estimates[0]
    assert "focal_deviation" not in trusted.evidence


@pytest.mark.parametrize(("count", "most", "kept"), [(0, 3, []), (3, 3, [0, 1, 2]), (7, 1, [3]), (9, 4, [1, 3, 5, 7])])
def test_frames_are_thinned_evenly(count: int, most: int, kept: list[int]) -> None:
    assert evenly_spread(count, most) == kept


def test_no_more_frames_than_allowed_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(1), 5, np.radians(50), side=224)
    seen = []

    def predict(network, views, pairs, *rest):
        seen.append([view.view.keyframe_id.stamp_ns for view in views])
        raise ValueError("enough")

    monkeypatch.setattr(module, "predict_pairs", predict)
    estimator = Dust3rEstimator(random_network(SMALL["linear"]), Dust3rConfig(max_frames=1))
    with pytest.raises(ValueError, match="enough"):
        estimator.estimate([as_view(view, k) for k, view in enumerate(scene)])
    assert seen == [[0, 2, 4]]


@pytest.mark.parametrize(("chosen", "side"), [("weights", 224), ("512", 512)])
def test_image_size_is_that_of_the_weights_or_chosen(chosen: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(1), 2, np.radians(50), side=224)
    seen = []

    def predict(network, views, pairs, *rest):
        seen.extend(max(view.pixels.shape[:2]) for view in views)
        raise ValueError("enough")

    monkeypatch.setattr(module, "predict_pairs", predict)
    estimator = Dust3rEstimator(random_network(SMALL["linear"]), Dust3rConfig(image_side=chosen))
    with pytest.raises(ValueError, match="enough"):
        estimator.estimate([as_view(view, k) for k, view in enumerate(scene)])
    assert seen == [side, side]


def test_one_view_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = room_views(np.random.default_rng(1), 2, np.radians(50), side=224)
    estimator = with_known_pointmaps(monkeypatch, scene, Faults())
    result = estimator.estimate([as_view(scene[0], 0)])
    assert isinstance(result, Refusal)
    assert result.reason is RefusalReason.BAD_INPUT
    with pytest.raises(ValueError, match="two different views"):
        estimator.estimate_subsets([as_view(scene[0], 0)], [(0, 0)])
