"""Adapters through stand-ins with the signatures of the packages, which need weights that cannot be had here."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from interpose_ros.dust3r.synthetic import DepthView, room_views, true_pose
from interpose_ros.estimators.multiview_adapters import DepthAnything3Estimator, MapAnythingEstimator
from interpose_ros.geometry.se3 import inverse
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import KeyframeId, View


@pytest.fixture
def scene() -> list[DepthView]:
    return room_views(np.random.default_rng(1), 3, np.radians(40), side=64)


def as_views(scene: list[DepthView]) -> list[View]:
    return [
        View(np.full((64, 64, 3), k, dtype=np.uint8), view.camera, KeyframeId("camera", k))
        for k, view in enumerate(scene)
    ]


class DepthAnything3StandIn:
    def __init__(self, scene: list[DepthView]) -> None:
        self.T_view_world = [inverse(view.T_world_camera) for view in scene]
        self.depth = np.stack([view.depth for view in scene]).astype(np.float32)

    def inference(self, image: list[np.ndarray]) -> SimpleNamespace:
        assert all(i.dtype == np.uint8 and i.shape == (64, 64, 3) for i in image)
        extrinsics = np.stack(self.T_view_world)[:, :3].astype(np.float32)
        return SimpleNamespace(extrinsics=extrinsics, depth=self.depth, conf=np.full(self.depth.shape, 2.0))


class MapAnythingStandIn:
    def __init__(self, scene: list[DepthView]) -> None:
        self.scene = scene

    def infer(self, views: list[dict]) -> list[dict]:
        assert all(view["img"].shape == (64, 64, 3) and view["intrinsics"].shape == (3, 3) for view in views)
        return [
            {
                "camera_poses": torch.from_numpy(view.T_world_camera)[None].float(),
                "depth_z": torch.from_numpy(view.depth)[None, ..., None].float(),
                "conf": torch.full((1, 64, 64), 3.0),
            }
            for view in self.scene
        ]


def test_depth_anything_3_conventions(scene: list[DepthView]) -> None:
    estimate = DepthAnything3Estimator(DepthAnything3StandIn(scene)).estimate(as_views(scene))
    truth = true_pose(scene[0], scene[2])
    np.testing.assert_allclose(estimate.R_b_a, truth[:3, :3], atol=1e-5)
    np.testing.assert_allclose(estimate.direction_b_a, truth[:3, 3] / np.linalg.norm(truth[:3, 3]), atol=1e-4)
    assert np.isnan(estimate.length_b_a), "its small models have no metric scale"
    assert len(estimate.frames_used) == 1


def test_map_anything_conventions_and_metric_length(scene: list[DepthView]) -> None:
    estimate = MapAnythingEstimator(MapAnythingStandIn(scene), lambda views: views).estimate(as_views(scene))
    truth = true_pose(scene[0], scene[2])
    np.testing.assert_allclose(estimate.R_b_a, truth[:3, :3], atol=1e-5)
    assert estimate.length_b_a == pytest.approx(np.linalg.norm(truth[:3, 3]), rel=1e-4)


def test_standing_still_has_no_direction(scene: list[DepthView]) -> None:
    model = DepthAnything3StandIn(scene)
    model.T_view_world[2] = model.T_view_world[0]
    estimate = DepthAnything3Estimator(model).estimate(as_views(scene))
    assert estimate.direction_b_a is None
    assert estimate.model is MotionModel.ROTATION


def test_what_is_no_pose_is_refused(scene: list[DepthView]) -> None:
    model = DepthAnything3StandIn(scene)
    model.T_view_world[2] = np.full((4, 4), np.nan)
    result = DepthAnything3Estimator(model).estimate(as_views(scene))
    assert isinstance(result, Refusal)
    assert result.reason is RefusalReason.MODEL
    assert "last view" in result.text
    model = MapAnythingStandIn(scene[:2])
    result = MapAnythingEstimator(model, lambda views: views).estimate(as_views(scene))
    assert "gave 2 poses for 3 views" in result.text


def test_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="needs the package depth-anything-3"):
        DepthAnything3Estimator.from_folder(tmp_path)
    with pytest.raises(ImportError, match="needs the package mapanything"):
        MapAnythingEstimator.from_folder(tmp_path)
