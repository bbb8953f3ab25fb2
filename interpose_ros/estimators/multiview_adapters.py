"""Pose estimators on other multi-view models, whose packages and weights are permissively licensed and optional.

- Depth Anything 3 (package ``depth-anything-3``): code Apache-2.0; weights of DA3-SMALL and DA3-BASE Apache-2.0, larger
  ones are for non-commercial use.
- MapAnything (package ``mapanything``): code Apache-2.0; weights ``facebook/map-anything-apache`` Apache-2.0.

Both predict the poses of all views in one forward pass. What they give is checked, and never invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.se3 import inverse, is_rigid
from interpose_ros.matching.two_view import MotionModel
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import View

MIN_BASELINE = 0.02
"""Shortest translation, relative to the median depth, that has a direction."""

UNKNOWN_VARIANCE = 9999.0
_RIGIDITY_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class _ViewPose:
    """What a model says about one view: ``T_world_view``, median depth in the same unit, mean confidence."""

    T_world_view: Float[np.ndarray, "4 4"]
    median_depth: float
    confidence: float


@runtime_checkable
class DepthAnything3Model(Protocol):
    """The part of ``depth_anything_3.api.DepthAnything3`` that is used."""

    def inference(self, image: list[np.ndarray]) -> Any:
        """Prediction with ``extrinsics`` (n, 3, 4) from world to camera, ``depth`` and ``conf`` (n, h, w)."""
        ...


@runtime_checkable
class MapAnythingModel(Protocol):
    """The part of ``mapanything.models.MapAnything`` that is used."""

    def infer(self, views: list[dict[str, Any]]) -> list[dict[str, torch.Tensor]]:
        """Per view ``camera_poses`` (1, 4, 4) camera to world, ``depth_z`` (1, h, w, 1) and ``conf`` (1, h, w)."""
        ...


class DepthAnything3Estimator:
    """Depth Anything 3. Intrinsics are the model's own guess; scale is unknown."""

    name = "depth_anything_3"

    def __init__(self, model: DepthAnything3Model) -> None:
        self._model = model

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "cpu") -> DepthAnything3Estimator:
        """Estimator with weights from a local folder.

        Raises:
            ImportError: the package is not installed; the message says which.
            FileNotFoundError: the folder does not exist. Nothing is downloaded.
        """
        try:
            from depth_anything_3.api import DepthAnything3
        except ImportError as error:
            raise ImportError("the estimator depth_anything_3 needs the package depth-anything-3") from error
        return cls(DepthAnything3.from_pretrained(_existing(folder)).to(device))

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first."""
        return _estimate(self.name, views, self._poses, metric=False)

    def _poses(self, views: Sequence[View]) -> list[_ViewPose]:
        prediction = self._model.inference([view.camera.undistort(view.image) for view in views])
        depth, confidence = np.asarray(prediction.depth), np.asarray(prediction.conf)
        poses = []
        for k, extrinsics in enumerate(np.asarray(prediction.extrinsics, dtype=np.float64)):
            T_view_world = np.eye(4)
            T_view_world[:3] = extrinsics[:3]
            poses.append(_ViewPose(inverse(T_view_world), _median_depth(depth[k]), float(confidence[k].mean())))
        return poses


class MapAnythingEstimator:
    """MapAnything with known intrinsics. Its scale is metric, as far as the model knows."""

    name = "map_anything"

    def __init__(self, model: MapAnythingModel, preprocess: Any) -> None:
        """``preprocess`` is ``mapanything.utils.image.preprocess_inputs``."""
        self._model = model
        self._preprocess = preprocess

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "cpu") -> MapAnythingEstimator:
        """Estimator with weights from a local folder.

        Raises:
            ImportError: the package is not installed; the message says which.
            FileNotFoundError: the folder does not exist. Nothing is downloaded.
        """
        try:
            from mapanything.models import MapAnything
            from mapanything.utils.image import preprocess_inputs
        except ImportError as error:
            raise ImportError("the estimator map_anything needs the package mapanything") from error
        return cls(MapAnything.from_pretrained(_existing(folder)).to(device), preprocess_inputs)

    def estimate(self, views: Sequence[View]) -> PoseEstimate | Refusal:
        """Pose of the last view with respect to the first."""
        return _estimate(self.name, views, self._poses, metric=True)

    def _poses(self, views: Sequence[View]) -> list[_ViewPose]:
        inputs = [
            {
                "img": torch.from_numpy(view.camera.undistort(view.image).copy()),
                "intrinsics": torch.from_numpy(view.camera.K.astype(np.float32)),
            }
            for view in views
        ]
        predictions = self._model.infer(self._preprocess(inputs))
        return [
            _ViewPose(
                prediction["camera_poses"][0].double().cpu().numpy(),
                _median_depth(prediction["depth_z"][0].float().cpu().numpy()),
                float(prediction["conf"][0].float().mean()),
            )
            for prediction in predictions
        ]


def _existing(folder: str | Path) -> str:
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(
            f"no folder with weights at {path}; `interpose models` lists where weights are expected"
        )
    return str(path)


def _median_depth(depth: np.ndarray) -> float:
    valid = depth[np.isfinite(depth) & (depth > 0)]
    return float(np.median(valid)) if valid.size else float("nan")


def _estimate(name: str, views: Sequence[View], poses_of: Any, metric: bool) -> PoseEstimate | Refusal:
    if len(views) < 2:
        return Refusal(RefusalReason.BAD_INPUT, f"a relative pose needs at least two views, not {len(views)}")
    poses = poses_of(views)
    if len(poses) != len(views):
        return Refusal(RefusalReason.MODEL, f"{name} gave {len(poses)} poses for {len(views)} views")
    first, last = poses[0], poses[-1]
    for label, pose in (("first", first), ("last", last)):
        if not is_rigid(pose.T_world_view, _RIGIDITY_TOLERANCE):
            return Refusal(RefusalReason.MODEL, f"{name} gave no rigid transform as the pose of the {label} view")
    if not np.isfinite(first.median_depth):
        return Refusal(RefusalReason.MODEL, f"{name} gave no depth for the first view")
    T_b_a = inverse(last.T_world_view) @ first.T_world_view
    u, _, vt = np.linalg.svd(T_b_a[:3, :3])
    length = float(np.linalg.norm(T_b_a[:3, 3]))
    baseline = length / first.median_depth
    moved = baseline >= MIN_BASELINE
    return PoseEstimate(
        R_b_a=u @ vt,
        direction_b_a=T_b_a[:3, 3] / length if moved else None,
        model=MotionModel.GENERAL if moved else MotionModel.ROTATION,
        rotation_covariance=UNKNOWN_VARIANCE * np.eye(3),
        direction_stddev=float("nan"),
        length_b_a=length if metric and moved else float("nan"),
        frames_used=tuple(views[1:-1]),
        evidence={
            "views": float(len(views)),
            "mean_confidence": float(np.mean([pose.confidence for pose in poses])),
            "baseline_over_depth": baseline,
        },
    )
